"""How far each method's probabilities can be trusted, with intervals over the same resamples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from emotemporal.evaluation.confidence import NUM_BINS
from emotemporal.evaluation.metrics import Interval, JudgedClips, Metrics
from emotemporal.evaluation.statistics.bootstrap import Resamples, percentile_interval

_MAX_ECE_RESAMPLES = 1000  # each walks over all clips; enough for the third digit


@dataclass(frozen=True)
class Trust:
    """Proper scores and calibration error of one method; lower is better."""

    nll: Interval
    """Nats."""
    brier: Interval
    """0 to 2."""
    ece: Interval
    """0 to 1. A resample's error is larger than that of the clips it is drawn from, so this
    interval is the basic one: mirrored around the estimate, and cut off at 0."""


def measure_trust(
    judged: JudgedClips, metrics: Metrics, resamples: Resamples, confidence: float
) -> Trust:
    """Return the intervals around what `metrics` measured on `judged`.

    Source: for the basic interval A. C. Davison and D. V. Hinkley, "Bootstrap Methods and their
    Application", 1997, section 5.2.
    """
    rows = np.arange(len(judged))
    said = judged.probabilities[rows, judged.targets]
    truth = np.eye(len(judged.labels))[judged.targets]
    tiny = np.finfo(judged.probabilities.dtype).eps  # as scikit-learn's log_loss clips
    nll = -np.log(np.clip(said, tiny, 1.0))
    brier = np.sum((judged.probabilities - truth) ** 2, axis=1)
    return Trust(
        nll=percentile_interval(metrics.nll, _means(nll, resamples), confidence, resamples),
        brier=percentile_interval(metrics.brier, _means(brier, resamples), confidence, resamples),
        ece=_ece_interval(judged, metrics.ece, resamples, confidence),
    )


def _means(values: Float[np.ndarray, " n"], resamples: Resamples) -> Float[np.ndarray, " r"]:
    return np.asarray(resamples.counts @ values / resamples.counts.sum(axis=1), dtype=np.float64)


def _ece_interval(
    judged: JudgedClips, estimate: float, resamples: Resamples, confidence: float
) -> Interval:
    sure = judged.probabilities.max(axis=1)
    is_right = (judged.answers == judged.targets).astype(np.float64)
    order = np.argsort(sure, kind="stable")
    gaps = (is_right - sure)[order]
    drawn = np.array([_weighted_ece(gaps, w[order]) for w in resamples.counts[:_MAX_ECE_RESAMPLES]])
    spread = percentile_interval(estimate, drawn, confidence, resamples)
    bounds = (max(0.0, 2 * estimate - spread.high), max(0.0, 2 * estimate - spread.low))
    return Interval(estimate, min(bounds[0], estimate), max(bounds[1], estimate), confidence)


def _weighted_ece(gaps: Float[np.ndarray, " n"], weights: Float[np.ndarray, " n"]) -> float:
    """Return the calibration error of clips in order of confidence that weigh differently."""
    total = float(weights.sum())
    middle = (np.cumsum(weights) - weights / 2) / total
    bins = np.minimum((middle * NUM_BINS).astype(np.int64), NUM_BINS - 1)
    sums = np.bincount(bins, weights=gaps * weights, minlength=NUM_BINS)
    return float(np.abs(sums).sum() / total)
