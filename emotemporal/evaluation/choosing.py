"""Settings chosen by the inner folds of a training side; the judged side is never seen here."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

import numpy as np


def choose_setting(scores: Mapping[str, Sequence[float]]) -> str:
    """Return the setting with the best mean UAR over the inner folds; the first of equals.

    Raises:
        ValueError: No settings, or settings judged on unequal numbers of folds.
    """
    lengths = {name: len(values) for name, values in scores.items()}
    if not scores or 0 in lengths.values() or len(set(lengths.values())) != 1:
        raise ValueError(f"settings need the same inner folds, at least one; folds are {lengths}")
    return max(scores, key=lambda name: statistics.fmean(scores[name]))


def choose_num_epochs(curves: Sequence[Sequence[float]]) -> int:
    """Return how long to refit on all training subjects: the median of the inner folds' best.

    Args:
        curves: UAR after each epoch, one curve an inner fold. Epochs count from 1.

    Raises:
        ValueError: No curves, or an empty one.
    """
    if not curves or not all(len(curve) for curve in curves):
        raise ValueError("the number of epochs needs a curve of at least one epoch an inner fold")
    best = [1 + int(np.argmax(curve)) for curve in curves]
    return statistics.median_low(best)
