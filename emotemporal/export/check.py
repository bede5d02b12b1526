"""Whether an exported network says what the trained one says. Measured before a file is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from tqdm import tqdm

from emotemporal.data.images import ImageCache, ImageSet
from emotemporal.data.readers import DatasetConfig, read_dataset
from emotemporal.data.splits import split_rows
from emotemporal.data.table import DatasetTable, Split, refuse_fatal, take_rows
from emotemporal.inference.engine import Engine, EngineState
from emotemporal.inference.prior import to_probabilities
from emotemporal.labels import Emotion
from emotemporal.models.meta import CheckpointMeta


@dataclass(frozen=True, eq=False)
class LabelledCrops:
    """Pictures of a data set as the network sees them, and what they show."""

    crops: UInt8[np.ndarray, "b n n 3"]
    targets: Int[np.ndarray, " b"]
    name: str

    def __str__(self) -> str:
        return f"{len(self.crops)} images of {self.name}"


def largest_difference(
    one: Engine, other: Engine, meta: CheckpointMeta, crops: UInt8[np.ndarray, "b n n 3"]
) -> float:
    """Return by how much two engines' probabilities differ at most.

    Over `crops` as one whole stream, and over several streams in a batch, some just begun.
    """
    ours, theirs = _all_answers(one, meta, crops), _all_answers(other, meta, crops)
    return float(np.abs(ours - theirs).max())


def agreement(one: Engine, other: Engine, crops: UInt8[np.ndarray, "b n n 3"]) -> float:
    """Return the share of crops, each a stream of its own, that two engines give one label."""
    return float(np.mean(_labels_of(one, crops) == _labels_of(other, crops)))


def accuracy(engine: Engine, labelled: LabelledCrops) -> float:
    """Return the share of pictures, each a stream of its own, that are judged right."""
    return float(np.mean(_labels_of(engine, labelled.crops) == labelled.targets))


def read_labelled(
    config: DatasetConfig, split: Split | None, meta: CheckpointMeta
) -> LabelledCrops:
    """Read all pictures of a split that show one emotion, among those that the network can say.

    Raises:
        ValueError: The data set cannot be used, is of videos, or has no such picture.
    """
    table = _read_images(config, split)
    emotions = [None if name is None else Emotion(name) for name in table.rows["emotion"]]
    known = [i for i, emotion in enumerate(emotions) if emotion in meta.labels.emotions]
    if not known:
        raise ValueError(
            f"{table.name} has no picture of {', '.join(meta.labels.names)} to measure accuracy on"
        )
    targets = [meta.labels.emotions.index(emotions[i]) for i in known]
    return LabelledCrops(
        _crops_of(table, known, meta), np.array(targets), f"{config.name} {split or ''}".strip()
    )


def read_some(
    config: DatasetConfig, split: Split | None, meta: CheckpointMeta, number: int, seed: int
) -> UInt8[np.ndarray, "b n n 3"]:
    """Read pictures drawn at random from a split, with or without a label.

    Raises:
        ValueError: The data set cannot be used, or is of videos.
    """
    table = _read_images(config, split)
    order = np.random.default_rng([seed, 3]).permutation(len(table))
    return _crops_of(table, sorted(order[:number].tolist()), meta)


def _read_images(config: DatasetConfig, split: Split | None) -> DatasetTable:
    table = read_dataset(config)
    refuse_fatal(table)
    if table.kind != "images":
        raise ValueError(f"{table.name} is of {table.kind}; export measures on images")
    rows = table if split is None else split_rows(table, split)
    if not len(rows):
        raise ValueError(f"{table.name} has no {split} split")
    return rows


def _crops_of(
    table: DatasetTable, rows: Sequence[int], meta: CheckpointMeta
) -> UInt8[np.ndarray, "b n n 3"]:
    chosen = take_rows(table, np.array(rows))
    no_targets = np.zeros((len(chosen), 1))
    images = ImageSet(chosen, no_targets, meta.preprocess, meta.crop, ImageCache(0))
    unused = torch.Generator()
    indices = tqdm(range(len(chosen)), f"reading {table.name}", unit="image", disable=None)
    return np.concatenate([images.sample(i, unused).frames for i in indices])


def _labels_of(engine: Engine, crops: UInt8[np.ndarray, "b n n 3"]) -> Int[np.ndarray, " b"]:
    batches = [crops[i : i + 64] for i in range(0, len(crops), 64)]
    logits = [engine.step(batch, [None] * len(batch))[0] for batch in batches]
    return np.concatenate(logits).argmax(axis=1)


def _all_answers(
    engine: Engine, meta: CheckpointMeta, crops: UInt8[np.ndarray, "b n n 3"]
) -> Float[np.ndarray, "t k"]:
    rows = [engine.run(crops)]
    states: list[EngineState | None] = [None, None]
    for i in range(len(crops) - 2):  # a stream joins at every step
        logits, after = engine.step(crops[i : i + 3], [*states[-2:], None])
        states = [*after]
        rows.append(logits)
    return to_probabilities(np.concatenate(rows), meta, meta.training_prior)
