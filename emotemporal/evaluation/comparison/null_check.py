"""Whether the tests of a comparison cry wolf: how often they do where there is nothing to find.

Swapping two methods' predictions of a clip at random makes methods that are alike by construction;
a test at 5 % should then call about 5 % of them different, within what chance allows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int
from tqdm import tqdm

from emotemporal.evaluation.comparison.runs import gather_runs
from emotemporal.evaluation.metrics import JudgedClips
from emotemporal.evaluation.predictions import read_predictions
from emotemporal.evaluation.statistics.bootstrap import (
    BootstrapConfig,
    Resamples,
    draw_resamples,
    percentile_interval,
    resampled_confusions,
    uar_of,
    uar_of_answers,
)
from emotemporal.evaluation.statistics.significance import mcnemar, population_test

INTERVAL, SIGN_FLIP, MCNEMAR = (
    "interval of the UAR difference",
    "sign-flip over subjects",
    "McNemar",
)


@dataclass(frozen=True)
class NullCheckConfig:
    """Swap two methods' predictions at random, and count how often a test finds a difference."""

    first: str
    """A CSV of `compare`'s predictions/."""
    second: str
    """Another, of the same clips."""
    num_swaps: int = 2000
    swap: Literal["clips", "subjects"] = "clips"
    """Swap clip by clip, or all of a subject's at once: a subject's clips then stay alike."""
    bootstrap: BootstrapConfig = field(default_factory=lambda: BootstrapConfig(num_resamples=2000))
    seed: int = 0

    def __post_init__(self) -> None:
        if self.num_swaps < 100:
            raise ValueError(f"num_swaps is {self.num_swaps}; a rate needs at least 100")


@dataclass(frozen=True)
class NullRate:
    """How often a test found a difference where there was none."""

    test: str
    rate: float
    low: float
    high: float
    """Between `low` and `high` lies a sound test's rate with 95 %."""

    @property
    def is_sound(self) -> bool:
        """Whether the rate is one that a test at its stated level would have."""
        return self.low <= self.rate <= self.high


@dataclass(frozen=True)
class NullCheck:
    """Every test's rate. McNemar's and few subjects' are discrete: below the level by nature."""

    rates: tuple[NullRate, ...]
    num_swaps: int

    def __str__(self) -> str:
        lines = [f"{self.num_swaps} random swaps of paired predictions: share called different"]
        for rate in self.rates:
            verdict = (
                "sound" if rate.is_sound else "cautious" if rate.rate < rate.low else "LIBERAL"
            )
            lines.append(
                f"  {rate.test}: {100 * rate.rate:.2f} % (a sound test: {100 * rate.low:.2f} to "
                f"{100 * rate.high:.2f} %): {verdict}"
            )
        return "\n".join(lines)


def check_null(config: NullCheckConfig) -> NullCheck:
    """Read two tables of predictions, and measure the tests on them.

    Raises:
        ValueError: They are not of the same clips.
    """
    tables = {name: [read_predictions(Path(name))] for name in (config.first, config.second)}
    runs = [run.averaged for run in gather_runs(tables, None).values()]
    return null_rates(runs[0], runs[-1], config)


def null_rates(first: JudgedClips, second: JudgedClips, config: NullCheckConfig) -> NullCheck:
    """Measure the tests that a comparison would make of two methods on the same clips."""
    from scipy.stats import binom

    resamples = draw_resamples(first.subjects, first.targets, config.bootstrap)
    subjects = np.unique(np.array(first.subjects), return_inverse=True)[1]
    generator = np.random.default_rng(config.seed)
    units = np.arange(len(first)) if config.swap == "clips" else subjects
    found: dict[str, list[bool]] = {}
    for _ in tqdm(range(config.num_swaps), desc="swaps", leave=False, disable=None):
        is_swapped = (generator.random(int(units.max()) + 1) < 0.5)[units]
        answers = np.stack(
            [
                np.where(is_swapped, second.answers, first.answers),
                np.where(is_swapped, first.answers, second.answers),
            ]
        )
        for test, is_found in _tests(answers, first, subjects, resamples, config).items():
            found.setdefault(test, []).append(is_found)
    level = 1 - config.bootstrap.confidence
    low, high = binom.ppf([0.025, 0.975], config.num_swaps, level) / config.num_swaps
    rates = [
        NullRate(test, float(np.mean(f)), float(low), float(high)) for test, f in found.items()
    ]
    return NullCheck(tuple(rates), config.num_swaps)


def _tests(
    answers: Int[np.ndarray, "2 n"],
    judged: JudgedClips,
    subjects: Int[np.ndarray, " n"],
    resamples: Resamples,
    config: NullCheckConfig,
) -> dict[str, bool]:
    targets, num_classes = judged.targets, len(judged.labels)
    level = 1 - config.bootstrap.confidence
    drawn = uar_of(resampled_confusions(answers, targets, num_classes, resamples))
    gap = _gap(answers, targets, num_classes, np.ones(len(targets), dtype=bool))
    interval = percentile_interval(gap, drawn[0] - drawn[1], config.bootstrap.confidence, resamples)
    is_right: Bool[np.ndarray, "2 n"] = answers == targets
    told = {
        INTERVAL: 0.0 not in interval,
        MCNEMAR: mcnemar(is_right[0], is_right[1]).p_value <= level,
    }
    if resamples.kind == "subjects":
        gaps = [
            _gap(answers, targets, num_classes, subjects == s) for s in range(subjects.max() + 1)
        ]
        p = population_test(gaps).p_value
        told[SIGN_FLIP] = p is not None and p <= level
    return told


def _gap(
    answers: Int[np.ndarray, "2 n"],
    targets: Int[np.ndarray, " n"],
    num_classes: int,
    chosen: Bool[np.ndarray, " n"],
) -> float:
    first, second = (uar_of_answers(a[chosen], targets[chosen], num_classes) for a in answers)
    return first - second
