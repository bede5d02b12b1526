"""A person's own neutral face: what of an answer is the face's shape and not its expression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from emotemporal.labels import Emotion, LabelSpace
from emotemporal.timing import to_ns

MAX_SHIFT = 3.0
"""Of a logit. Odds fall to a twentieth at most: what was no neutral face cannot silence an
emotion."""
_Probabilities = Float[np.ndarray, " k"]


@dataclass(frozen=True, eq=False)
class Baseline:
    """What one person's neutral face has been taken for so far; a value, each step gives a new one.

    `sum_log` is of log-probabilities, over `num_ticks` from `start_s` to `last_s`.
    """

    sum_log: Float[np.ndarray, " k"]
    num_ticks: int
    start_s: float
    last_s: float


class NeutralRule:
    """Learns a face's neutral look in its first seconds; from then on takes it off its logits.

    A face with a low brow reads as anger at rest. Its log-odds of each emotion against neutral are
    averaged while the person looks neutral; what they have above even odds between neutral and all
    emotions together is taken off from then on, so that at rest neutral has half of the
    probability. Nothing is added: an emotion never gets likelier.

    Assumes that the person does look neutral for these seconds, and the camera and the light stay:
    a smile held meanwhile is taken for the face's shape.

    Raises:
        ValueError: The labels have no neutral.

    Source:
        A shift of logits by class, as in Menon et al. 2021, Long-tail learning via logit
        adjustment, section 3.2, fitted to one person instead of a prior; bias correction on a few
        labelled samples, as in Alexandari et al. 2020, Maximum likelihood with bias-corrected
        calibration, section 3.
    """

    def __init__(self, labels: LabelSpace, neutral_s: float) -> None:
        if neutral_s > 0 and Emotion.NEUTRAL not in labels.emotions:
            raise ValueError(
                f"neutral_s is {neutral_s:g}, and the checkpoint knows no neutral among "
                f"{', '.join(labels.names)}; leave it at 0"
            )
        self._neutral_s = neutral_s
        self._neutral = labels.index(Emotion.NEUTRAL) if neutral_s > 0 else 0

    @property
    def is_on(self) -> bool:
        """Whether anything is learned."""
        return self._neutral_s > 0

    def is_learning(self, baseline: Baseline | None) -> bool:
        """Tell whether a face still has to look neutral."""
        if not self.is_on or baseline is None:
            return self.is_on
        return to_ns(baseline.last_s - baseline.start_s) < to_ns(self._neutral_s)

    def learn(
        self, probabilities: _Probabilities, time_s: float, baseline: Baseline | None
    ) -> Baseline:
        """Take one more answer for that of a neutral face."""
        logs = np.log(np.maximum(probabilities, 1e-9))
        if baseline is None:
            return Baseline(logs, 1, time_s, time_s)
        return Baseline(baseline.sum_log + logs, baseline.num_ticks + 1, baseline.start_s, time_s)

    def apply(self, probabilities: _Probabilities, baseline: Baseline) -> _Probabilities:
        """Return an answer without what it says of the face at rest."""
        logits = np.log(np.maximum(probabilities, 1e-12)) - self.shift(baseline)
        powers = np.exp(logits - logits.max())
        return np.asarray(powers / powers.sum())

    def shift(self, baseline: Baseline) -> Float[np.ndarray, " k"]:
        """Return what is taken off each logit: 0 of neutral, never negative."""
        mean = baseline.sum_log / baseline.num_ticks
        even = -np.log(len(mean) - 1)  # of one emotion, where all together are as likely as neutral
        shift = np.clip(mean - mean[self._neutral] - even, 0, MAX_SHIFT)
        shift[self._neutral] = 0
        return np.asarray(shift)
