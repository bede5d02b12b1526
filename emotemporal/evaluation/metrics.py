"""How good a set of clip judgements is: one number a question, with what it was measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from emotemporal.evaluation.confidence import calibration_error
from emotemporal.labels import Emotion, LabelSpace
from emotemporal.types import ClipPrediction


@dataclass(frozen=True, eq=False)
class JudgedClips:
    """Predictions of one method as arrays, in one label space. Targets are indices in `labels`."""

    probabilities: Float[np.ndarray, "n k"]
    targets: Int[np.ndarray, " n"]
    subjects: tuple[str, ...]
    sources: tuple[str, ...]
    labels: LabelSpace
    num_dropped: int = 0
    """Clips whose true emotion is outside `labels`; they are in no other figure."""

    @property
    def answers(self) -> Int[np.ndarray, " n"]:
        """The most probable emotion of each clip."""
        return self.probabilities.argmax(axis=1)

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class Interval:
    """An estimate and the range that it may lie in, at the stated confidence."""

    estimate: float
    low: float
    high: float
    confidence: float = 0.95

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True)
class ClassRecall:
    """How many of one emotion's clips were recognised; a Wilson interval."""

    emotion: Emotion
    num_clips: int
    recall: Interval


@dataclass(frozen=True, eq=False)
class Metrics:
    """Everything measured on one set of judgements. Shares are 0 to 1."""

    num_clips: int
    num_dropped: int
    accuracy: float
    """Weighted average recall (WAR)."""
    uar: float
    """Unweighted average recall, over the emotions that occur."""
    macro_f1: float
    """Over the emotions that occur."""
    nll: float
    """Mean negative log-likelihood of the truth, in nats."""
    brier: float
    """Mean squared distance from the truth, summed over emotions: 0 to 2."""
    ece: float
    recalls: tuple[ClassRecall, ...]
    confusion: Int[np.ndarray, "k k"]
    """Row: the truth; column: the answer; in clips."""


def restrict(
    probabilities: Float[np.ndarray, "n k"], labels: LabelSpace, narrower: LabelSpace
) -> Float[np.ndarray, "n m"]:
    """Judge in a smaller label space: the other emotions are masked, the rest renormalised.

    Raises:
        ValueError: An emotion of `narrower` is unknown to the model, or nothing is left of a row.
    """
    kept = np.asarray(probabilities, dtype=np.float64)[:, narrower.indices_in(labels)]
    sums = kept.sum(axis=1, keepdims=True)
    if np.any(sums <= 0):
        raise ValueError(
            f"row {int(np.argmin(sums))} has no probability left on {', '.join(narrower.names)}; "
            "restrict each frame before the frames vote"
        )
    return kept / sums


def stack_predictions(
    predictions: Sequence[ClipPrediction], labels: LabelSpace | None = None
) -> JudgedClips:
    """Gather predictions into arrays, in their own label space or in the smaller one of `labels`.

    Raises:
        ValueError: No predictions (left), two label spaces, a truth that the model cannot say, or
            rows that are not probabilities.
    """
    if not predictions:
        raise ValueError("there are no predictions to judge")
    own = predictions[0].labels
    for prediction in predictions:
        if prediction.labels != own:
            raise ValueError(
                f"{prediction.source}: predicted among {', '.join(prediction.labels.names)}, the "
                f"first clip among {', '.join(own.names)}; one table has one label space"
            )
        if labels is None and prediction.target not in own:
            raise ValueError(
                f"{prediction.source} shows {prediction.target}, which the model cannot say; give "
                "`labels` to drop and count such clips"
            )
    labels = labels or own
    kept = [prediction for prediction in predictions if prediction.target in labels]
    if not kept:
        raise ValueError(f"no clip shows any of {', '.join(labels.names)}")
    probabilities = np.stack([np.asarray(p.probabilities, dtype=np.float64) for p in kept])
    _refuse_what_is_no_distribution(probabilities, kept)
    return JudgedClips(
        probabilities=restrict(probabilities, own, labels),
        targets=np.array([labels.index(p.target) for p in kept]),
        subjects=tuple(p.subject for p in kept),
        sources=tuple(p.source for p in kept),
        labels=labels,
        num_dropped=len(predictions) - len(kept),
    )


