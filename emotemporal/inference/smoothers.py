"""The filters that make steady probabilities of unsteady ones. Everything is defined in seconds.

A stream sampled more often is not smoothed more: each step is weighed by the time since the step
before. State is a value: `None` starts a stream, and one smoother serves any number of them. A
step takes one stream's probabilities, or those of several streams that tick together (`*s k`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from emotemporal.inference.label_rule import seconds_since

_TINY = 1e-12  # keeps a logarithm finite; far below what a float32 softmax can tell from 0
_FAINT = 1e-6  # One-Euro works on logits, where the noise of a 1e-12 would outweigh all else


class SmootherState(NamedTuple):
    """What a smoother remembers of a stream; only it knows what the fields are."""

    time_s: float
    value: Float[np.ndarray, "*s k"]
    speed: Float[np.ndarray, "*s k"]
    recent: tuple[tuple[float, Float[np.ndarray, "*s k"]], ...] = ()


@runtime_checkable
class Smoother(Protocol):
    """Probabilities in, steadier probabilities out, one step at a time."""

    def step(
        self, probabilities: Float[np.ndarray, "*s k"], time_s: float, state: SmootherState | None
    ) -> tuple[Float[np.ndarray, "*s k"], SmootherState]:
        """Advance one stream, or several that tick together, to `time_s`.

        Raises:
            ValueError: `time_s` is not later than that of the step before.
        """
        ...


@dataclass(frozen=True)
class NoSmoothing:
    """Gives back what it gets."""

    def step(
        self, probabilities: Float[np.ndarray, "*s k"], time_s: float, state: SmootherState | None
    ) -> tuple[Float[np.ndarray, "*s k"], SmootherState]:
        """Return `probabilities`."""
        seconds_since(state, time_s)
        return probabilities, SmootherState(time_s, probabilities, np.zeros_like(probabilities))


@dataclass(frozen=True)
class ExponentialSmoother:
    """Exponential moving average: what was said `time_constant_s` ago weighs 1/e of now."""

    time_constant_s: float = 0.3

    def __post_init__(self) -> None:
        _refuse_unless_positive(self, "time_constant_s")

    def step(
        self, probabilities: Float[np.ndarray, "*s k"], time_s: float, state: SmootherState | None
    ) -> tuple[Float[np.ndarray, "*s k"], SmootherState]:
        """Return the average up to `time_s`."""
        average = np.asarray(probabilities, dtype=np.float64)
        if state is not None:
            kept = math.exp(-seconds_since(state, time_s) / self.time_constant_s)
            average = kept * state.value + (1 - kept) * average
        return average, SmootherState(time_s, average, np.zeros_like(average))


@dataclass(frozen=True)
class OneEuroSmoother:
    """A low-pass filter on logits that lets go when they move: steady at rest, prompt at a change.

    Source: Casiez, Roussel and Vogel, "1 Euro filter", CHI 2012, algorithm 1, on each logit.
    """

    min_cutoff_hz: float = 0.5
    """At rest. Lower it until the label does not flicker."""
    beta: float = 0.3
    """Hz of cutoff per logit/s of movement. Raise it until a change does not lag."""
    speed_cutoff_hz: float = 1.0

    def __post_init__(self) -> None:
        _refuse_unless_positive(self, "min_cutoff_hz", "speed_cutoff_hz")
        if not self.beta >= 0:
            raise ValueError(f"beta is {self.beta}; it is 0 or more")

    def step(
        self, probabilities: Float[np.ndarray, "*s k"], time_s: float, state: SmootherState | None
    ) -> tuple[Float[np.ndarray, "*s k"], SmootherState]:
        """Return the filtered logits, as probabilities."""
        logits = np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), _FAINT))
        # A softmax does not see their level; a filter would.
        logits = logits - logits.mean(axis=-1, keepdims=True)
        speed = np.zeros_like(logits)
        if state is not None:
            step_s = seconds_since(state, time_s)
            weight = _low_pass_weight(self.speed_cutoff_hz, step_s)
            speed = weight * (logits - state.value) / step_s + (1 - weight) * state.speed
            weights = _low_pass_weight(self.min_cutoff_hz + self.beta * np.abs(speed), step_s)
            logits = weights * logits + (1 - weights) * state.value
        return _softmax(logits), SmootherState(time_s, logits, speed)


@dataclass(frozen=True)
class HiddenMarkovFilter:
    """What is believed of a chain that stays in an emotion for a while, then goes to any other.

    The chain lives in continuous time: the chance that it has moved grows with the seconds since
    the step before. A step's probabilities are its likelihood (their prior is taken as uniform:
    adjust it first), raised to the share of an independent look that those seconds are worth.
    """

    mean_dwell_s: float = 2.0
    evidence_s: float = 0.3
    """Neighbouring frames say the same; one independent look takes this long."""

    def __post_init__(self) -> None:
        _refuse_unless_positive(self, "mean_dwell_s", "evidence_s")

    def step(
        self, probabilities: Float[np.ndarray, "*s k"], time_s: float, state: SmootherState | None
    ) -> tuple[Float[np.ndarray, "*s k"], SmootherState]:
        """Return the probability of each emotion at `time_s`, given all steps so far."""
        num_classes = probabilities.shape[-1]
        expected, look = np.full(probabilities.shape, 1 / num_classes), 1.0
        if state is not None:
            step_s = seconds_since(state, time_s)
            kept = math.exp(-step_s / self.mean_dwell_s * num_classes / (num_classes - 1))
            expected = kept * state.value + (1 - kept) / num_classes
            look = min(1.0, step_s / self.evidence_s)
        likelihood = np.maximum(np.asarray(probabilities, dtype=np.float64), _TINY)
        belief = _softmax(np.log(expected) + look * np.log(likelihood))
        return belief, SmootherState(time_s, belief, np.zeros_like(belief))


@dataclass(frozen=True)
class MajorityVote:
    """For how much of the last `window_s` each emotion was the most probable one.

    A step's vote counts for the time since the step before it, so that seconds are counted and
    not frames; a stream's first vote counts as long as its second.
    """

    window_s: float = 0.8

    def __post_init__(self) -> None:
        _refuse_unless_positive(self, "window_s")

    def step(
        self, probabilities: Float[np.ndarray, "*s k"], time_s: float, state: SmootherState | None
    ) -> tuple[Float[np.ndarray, "*s k"], SmootherState]:
        """Return each emotion's share of the window."""
        seconds_since(state, time_s)
        vote = np.eye(probabilities.shape[-1])[probabilities.argmax(axis=-1)]
        votes = (*(state.recent if state is not None else ()), (time_s, vote))
        if len(votes) == 1:
            return vote, SmootherState(time_s, vote, np.zeros_like(vote), votes)
        times_s = np.array([at_s for at_s, _ in votes])
        window_start_s = time_s - self.window_s
        starts_s = np.concatenate([[2 * times_s[0] - times_s[1]], times_s[:-1]])
        weights = np.maximum(times_s - np.maximum(starts_s, window_start_s), 0.0)
        share = np.tensordot(weights / weights.sum(), np.stack([v for _, v in votes]), axes=1)
        # The last one before the window stays: it tells where the next one's time begins.
        first = max(0, int(np.searchsorted(times_s, window_start_s, side="right")) - 1)
        return share, SmootherState(time_s, share, np.zeros_like(share), votes[first:])


def _low_pass_weight(
    cutoff_hz: float | Float[np.ndarray, "*s k"], step_s: float
) -> Float[np.ndarray, "*any"]:
    """Return how much of a new value a first-order low-pass filter takes."""
    turns = 2 * math.pi * np.asarray(cutoff_hz) * step_s
    return np.asarray(turns / (turns + 1))


def _softmax(logits: Float[np.ndarray, "*s k"]) -> Float[np.ndarray, "*s k"]:
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def _refuse_unless_positive(config: object, *names: str) -> None:
    for name in names:
        if not getattr(config, name) > 0:
            raise ValueError(f"{name} is {getattr(config, name)}; it must be above 0")
