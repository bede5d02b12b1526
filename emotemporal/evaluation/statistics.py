"""How far a difference between two methods can be trusted, and whom it speaks about.

The clips of a data set come from few people. Up to nine of them, an interval speaks about these
speakers; from ten on, subjects are resampled and it speaks about people like them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from einops import einsum, rearrange
from jaxtyping import Bool, Float, Int

from emotemporal.evaluation.metrics import Interval

MIN_SUBJECTS_FOR_POPULATION = 10
_MAX_EXACT_FLIPS = 16  # 65,536 ways
_CHUNK = 1000  # resamples at once: bounds memory at about 4 MB per 1000 clips


@dataclass(frozen=True)
class BootstrapConfig:
    """How intervals are made. Seeded: the same predictions give the same intervals."""

    num_resamples: int = 10_000
    confidence: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.num_resamples < 100:
            raise ValueError(
                f"num_resamples is {self.num_resamples}; an interval needs at least 100"
            )
        if not 0.5 <= self.confidence < 1:
            raise ValueError(f"confidence is {self.confidence}; it can be 0.5 to below 1, as 0.95")


@dataclass(frozen=True, eq=False)
class Resamples:
    """How often each clip stands in each resample; shared by all methods, which pairs them."""

    counts: Float[np.ndarray, "r n"]
    kind: Literal["clips", "subjects"]
    num_lone_clips: int
    """Clips alone in their speaker and class: they never vary, so intervals are too narrow."""


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


def draw_resamples(
    subjects: Sequence[str], targets: Int[np.ndarray, " n"], config: BootstrapConfig
) -> Resamples:
    """Draw clips with replacement within speaker and class; from ten subjects on, subjects.

    Raises:
        ValueError: No clips, or not one subject a clip.
    """
    if len(subjects) == 0 or len(subjects) != len(targets):
        raise ValueError(f"{len(subjects)} subjects for {len(targets)} clips; each clip has one")
    generator = np.random.default_rng([config.seed, 0])
    _, cell = np.unique(np.stack([_codes(subjects), targets]), axis=1, return_inverse=True)
    cell_sizes = np.bincount(cell.ravel())
    num_lone = int(np.sum(cell_sizes == 1))
    subject_codes = _codes(subjects)
    num_subjects = int(subject_codes.max()) + 1
    if num_subjects >= MIN_SUBJECTS_FOR_POPULATION:
        even = np.full(num_subjects, 1 / num_subjects)
        drawn = generator.multinomial(num_subjects, even, size=config.num_resamples)
        return Resamples(drawn[:, subject_codes].astype(np.float32), "subjects", 0)
    counts = np.empty((config.num_resamples, len(targets)), dtype=np.float32)
    for i, size in enumerate(cell_sizes):
        even = np.full(size, 1 / size)
        counts[:, cell.ravel() == i] = generator.multinomial(size, even, size=config.num_resamples)
    return Resamples(counts, "clips", num_lone)


def resampled_confusions(
    answers: Int[np.ndarray, "seeds n"],
    targets: Int[np.ndarray, " n"],
    num_classes: int,
    resamples: Resamples,
) -> Float[np.ndarray, "seeds r k k"]:
    """Return each seed's confusion matrix (row: truth) in each resample."""
    confusions = []
    for row in answers:
        cells = np.eye(num_classes**2, dtype=np.float32)[targets * num_classes + row]
        flat = np.concatenate(
            [
                resamples.counts[start : start + _CHUNK] @ cells
                for start in range(0, len(resamples.counts), _CHUNK)
            ]
        )
        confusions.append(rearrange(flat, "r (true said) -> r true said", true=num_classes))
    return np.stack(confusions)


def accuracy_of(confusions: Float[np.ndarray, "*any k k"]) -> Float[np.ndarray, "*any"]:
    """Return the share of right answers."""
    return np.trace(confusions, axis1=-2, axis2=-1) / confusions.sum(axis=(-2, -1))


def uar_of(confusions: Float[np.ndarray, "*any k k"]) -> Float[np.ndarray, "*any"]:
    """Return the mean recall over the classes that occur."""
    totals = confusions.sum(axis=-1)
    hits = np.diagonal(confusions, axis1=-2, axis2=-1)
    return _mean_where(hits / np.maximum(totals, 1e-9), totals > 0)


def uar_of_answers(
    answers: Int[np.ndarray, " n"], targets: Int[np.ndarray, " n"], num_classes: int
) -> float:
    """Return one set of answers' UAR; `measure` has it too, at a hundred times the cost."""
    flat = np.bincount(targets * num_classes + answers, minlength=num_classes**2)
    counts = rearrange(flat.astype(np.float64), "(true said) -> true said", true=num_classes)
    return float(uar_of(counts))


def macro_f1_of(confusions: Float[np.ndarray, "*any k k"]) -> Float[np.ndarray, "*any"]:
    """Return the mean F1 over the classes that occur."""
    totals, said = confusions.sum(axis=-1), confusions.sum(axis=-2)
    hits = np.diagonal(confusions, axis1=-2, axis2=-1)
    return _mean_where(2 * hits / np.maximum(totals + said, 1e-9), totals > 0)


def over_seeds(
    values: Float[np.ndarray, "seeds r"], config: BootstrapConfig
) -> Float[np.ndarray, " r"]:
    """Return a statistic's mean over the training seeds drawn, in each resample.

    Methods with as many seeds share the draw: their n-th seeds are taken for a pair.
    """
    generator = np.random.default_rng([config.seed, 1, len(values)])
    even = np.full(len(values), 1 / len(values))
    drawn = generator.multinomial(len(values), even, size=values.shape[1])
    return einsum(drawn / len(values), values, "r seeds, seeds r -> r")


def percentile_interval(
    estimate: float, resampled: Float[np.ndarray, " r"], confidence: float
) -> Interval:
    """Return the middle of the resampled values; no wider or narrower than what was drawn."""
    low, high = np.quantile(resampled, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(estimate, float(low), float(high), confidence)


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


def _codes(values: Sequence[str]) -> Int[np.ndarray, " n"]:
    return np.unique(np.asarray(values, dtype=str), return_inverse=True)[1].ravel()


def _mean_where(
    values: Float[np.ndarray, "*any k"], is_present: Bool[np.ndarray, "*any k"]
) -> Float[np.ndarray, "*any"]:
    return np.where(is_present, values, 0.0).sum(axis=-1) / is_present.sum(axis=-1)
