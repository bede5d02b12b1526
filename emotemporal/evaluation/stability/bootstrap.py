"""Intervals for figures of streams: the stills that streams are made of are resampled.

A stream is made of stills (or takes) that come again elsewhere, so neither ticks nor streams are
independent looks; the stills are. What happens in a piece of a stream weighs what its still weighs
in a resample, and in a piece of two stills, blended, the product of both weights.

Source: Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 2007: with products of
weights intervals are, if anything, too wide.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from einops import rearrange
from jaxtyping import Float

from emotemporal.evaluation.metrics import Interval
from emotemporal.evaluation.stability.pieces import PieceCounts
from emotemporal.evaluation.stability.replay import StreamSet
from emotemporal.evaluation.statistics.bootstrap import (
    BootstrapConfig,
    macro_f1_of,
    percentile_interval,
    uar_of,
)
from emotemporal.evaluation.statistics.significance import population_test


@dataclass(frozen=True)
class Figures:
    """One setting's figures, each with its interval."""

    spurious_per_minute: Interval
    median_lag_s: Interval
    p95_lag_s: Interval
    missed_share: Interval
    share_within: dict[float, Interval]
    """Seconds -> share of changes detected by then."""
    macro_f1: Interval
    uar: Interval


def draw_weights(streams: StreamSet, config: BootstrapConfig) -> Float[np.ndarray, "r p"]:
    """Return how much each piece weighs in each resample of the stills.

    The first row is no resample: every piece weighs 1. All settings share the draw, which pairs
    them.
    """
    pieces = [piece.units for stream in streams.streams for piece in stream.pieces]
    units = sorted({unit for piece in pieces for unit in piece})
    place = {unit: i for i, unit in enumerate(units)}
    generator = np.random.default_rng([config.seed, 2])
    even = np.full(len(units), 1 / len(units))
    drawn = generator.multinomial(len(units), even, size=config.num_resamples).astype(np.float32)
    weights = np.ones((config.num_resamples + 1, len(pieces)), dtype=np.float32)
    for column, piece in enumerate(pieces):
        for unit in piece:
            weights[1:, column] *= drawn[:, place[unit]]
    return weights


def figures(
    counts: PieceCounts, weights: Float[np.ndarray, "r p"], config: BootstrapConfig
) -> Figures:
    """Return one setting's figures with intervals."""
    of_changes = weights[:, counts.change_piece]
    total = of_changes.sum(axis=1)
    detected = of_changes * counts.is_detected

    def share(within_s: float) -> Float[np.ndarray, " r"]:
        return _ratio((detected * (counts.wait_s <= within_s)).sum(axis=1), total)

    confusions = _confusions(counts, weights)
    median_s, p95_s = (lag_quantiles(counts, of_changes, q) for q in (0.5, 0.95))

    def interval(values: Float[np.ndarray, " r"]) -> Interval:
        return _interval(values, config.confidence)

    return Figures(
        spurious_per_minute=interval(per_minute(counts, weights)),
        median_lag_s=interval(median_s),
        p95_lag_s=interval(p95_s),
        missed_share=interval(_missed(counts, weights)),
        share_within={limit_s: interval(share(limit_s)) for limit_s in (0.5, 1.0, 2.0)},
        macro_f1=interval(macro_f1_of(confusions)),
        uar=interval(uar_of(confusions)),
    )


def per_minute(counts: PieceCounts, weights: Float[np.ndarray, "r p"]) -> Float[np.ndarray, " r"]:
    """Return spurious switches a minute in each resample."""
    return 60 * _ratio(weights @ counts.num_spurious, weights @ counts.duration_s)


def spurious_ratio(
    first: PieceCounts,
    second: PieceCounts,
    weights: Float[np.ndarray, "r p"],
    config: BootstrapConfig,
) -> Interval:
    """Return how many times the second's spurious switches the first has; paired."""
    return _interval(
        _ratio(weights @ first.num_spurious, weights @ second.num_spurious), config.confidence
    )


