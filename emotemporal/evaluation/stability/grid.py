"""Which settings of smoothers and label rules a study tries, and which of them it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from emotemporal.evaluation.stability.figures import steadiest_within
from emotemporal.evaluation.stability.replay import Score
from emotemporal.inference.pick import describe
from emotemporal.inference.smoothing import (
    ExponentialSmoother,
    HiddenMarkovFilter,
    Hysteresis,
    MajorityVote,
    OneEuroSmoother,
    SmoothingConfig,
)

Family = Literal["none", "ema", "one_euro", "hidden_markov", "majority"]
FAMILIES: tuple[Family, ...] = get_args(Family)
"""The simple smoothers; each with every label rule. A learned filter is no family of its own: it
is `none` after another network."""


@dataclass(frozen=True)
class GridConfig:
    """The values that are tried; each smoother with each label rule."""

    ema_s: tuple[float, ...] = (0.1, 0.2, 0.3, 0.5, 0.8, 1.2)
    one_euro_hz: tuple[float, ...] = (0.05, 0.1, 0.2, 0.5, 1.0)
    one_euro_beta: tuple[float, ...] = (0.0, 0.1, 0.3, 1.0)
    markov_dwell_s: tuple[float, ...] = (1.0, 3.0, 10.0, 100.0)
    markov_evidence_s: tuple[float, ...] = (0.1, 0.2, 0.4, 0.8, 1.6)
    majority_s: tuple[float, ...] = (0.3, 0.5, 0.7, 0.9, 1.3, 1.9)
    margin: tuple[float, ...] = (0.0, 0.1, 0.2, 0.4)
    dwell_s: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.4)

    def __post_init__(self) -> None:
        empty = [name for name, values in vars(self).items() if not values]
        if empty:
            raise ValueError(f"{', '.join(empty)}: give at least one value to try")
        settings_of(self)  # refuses what a smoother or a label rule refuses


@dataclass(frozen=True)
class ChoiceConfig:
    """What a setting must keep to."""

    max_lag_s: float = 0.5
    """Its median lag."""
    max_missed_above: float = 0.01
    """How much larger its share of missed changes may be than the best simple filter's."""
    best_is: Literal["steadiest", "fewest_missed"] = "steadiest"
    """Which simple filter is the best one: of those within the lag, the one with the fewest
    spurious switches, or the one that misses least, which is stricter: what flickers misses less
    by chance."""

    def __post_init__(self) -> None:
        if not self.max_lag_s > 0 or not self.max_missed_above >= 0:
            raise ValueError(
                f"max_lag_s is {self.max_lag_s} and max_missed_above {self.max_missed_above}; "
                "above 0 s, and 0 or more"
            )


@dataclass(frozen=True)
class Choice:
    """The setting taken for one method, and what it does not keep to."""

    name: str
    keeps_lag: bool
    keeps_missed: bool


def settings_of(
    grid: GridConfig, families: tuple[Family, ...] = FAMILIES
) -> dict[str, SmoothingConfig]:
    """Return every setting under its name; neighbours share their filter."""
    rules = [Hysteresis(margin, dwell_s) for margin in grid.margin for dwell_s in grid.dwell_s]
    return {
        describe(setting): setting
        for family in families
        for filtered in _filters(family, grid)
        for setting in (replace(filtered, hysteresis=rule) for rule in rules)
    }


def _filters(family: Family, grid: GridConfig) -> Sequence[SmoothingConfig]:
    config = SmoothingConfig(name=family)
    return {
        "none": [config],
        "ema": [replace(config, ema=ExponentialSmoother(value)) for value in grid.ema_s],
        "one_euro": [
            replace(config, one_euro=OneEuroSmoother(cutoff_hz, beta))
            for cutoff_hz in grid.one_euro_hz
            for beta in grid.one_euro_beta
        ],
        "hidden_markov": [
            replace(config, hidden_markov=HiddenMarkovFilter(dwell_s, evidence_s))
            for dwell_s in grid.markov_dwell_s
            for evidence_s in grid.markov_evidence_s
        ],
        "majority": [replace(config, majority=MajorityVote(value)) for value in grid.majority_s],
    }[family]


def missed_limit(simple: Mapping[str, Score], config: ChoiceConfig) -> float:
    """Return the largest share of missed changes that a setting may have.

    Args:
        simple: All simple settings' scores on the streams to tune on.
        config: What "best" means.

    Raises:
        ValueError: No simple setting keeps to the lag.
    """
    within = _within(simple, config.max_lag_s)
    steadiest = steadiest_within({n: s.stability for n, s in within.items()}, config.max_lag_s)
    if steadiest is None:
        fastest = min(simple.values(), key=lambda score: score.stability.median_lag_s)
        raise ValueError(
            f"no setting has a median lag of at most {config.max_lag_s:g} s; the fastest has "
            f"{fastest.stability.median_lag_s:.2f} s, and misses {fastest.missed_share:.0%} of "
            "changes, each of which counts as a lag beyond its segment. Raise --choice.max_lag_s, "
            "try another --judge.prior, or judge with a better network"
        )
    if config.best_is == "steadiest":
        return within[steadiest].missed_share + config.max_missed_above
    return min(score.missed_share for score in within.values()) + config.max_missed_above


def choose(scores: Mapping[str, Score], most_missed: float, config: ChoiceConfig) -> Choice:
    """Choose one method's setting: the fewest spurious switches among those that keep to limits.

    Where none keeps to the missed changes, the one within the lag that misses least; where none
    keeps to the lag, the promptest.
    """
    within = _within(scores, config.max_lag_s)
    if not within:
        order = {n: (s.stability.median_lag_s, s.missed_share) for n, s in scores.items()}
        name = min(scores, key=lambda n: order[n])
        return Choice(name, False, scores[name].missed_share <= most_missed)
    kept = {n: s.stability for n, s in within.items() if s.missed_share <= most_missed + 1e-12}
    best = steadiest_within(kept, config.max_lag_s)
    if best is not None:
        return Choice(best, True, True)
    return Choice(min(within, key=lambda n: within[n].missed_share), True, False)


def _within(scores: Mapping[str, Score], max_lag_s: float) -> dict[str, Score]:
    return {n: s for n, s in scores.items() if s.stability.median_lag_s <= max_lag_s}
