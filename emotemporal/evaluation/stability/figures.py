"""How steady and how prompt a method's labels are: flicker and lag, pooled over its streams.

What counts as a change, a lag and a spurious switch is defined in `changes`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from emotemporal.evaluation.stability.changes import ChangeOutcome, StreamStability, measure_stream

__all__ = [
    "ChangeOutcome",
    "Stability",
    "StreamStability",
    "lag_quantiles",
    "measure_stream",
    "pareto_set",
    "steadiest_within",
    "summarise",
]

SHARES_WITHIN_S = (0.5, 1.0, 2.0)


@dataclass(frozen=True)
class Stability:
    """What a method did over all its streams.

    Lags are Kaplan-Meier quantiles, censored where a segment ended undetected; infinite where too
    few changes were ever detected, NaN where there was none to detect.
    """

    num_changes: int
    num_detected: int
    num_pre_set: int
    num_missed: int
    spurious_per_minute: float
    median_lag_s: float
    p95_lag_s: float
    share_within: Mapping[float, float]
    """Seconds -> share detected by then, of the changes that were not pre-set."""
    uncertain_toggles_per_minute: float
    uncertain_share: float
    duration_s: float


def summarise(streams: Sequence[StreamStability]) -> Stability:
    """Pool the streams of one method.

    Raises:
        ValueError: No streams.
    """
    if not streams:
        raise ValueError("there are no streams to summarise")
    changes = [change for stream in streams for change in stream.changes]
    to_detect = [change for change in changes if change.outcome != "pre_set"]
    duration_s = sum(stream.duration_s for stream in streams)
    median_s, p95_s = lag_quantiles(to_detect, (0.5, 0.95))
    lags = [change.lag_s for change in to_detect if change.lag_s is not None]
    return Stability(
        num_changes=len(changes),
        num_detected=len(lags),
        num_pre_set=len(changes) - len(to_detect),
        num_missed=len(to_detect) - len(lags),
        spurious_per_minute=60 * sum(stream.num_spurious for stream in streams) / duration_s,
        median_lag_s=median_s,
        p95_lag_s=p95_s,
        share_within={
            limit_s: sum(lag <= limit_s for lag in lags) / len(to_detect) if to_detect else math.nan
            for limit_s in SHARES_WITHIN_S
        },
        uncertain_toggles_per_minute=60 * sum(s.uncertain_toggles for s in streams) / duration_s,
        uncertain_share=sum(stream.uncertain_s for stream in streams) / duration_s,
        duration_s=duration_s,
    )


def lag_quantiles(
    changes: Sequence[ChangeOutcome], quantiles: Sequence[float]
) -> tuple[float, ...]:
    """Return Kaplan-Meier quantiles of the lag: a miss says only that it exceeds its segment.

    Source: Kaplan and Meier, "Nonparametric estimation from incomplete observations", JASA 1958.
    """
    from scipy.stats import CensoredData, ecdf

    if not changes:
        return (math.nan,) * len(quantiles)
    lags = [math.nan if c.lag_s is None else c.lag_s for c in changes]
    is_missed = np.isnan(lags)
    if is_missed.all():
        return (math.inf,) * len(quantiles)
    waits = np.where(is_missed, [c.until_s - c.time_s for c in changes], lags)
    unseen = ecdf(CensoredData.right_censored(waits, is_missed)).sf
    found = []
    for quantile in quantiles:
        reached = np.flatnonzero(unseen.probabilities <= 1 - quantile + 1e-9)
        found.append(float(unseen.quantiles[reached[0]]) if len(reached) else math.inf)
    return tuple(found)


def steadiest_within(settings: Mapping[str, Stability], max_lag_s: float) -> str | None:
    """Return the setting with the fewest spurious switches whose median lag keeps to `max_lag_s`.

    None if none does. A constant answer never does: it detects nothing.
    """
    prompt = [name for name, found in settings.items() if found.median_lag_s <= max_lag_s]
    if not prompt:
        return None
    return min(prompt, key=lambda n: (settings[n].spurious_per_minute, settings[n].median_lag_s))


def pareto_set(settings: Mapping[str, Stability]) -> list[str]:
    """Return the settings that no other beats in both flicker and median lag, promptest first."""
    found: list[str] = []
    fewest = math.inf
    key = {n: (s.median_lag_s, s.spurious_per_minute) for n, s in settings.items()}
    for name in sorted((n for n in settings if math.isfinite(key[n][0])), key=lambda n: key[n]):
        if key[name][1] < fewest:
            found.append(name)
            fewest = key[name][1]
    return found
