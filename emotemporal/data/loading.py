"""Samples to batches, in this process or in workers, with the same bytes either way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Int
from torch.utils.data import DataLoader, Dataset

from emotemporal.data.collate import Batch, Sample, collate
from emotemporal.data.seeds import sample_generator


@runtime_checkable
class SampleSet(Protocol):
    """Anything that gives samples by number."""

    def sample(self, index: int, generator: torch.Generator) -> Sample:
        """Return one sample; `generator` is all the randomness it may use."""


def batch_rows(
    order: Int[np.ndarray, " n"], batch_size: int, rank: int = 0, world_size: int = 1
) -> list[list[int]]:
    """Cut an epoch's order into batches, and return one process's part of each.

    The parts of all processes together are the batches that a single process would take. An
    incomplete last batch is left out: another epoch's order ends with other rows.

    Raises:
        ValueError: The batch size cannot be shared out evenly, or there are fewer rows than that.
    """
    if batch_size % world_size:
        raise ValueError(
            f"batch_size {batch_size} cannot be shared by {world_size} processes; "
            "make it a multiple of them"
        )
    if len(order) < batch_size:
        raise ValueError(
            f"{len(order)} samples do not fill one batch of {batch_size}; lower optim.batch_size"
        )
    whole = order[: len(order) // batch_size * batch_size].reshape(-1, batch_size)
    return [rows.tolist() for rows in whole[:, rank::world_size]]


def load_batches(
    samples: SampleSet, rows: Sequence[Sequence[int]], seed: int, epoch: int, num_workers: int = 0
) -> Iterator[Batch]:
    """Load batches in order. Each sample's randomness is a function of seed, epoch and row.

    Workers are spawned, not forked: a fork copies locks that video decoders and OpenCV hold.
    """
    if num_workers == 0:
        for batch in rows:
            yield collate([samples.sample(i, sample_generator(seed, epoch, i)) for i in batch])
        return
    yield from DataLoader(
        _Keyed(samples, seed, epoch),
        batch_sampler=[list(batch) for batch in rows],
        num_workers=num_workers,
        collate_fn=collate,
        multiprocessing_context="spawn",
    )


class _Keyed(Dataset[Sample]):
    """What a loader worker holds: the samples, and what their randomness depends on."""

    def __init__(self, samples: SampleSet, seed: int, epoch: int) -> None:
        self._samples, self._seed, self._epoch = samples, seed, epoch

    def __getitem__(self, index: int) -> Sample:
        return self._samples.sample(index, sample_generator(self._seed, self._epoch, index))
