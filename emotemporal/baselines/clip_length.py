"""A judge that sees nothing of a clip but how long it is.

Recordings of one emotion can be longer than those of another, or a sentence can belong to one
emotion. Whatever this judge gets above chance, a clip model could get without looking at a face.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

_MIN_DEVIATION = 0.02  # of log seconds: 2 %, less than cutting a clip by hand is exact to


@dataclass(frozen=True, eq=False)
class ClipLengthJudge:
    """How log durations are spread, for each emotion: a normal distribution each."""

    means: Float[np.ndarray, " k"]
    deviations: Float[np.ndarray, " k"]
    priors: Float[np.ndarray, " k"]
    """How often each emotion occurred in training; 0 if never: it is then never the answer."""

    def __call__(self, durations_s: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n k"]:
        """Return each emotion's probability, from the clips' durations alone.

        Raises:
            ValueError: A duration of 0 s or less.
        """
        distances = (_log_seconds(durations_s)[:, None] - self.means) / self.deviations
        with np.errstate(divide="ignore"):
            scores = np.log(self.priors) - np.log(self.deviations) - distances**2 / 2
        raised = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def fit_clip_length(
    durations_s: Float[np.ndarray, " n"], targets: Int[np.ndarray, " n"], num_classes: int
) -> ClipLengthJudge:
    """Learn from the training clips of a fold.

    Raises:
        ValueError: No clips, or a duration of 0 s or less.
    """
    if len(durations_s) == 0 or len(durations_s) != len(targets):
        raise ValueError(f"{len(durations_s)} durations and {len(targets)} targets; one each")
    log_s = _log_seconds(durations_s)
    means = np.full(num_classes, log_s.mean())
    deviations = np.full(num_classes, max(float(log_s.std()), _MIN_DEVIATION))
    for k in range(num_classes):
        own = log_s[targets == k]
        if len(own):
            means[k] = own.mean()
        if len(own) > 1:
            deviations[k] = max(float(own.std(ddof=1)), _MIN_DEVIATION)
    priors = np.bincount(targets, minlength=num_classes) / len(targets)
    return ClipLengthJudge(means, deviations, priors)


def _log_seconds(durations_s: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    durations_s = np.asarray(durations_s, dtype=np.float64)
    if not np.all(durations_s > 0):
        raise ValueError(
            f"the shortest clip lasts {durations_s.min()} s; a clip is longer than 0 s"
        )
    return np.asarray(np.log(durations_s))