def macro_f1_gain(
    first: PieceCounts,
    second: PieceCounts,
    weights: Float[np.ndarray, "r p"],
    config: BootstrapConfig,
) -> Interval:
    """Return by how much the first's macro-F1 is above the second's; paired."""
    one, other = (macro_f1_of(_confusions(counts, weights)) for counts in (first, second))
    return _interval(one - other, config.confidence)


def more_missed(
    first: PieceCounts,
    second: PieceCounts,
    weights: Float[np.ndarray, "r p"],
    config: BootstrapConfig,
) -> Interval:
    """Return by how much the first's share of missed changes is above the second's; paired."""
    one, other = (_missed(counts, weights) for counts in (first, second))
    return _interval(one - other, config.confidence)


def spurious_p_value(first: PieceCounts, second: PieceCounts, streams: StreamSet) -> float | None:
    """Return the two-sided p-value of equal spurious switches; None with under ten stills.

    A sign-flip test: if the methods are alike, either could have had the other's switches at each
    still. The switches of a piece of two stills are shared between them.
    """
    pieces = [piece.units for stream in streams.streams for piece in stream.pieces]
    differences: dict[str, float] = {}
    for units, more in zip(pieces, first.num_spurious - second.num_spurious, strict=True):
        for unit in units:
            differences[unit] = differences.get(unit, 0.0) + float(more) / len(units)
    return population_test(list(differences.values())).p_value


def lag_quantiles(
    counts: PieceCounts, of_changes: Float[np.ndarray, "r c"], quantile: float
) -> Float[np.ndarray, " r"]:
    """Return each resample's Kaplan-Meier quantile of the lag; infinite if too few are detected.

    With all weights 1 it is `figures.lag_quantiles`.
    """
    if not len(counts.wait_s):
        return np.full(len(of_changes), np.nan)
    times_s, place = np.unique(counts.wait_s, return_inverse=True)
    is_at = np.eye(len(times_s), dtype=np.float32)[place.ravel()]
    leaving = of_changes @ is_at
    detected = (of_changes * counts.is_detected) @ is_at
    at_risk = np.cumsum(leaving[:, ::-1], axis=1)[:, ::-1]
    unseen = np.cumprod(1 - _ratio(detected, at_risk, empty=0.0), axis=1)
    is_reached = unseen <= 1 - quantile + 1e-6
    first = is_reached.argmax(axis=1)
    return np.where(is_reached.any(axis=1), times_s[first], np.inf)


def _missed(counts: PieceCounts, weights: Float[np.ndarray, "r p"]) -> Float[np.ndarray, " r"]:
    of_changes = weights[:, counts.change_piece]
    return _ratio((of_changes * ~counts.is_detected).sum(axis=1), of_changes.sum(axis=1))


def _confusions(
    counts: PieceCounts, weights: Float[np.ndarray, "r p"]
) -> Float[np.ndarray, "r k k"]:
    cells = rearrange(counts.confusion, "p true said -> p (true said)")
    true = counts.confusion.shape[-1]
    return rearrange(weights @ cells, "r (true said) -> r true said", true=true)


def _ratio(
    above: Float[np.ndarray, "*r"], below: Float[np.ndarray, "*r"], empty: float = np.nan
) -> Float[np.ndarray, "*r"]:
    """Divide; something by nothing is infinite, nothing by nothing is `empty`."""
    nothing = np.where(above > 0, np.inf, empty)
    return np.where(below > 0, above / np.where(below > 0, below, 1), nothing)


def _interval(values: Float[np.ndarray, " r"], confidence: float) -> Interval:
    """The first value is the estimate; of the others, those that could be computed count."""
    known = values[1:][~np.isnan(values[1:])]
    estimate = float(values[0])
    if not len(known):
        return Interval(estimate, float("nan"), float("nan"), confidence)
    if np.isinf(known).any():  # between infinities nothing can be interpolated
        low, high = np.quantile(
            known, [(1 - confidence) / 2, (1 + confidence) / 2], method="inverted_cdf"
        )
        return Interval(estimate, float(low), float(high), confidence)
    return percentile_interval(estimate, known, confidence)