def _refuse_what_is_no_distribution(
    probabilities: Float[np.ndarray, "n k"], predictions: Sequence[ClipPrediction]
) -> None:
    is_sound = np.all(probabilities >= 0, axis=1) & (
        np.abs(probabilities.sum(axis=1) - 1) < 1e-3  # also false for a NaN
    )
    if not is_sound.all():
        first = int(np.argmin(is_sound))
        raise ValueError(
            f"{predictions[first].source}: {probabilities[first]} are no probabilities "
            "(at least 0, sum 1); apply softmax to logits first"
        )


def select_clips(judged: JudgedClips, chosen: Bool[np.ndarray, " n"]) -> JudgedClips:
    """Return the clips for which `chosen` is true. What was dropped before is not theirs."""
    return JudgedClips(
        probabilities=judged.probabilities[chosen],
        targets=judged.targets[chosen],
        subjects=tuple(s for s, keep in zip(judged.subjects, chosen, strict=True) if keep),
        sources=tuple(s for s, keep in zip(judged.sources, chosen, strict=True) if keep),
        labels=judged.labels,
    )


def wilson_interval(num_right: int, num_clips: int, confidence: float = 0.95) -> Interval:
    """Return a share with its Wilson score interval; without clips all of it is NaN.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    JASA 22, 1927.
    """
    return _binomial_interval(num_right, num_clips, confidence, "wilson")


def exact_interval(num_right: int, num_clips: int, confidence: float = 0.95) -> Interval:
    """Return a share with its exact (Clopper-Pearson) interval; without clips all of it is NaN."""
    return _binomial_interval(num_right, num_clips, confidence, "beta")


def _binomial_interval(num_right: int, num_clips: int, confidence: float, method: str) -> Interval:
    from statsmodels.stats.proportion import proportion_confint

    if num_clips == 0:
        return Interval(float("nan"), float("nan"), float("nan"), confidence)
    low, high = proportion_confint(num_right, num_clips, alpha=1 - confidence, method=method)
    share = num_right / num_clips
    # At 0 and at n, rounding leaves the bound an ulp on the wrong side of the share itself.
    return Interval(share, min(float(low), share), max(float(high), share), confidence)


def expected_calibration_error(
    probabilities: Float[np.ndarray, "n k"], targets: Int[np.ndarray, " n"], num_bins: int = 15
) -> float:
    """Return the mean gap between confidence and accuracy, over bins of equal mass."""
    is_right = probabilities.argmax(axis=1) == targets
    return calibration_error(probabilities.max(axis=1), is_right.astype(np.float64), num_bins)


def measure(judged: JudgedClips) -> Metrics:
    """Measure one method's judgements."""
    from sklearn.metrics import confusion_matrix, f1_score, log_loss, recall_score

    targets, answers = judged.targets, judged.answers
    indices = list(range(len(judged.labels)))
    present = sorted(set(targets.tolist()))
    confusion = confusion_matrix(targets, answers, labels=indices)
    truth = np.eye(len(indices))[targets]
    recalls = tuple(
        ClassRecall(
            emotion,
            int(confusion[i].sum()),
            wilson_interval(int(confusion[i, i]), int(confusion[i].sum())),
        )
        for i, emotion in enumerate(judged.labels.emotions)
    )
    macro = {"labels": present, "average": "macro", "zero_division": 0}
    return Metrics(
        num_clips=len(judged),
        num_dropped=judged.num_dropped,
        accuracy=float(np.mean(answers == targets)),
        uar=float(recall_score(targets, answers, **macro)),
        macro_f1=float(f1_score(targets, answers, **macro)),
        nll=float(log_loss(targets, judged.probabilities, labels=indices)),
        brier=float(np.mean(np.sum((judged.probabilities - truth) ** 2, axis=1))),
        ece=expected_calibration_error(judged.probabilities, targets),
        recalls=recalls,
        confusion=confusion,
    )
