"""What answers are taken with a grain of salt: the unsure, the weak, those not shown at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from emotemporal.labels import Emotion, LabelSpace, parse_emotions
from emotemporal.models.meta import CheckpointMeta

UNCALIBRATED_BELOW = 0.35
"""Of a checkpoint that `calibrate` has not seen; a guess, far above chance among eight."""
WEAK_MARK = "*"


@dataclass(frozen=True)
class Caution:
    """Which answers are doubtful, and why."""

    uncertain_below: float = UNCALIBRATED_BELOW
    """A `confidence` below this is no answer."""
    weights: tuple[float, ...] | None = None
    """What takes probabilities to the prior that the threshold holds under, an emotion each; None
    where they are under it already."""
    weak: frozenset[Emotion] = frozenset()
    """What the network was not shown to recognise in half of the cases; named with a mark."""
    hidden: frozenset[Emotion] = frozenset()
    """What is not shown by name. It keeps its probability, in tables too."""
    reason: str = field(default="not calibrated", compare=False)
    """Where `uncertain_below` comes from, in words."""

    def confidence(
        self, probabilities: Float[np.ndarray, "*b k"], labels: LabelSpace
    ) -> Float[np.ndarray, "*b"]:
        """Return the top probability, under the threshold's prior.

        Of those that may be shown: where a hidden emotion is likely, little is left for the others,
        and the answer is uncertain, not the runner-up's.
        """
        if self.weights is not None:
            weighed = probabilities * np.asarray(self.weights)
            probabilities = weighed / weighed.sum(axis=-1, keepdims=True)
        return np.asarray(without_hidden(probabilities, labels, self.hidden).max(axis=-1))

    def name(self, emotion: Emotion) -> str:
        """Return an emotion's name as it is shown, with a mark if it is weak."""
        return emotion.value + WEAK_MARK * (emotion in self.weak)

    def shown(self, labels: LabelSpace) -> tuple[Emotion, ...]:
        """Return the emotions that may be shown, in the labels' order."""
        return tuple(emotion for emotion in labels.emotions if emotion not in self.hidden)

    def __str__(self) -> str:
        told = [f"uncertain below {self.uncertain_below:.3f} ({self.reason})"]
        if self.weak - self.hidden:
            names = ", ".join(sorted(self.weak - self.hidden))
            told.append(f"{WEAK_MARK} weak, seldom recognised: {names}")
        if self.hidden:
            told.append(f"in tables only: {', '.join(sorted(self.hidden))}")
        return "; ".join(told)


def find_caution(
    meta: CheckpointMeta,
    prior: Sequence[float],
    min_probability: float | None = None,
    hidden: str | None = None,
) -> Caution:
    """Return what a checkpoint's answers are taken with, and what options change in that.

    Args:
        meta: The checkpoint's description.
        prior: Under which it answers. Where its threshold was fitted under another, confidence is
            judged under that one, so that as many answers are uncertain whatever the prior.
        min_probability: Used in place of the checkpoint's threshold.
        hidden: Names with commas, in place of the checkpoint's; empty hides none.

    Raises:
        ValueError: A name is no emotion's, or nothing is left to show.
    """
    names = meta.hidden if hidden is None else parse_emotions(hidden)
    if set(names) >= set(meta.labels.emotions):
        raise ValueError(
            f"hidden is {hidden!r}, which leaves none of {', '.join(meta.labels.names)}"
        )
    weak, hidden_set = frozenset(meta.weak), frozenset(names)
    if min_probability is not None:
        return Caution(min_probability, None, weak, hidden_set, "as asked for")
    if meta.uncertain_below is None or meta.uncertain_prior is None:
        return Caution(UNCALIBRATED_BELOW, None, weak, hidden_set, "not calibrated")
    weights = _weights(prior, meta.uncertain_prior)
    return Caution(meta.uncertain_below, weights, weak, hidden_set, "as calibrated")


def without_hidden(
    probabilities: Float[np.ndarray, "*b k"], labels: LabelSpace, hidden: frozenset[Emotion]
) -> Float[np.ndarray, "*b k"]:
    """Return probabilities with 0 for what is not shown; the others stay as they are."""
    is_shown = np.array([emotion not in hidden for emotion in labels.emotions])
    return np.asarray(probabilities * is_shown)


def _weights(prior: Sequence[float], wanted: Sequence[float]) -> tuple[float, ...] | None:
    if np.allclose(prior, wanted, atol=1e-6):
        return None
    # Without an emotion in one prior there is none in the other: training never showed it.
    return tuple(to / of if of > 0 else 1.0 for of, to in zip(prior, wanted, strict=True))
