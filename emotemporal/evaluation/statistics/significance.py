"""Tests of a difference between two methods: over people, and over clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from emotemporal.evaluation.statistics.bootstrap import MIN_SUBJECTS_FOR_POPULATION

_MAX_EXACT_FLIPS = 16  # 65,536 ways


@dataclass(frozen=True)
class PopulationTest:
    """A sign-flip test over subjects, or why there is none."""

    p_value: float | None
    num_subjects: int
    explanation: str


@dataclass(frozen=True)
class McNemarTest:
    """Clips that only one of two methods got right, and the exact two-sided p-value."""

    num_only_first: int
    num_only_second: int
    p_value: float


def population_test(differences: Sequence[float]) -> PopulationTest:
    """Test whether people in general differ, from one mean difference a subject (sign-flip).

    Below ten subjects there is no p-value, whatever the differences: the explanation says why.
    """
    count = len(differences)
    smallest = min(1.0, 2.0 ** (1 - count))
    if count < MIN_SUBJECTS_FOR_POPULATION:
        return PopulationTest(
            None,
            count,
            f"No p-value for the population: with {count} "
            f"{'subject' if count == 1 else 'subjects'} the smallest two-sided sign-flip p is "
            f"{smallest:.3g}, however large the difference. From "
            f"{MIN_SUBJECTS_FOR_POPULATION} subjects on one is given.",
        )
    return PopulationTest(
        _sign_flip_p(np.asarray(differences, dtype=np.float64)),
        count,
        f"Sign-flip over {count} subjects, two-sided.",
    )


def _sign_flip_p(differences: Float[np.ndarray, " n"]) -> float:
    """Flip the signs in every way up to 16 subjects, in 50,000 seeded ways beyond."""
    count = len(differences)
    if count <= _MAX_EXACT_FLIPS:
        signs = 1 - 2 * (np.arange(2**count)[:, None] >> np.arange(count) & 1)
    else:
        drawn = np.random.default_rng(0).choice([-1, 1], size=(50_000, count))
        signs = np.concatenate([np.ones((1, count), dtype=drawn.dtype), drawn])
    sums = np.abs(signs @ differences)
    # The flip that changes nothing is among them; sums equal to it must not be lost by an ulp.
    return float(np.mean(sums >= abs(differences.sum()) - 1e-12 * len(differences)))


def mcnemar(
    first_right: Bool[np.ndarray, " n"], second_right: Bool[np.ndarray, " n"]
) -> McNemarTest:
    """Compare two methods on the same clips by those that only one of them got right.

    Secondary: it takes clips for independent, which those of one speaker are not.
    """
    from statsmodels.stats.contingency_tables import mcnemar as exact_mcnemar

    only_first = int(np.sum(first_right & ~second_right))
    only_second = int(np.sum(~first_right & second_right))
    if only_first + only_second == 0:
        return McNemarTest(0, 0, 1.0)
    both, neither = (
        int(np.sum(first_right & second_right)),
        int(np.sum(~first_right & ~second_right)),
    )
    table = [[both, only_first], [only_second, neither]]
    return McNemarTest(only_first, only_second, float(exact_mcnemar(table, exact=True).pvalue))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number (Holm 1979), in the order given."""
    from statsmodels.stats.multitest import multipletests

    if not p_values:
        return []
    return [float(p) for p in multipletests(p_values, method="holm")[1]]
