"""Predictions of single clips and images as a CSV: what paired comparisons are made from."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emotemporal.evaluation.metrics import JudgedClips
from emotemporal.labels import Emotion, LabelSpace
from emotemporal.reading import UnreadableError, read_rows
from emotemporal.storage import write_atomically
from emotemporal.types import ClipPrediction

_KNOWN = ("source", "subject", "emotion")
_PREFIX = "p_"


def write_predictions(path: Path, predictions: Sequence[ClipPrediction]) -> None:
    """Write one row a prediction: source, subject, true emotion, a probability an emotion.

    Probabilities are written with all their digits: what is read back is bit for bit the same.

    Raises:
        ValueError: There are none, or they speak of more than one label space.
    """
    spaces = {prediction.labels.names for prediction in predictions}
    if len(spaces) != 1:
        raise ValueError(
            f"{len(predictions)} predictions in {len(spaces)} label spaces; one table has one"
        )
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*_KNOWN, *(_PREFIX + name for name in spaces.pop())])
    for row in predictions:
        shares = [repr(float(p)) for p in row.probabilities]
        writer.writerow([row.source, row.subject, row.target.value, *shares])
    write_atomically(path, out.getvalue().encode())


def as_predictions(judged: JudgedClips) -> list[ClipPrediction]:
    """Return arrays of answers as one prediction a clip."""
    return [
        ClipPrediction(
            source=judged.sources[i],
            subject=judged.subjects[i],
            target=judged.labels.emotions[int(judged.targets[i])],
            probabilities=judged.probabilities[i],
            labels=judged.labels,
        )
        for i in range(len(judged))
    ]


def read_predictions(path: Path) -> list[ClipPrediction]:
    """Return what `write_predictions` wrote.

    Raises:
        ValueError: The file is no such table.
    """
    header, *rows = [cells for _, cells in read_rows(path)] or [[]]
    count = len(_KNOWN)
    names = [name.removeprefix(_PREFIX) for name in header[count:]]
    if tuple(header[:count]) != _KNOWN or header[count:] != [_PREFIX + name for name in names]:
        raise ValueError(
            f"{path} begins with {header}; a table of predictions with {', '.join(_KNOWN)} and "
            f"one column {_PREFIX}EMOTION each. Remove it, and evaluate again."
        )
    try:
        labels = LabelSpace(tuple(Emotion(name) for name in names))
        return [_parse(cells, labels) for cells in rows]
    except ValueError as error:
        raise UnreadableError(f"{path} is damaged ({error}); remove it, evaluate again") from error


def _parse(cells: Sequence[str], labels: LabelSpace) -> ClipPrediction:
    if len(cells) != len(_KNOWN) + len(labels):
        raise ValueError(f"a row of {len(cells)} cells: {cells[:3]}")
    source, subject, emotion, *shares = cells
    probabilities = np.array([float(share) for share in shares])
    return ClipPrediction(source, subject, Emotion(emotion), probabilities, labels)
