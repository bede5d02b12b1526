"""Judging images, each by itself and many at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from tqdm import tqdm

from emotemporal.data.images import ImageCache, ImageSet
from emotemporal.data.table import DatasetTable
from emotemporal.evaluation.image_logits import crop_logits
from emotemporal.inference.engine import Engine
from emotemporal.inference.prior import to_probabilities
from emotemporal.labels import Emotion, LabelSpace
from emotemporal.models.meta import CheckpointMeta
from emotemporal.types import ClipPrediction

_BATCH = 64  # images held at once: bounds the memory, changes no figure


@dataclass(frozen=True, eq=False)
class StillJudge:
    """Says what a checkpoint makes of face crops, none of which remembers another."""

    engine: Engine
    meta: CheckpointMeta
    prior: Sequence[float]
    """How often each emotion is assumed to occur, in the order of the checkpoint's labels."""
    with_mirror: bool = False
    """Average the probabilities with those of the mirror image."""

    def judge(self, crops: UInt8[np.ndarray, "b s s 3"]) -> Float[np.ndarray, "b k"]:
        """Return each crop's probabilities."""
        probabilities = self._judge_once(crops)
        if not self.with_mirror:
            return probabilities
        return (probabilities + self._judge_once(crops[:, :, ::-1])) / 2

    def _judge_once(self, crops: UInt8[np.ndarray, "b s s 3"]) -> Float[np.ndarray, "b k"]:
        logits = crop_logits(list(crops), self.engine, self.meta)
        return to_probabilities(logits, self.meta, self.prior)


def read_batches(
    table: DatasetTable, rows: Sequence[int], meta: CheckpointMeta
) -> Iterator[tuple[Sequence[int], UInt8[np.ndarray, "b s s 3"]]]:
    """Read the crops of some rows, a batch at a time, as the checkpoint cuts them.

    Raises:
        ImageError: A file cannot be read, by name.
    """
    no_targets = np.zeros((len(table), 1))
    images = ImageSet(table, no_targets, meta.preprocess, meta.crop, ImageCache(0))
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        yield batch, np.stack([images.read_crop(row) for row in batch])


def judge_rows(table: DatasetTable, rows: Sequence[int], judge: StillJudge) -> list[ClipPrediction]:
    """Judge some rows, each with an emotion, showing progress.

    Raises:
        ImageError: A file cannot be read, by name.
    """
    found: list[Float[np.ndarray, " k"]] = []
    with tqdm(total=len(rows), desc="judging", unit="image", leave=False, disable=None) as bar:
        for batch, crops in read_batches(table, rows, judge.meta):
            found += list(judge.judge(crops))
            bar.update(len(batch))
    return as_predictions(table, rows, found, judge.meta.labels)


def as_predictions(
    table: DatasetTable,
    rows: Sequence[int],
    probabilities: Sequence[Float[np.ndarray, " k"]] | Float[np.ndarray, "n k"],
    labels: LabelSpace,
) -> list[ClipPrediction]:
    """Put the probabilities of some rows beside what the table says they show.

    Args:
        table: Each of `rows` must have an emotion there.
        rows: As many as `probabilities`, in the same order.
        probabilities: The checkpoint's.
        labels: The checkpoint's.
    """
    chosen = table.rows.iloc[list(rows)]
    columns = zip(chosen["path"], chosen["subject"], chosen["emotion"], probabilities, strict=True)
    return [
        ClipPrediction(str(path), str(subject), Emotion(emotion), found, labels)
        for path, subject, emotion, found in columns
    ]
