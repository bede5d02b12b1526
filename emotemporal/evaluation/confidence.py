"""How far confidence can be trusted, and what is gained by answering only where it is high.

The truth is a distribution over emotions, one a row: annotators' votes as shares, or one emotion.
An answer's error is the share of the truth that lies elsewhere, so that with votes it is the chance
of contradicting an annotator drawn from those who voted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

NUM_BINS = 15
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0


@dataclass(frozen=True)
class CalibrationFigures:
    """Everything measured of one set of probabilities against one truth. Shares are 0 to 1."""

    num_images: int
    nll: float
    """Mean cross-entropy, in nats; against votes it cannot fall below their own entropy."""
    brier: float
    """Mean squared distance of the two distributions, summed over emotions: 0 to 2."""
    ece: float
    error: float
    """Of all answers."""
    error_covered: float
    """Of the most confident answers, the share of them that was asked for."""
    aurc: float
    """Area under the risk-coverage curve: the mean error over all coverages."""


@dataclass(frozen=True, eq=False)
class RiskCurve:
    """Error of the most confident answers: entry `i` is of the `i + 1` surest of them."""

    coverage: Float[np.ndarray, " n"]
    error: Float[np.ndarray, " n"]

    @property
    def area(self) -> float:
        """The mean error over all coverages (AURC)."""
        return float(self.error.mean())

    def error_at(self, coverage: float) -> float:
        """Return the error where at least `coverage` of the answers are given."""
        return float(self.error[_num_covered(len(self.error), coverage) - 1])


@dataclass(frozen=True, eq=False)
class ReliabilityBin:
    """Answers of like confidence, and how often they were right."""

    num_images: int
    confidence: float
    accuracy: float


def fit_temperature(
    logits: Float[np.ndarray, "n k"],
    truth: Float[np.ndarray, "n k"],
    shift: Float[np.ndarray, " k"] | float = 0.0,
) -> float:
    """Return what to divide logits by so that their softmax is least surprised by the truth.

    Args:
        logits: As the network gives them.
        truth: Shares; each row sums to 1.
        shift: Added once the logits are divided: from the prior of training to that of the rows.
            Under another prior, a temperature would make up for that too, and be wrong elsewhere.

    Returns:
        Within `MIN_TEMPERATURE` and `MAX_TEMPERATURE`, which is the answer where all rows are
        right or their confidence says nothing.

    Source:
        Guo et al., "On calibration of modern neural networks", ICML 2017, section 4.2.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    def surprise(log_temperature: float) -> float:
        divided = logits.astype(np.float64) / np.exp(log_temperature)
        log_shares = log_softmax(divided + shift, axis=1)
        return float(-(truth * log_shares).sum(axis=1).mean())

    bounds = (math.log(MIN_TEMPERATURE), math.log(MAX_TEMPERATURE))
    best = minimize_scalar(surprise, bounds=bounds, method="bounded", options={"xatol": 1e-7})
    return float(np.exp(best.x))


def equal_mass_bins(
    confidence: Float[np.ndarray, " n"], num_bins: int = NUM_BINS
) -> Int[np.ndarray, " n"]:
    """Return each row's bin, such that bins hold alike many rows; the last is the surest.

    Rows of equal confidence share a bin, so that the result does not depend on their order.

    Source:
        Nixon et al., "Measuring calibration in deep learning", CVPR workshops 2019, section 4.3.
    """
    from scipy.stats import rankdata

    ranks = rankdata(confidence, method="average") - 0.5
    return np.minimum((ranks / len(confidence) * num_bins).astype(int), num_bins - 1)


def calibration_error(
    confidence: Float[np.ndarray, " n"], right: Float[np.ndarray, " n"], num_bins: int = NUM_BINS
) -> float:
    """Return the mean gap between confidence and accuracy, over bins of equal mass (ECE).

    Args:
        confidence: Top probabilities.
        right: How right each answer is: 0 or 1, or a share of votes.
        num_bins: Fewer than rows.

    Source:
        Naeini et al., AAAI 2015; Guo et al. 2017, section 2; equal mass as in Nixon et al. 2019.
    """
    bins = equal_mass_bins(confidence, num_bins)
    gaps = np.bincount(bins, weights=right - confidence, minlength=num_bins)
    return float(np.abs(gaps).sum() / len(confidence))


def reliability(
    confidence: Float[np.ndarray, " n"], right: Float[np.ndarray, " n"], num_bins: int = NUM_BINS
) -> list[ReliabilityBin]:
    """Return the bins that the calibration error is made of; empty ones are left out."""
    bins = equal_mass_bins(confidence, num_bins)
    return [
        ReliabilityBin(
            int(np.sum(bins == i)),
            float(confidence[bins == i].mean()),
            float(right[bins == i].mean()),
        )
        for i in sorted(set(bins.tolist()))
    ]


def risk_curve(confidence: Float[np.ndarray, " n"], right: Float[np.ndarray, " n"]) -> RiskCurve:
    """Return the error of the surest answers, for each number of them.

    Where confidence is equal, each has the mean error of those, as if drawn in random order.

    Source:
        El-Yaniv and Wiener, "On the foundations of noise-free selective classification", JMLR 11,
        2010; its area as in Geifman et al., ICLR 2019.
    """
    levels, level, counts = np.unique(confidence, return_inverse=True, return_counts=True)
    mean_error = np.bincount(level, weights=1.0 - right, minlength=len(levels)) / counts
    order = np.argsort(-confidence, kind="stable")
    num_given = np.arange(1, len(confidence) + 1)
    return RiskCurve(num_given / len(confidence), mean_error[level][order].cumsum() / num_given)


def coverage_threshold(confidence: Float[np.ndarray, " n"], coverage: float) -> float:
    """Return the highest confidence that at least `coverage` of the rows reach.

    Raises:
        ValueError: `coverage` is no share above 0.
    """
    if not 0 < coverage <= 1:
        raise ValueError(f"coverage is {coverage}; a share of the images is above 0, up to 1")
    return float(np.sort(confidence)[::-1][_num_covered(len(confidence), coverage) - 1])


def measure_calibration(
    probabilities: Float[np.ndarray, "n k"], truth: Float[np.ndarray, "n k"], coverage: float
) -> CalibrationFigures:
    """Measure probabilities against a truth of shares; rows of both sum to 1."""
    confidence, right = confidence_and_right(probabilities, truth)
    curve = risk_curve(confidence, right)
    log_shares = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
    return CalibrationFigures(
        num_images=len(probabilities),
        nll=float(-(truth * log_shares).sum(axis=1).mean()),
        brier=float(((probabilities - truth) ** 2).sum(axis=1).mean()),
        ece=calibration_error(confidence, right),
        error=float(1 - right.mean()),
        error_covered=curve.error_at(coverage),
        aurc=curve.area,
    )


def confidence_and_right(
    probabilities: Float[np.ndarray, "n k"], truth: Float[np.ndarray, "n k"]
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Return each answer's probability, and the share of the truth that agrees with it."""
    answers = probabilities.argmax(axis=1)
    return probabilities.max(axis=1), truth[np.arange(len(truth)), answers]


def _num_covered(num_images: int, coverage: float) -> int:
    return max(1, math.ceil(coverage * num_images - 1e-9))  # 0.8 of 5 is 4, whatever floats say
