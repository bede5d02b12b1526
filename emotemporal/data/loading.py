"""Samples to batches, in this process or in workers, with the same bytes either way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Int
from torch.utils.data import DataLoader, Dataset

from emotemporal.data.collate import Batch, Sample, collate
from emotemporal.data.processes import WorkerDiedError
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
    samples: SampleSet,
    rows: Sequence[Sequence[int]],
    seed: int,
    epoch: int,
    num_workers: int = 0,
    start_method: Literal["spawn", "forkserver", "fork"] = "spawn",
) -> Iterator[Batch]:
    """Load batches in order. Each sample's randomness is a function of seed, epoch and row.

    Workers are spawned, not forked, unless told otherwise: a fork copies locks that video decoders
    and OpenCV hold. It is safe where neither has been used before, as with images and clips.

    Raises:
        WorkerDiedError: A worker was killed.
        ValueError: A sample cannot be read, as its reader tells it.
    """
    if num_workers == 0:
        for batch in rows:
            yield collate([samples.sample(i, sample_generator(seed, epoch, i)) for i in batch])
        return
    loader = DataLoader(
        _Keyed(samples, seed, epoch),
        batch_sampler=[list(batch) for batch in rows],
        num_workers=num_workers,
        collate_fn=_collate_or_tell,
        multiprocessing_context=start_method,
    )
    try:
        for loaded in loader:
            if isinstance(loaded, Exception):
                raise loaded  # as it would be without workers, and not in torch's wrapping
            yield loaded
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise WorkerDiedError(
            f"a process that loads data was killed ({str(error).splitlines()[0]}); too little "
            "memory, perhaps. Run the same command again: it goes on; with fewer "
            "--run.num_workers if it happens again"
        ) from error


def _collate_or_tell(samples: Sequence[Sample | Exception]) -> Batch | Exception:
    whole: list[Sample] = []
    for sample in samples:
        if isinstance(sample, Exception):
            return sample
        whole.append(sample)
    return collate(whole)


class _Keyed(Dataset[Sample | Exception]):
    """What a loader worker holds: the samples, and what their randomness depends on."""

    def __init__(self, samples: SampleSet, seed: int, epoch: int) -> None:
        self._samples, self._seed, self._epoch = samples, seed, epoch

    def __getitem__(self, index: int) -> Sample | Exception:
        try:
            return self._samples.sample(index, sample_generator(self._seed, self._epoch, index))
        except (ValueError, OSError) as error:
            return error
