"""Steady output from unsteady probabilities, bought with lag. Everything is defined in seconds.

A stream sampled more often is not smoothed more: each step is weighed by the time since the step
before. State is a value: `None` starts a stream, and one smoother serves any number of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from emotemporal.inference.label_rule import Hysteresis, LabelState, seconds_since
from emotemporal.types import StreamPrediction

__all__ = [
    "ExponentialSmoother",
    "HiddenMarkovFilter",
    "Hysteresis",
    "LabelState",
    "NoSmoothing",
    "OneEuroSmoother",
    "Smoother",
    "SmootherState",
    "SmoothingConfig",
    "build_label_rule",
    "build_smoother",
    "smooth_stream",
]

_TINY = 1e-12  # keeps a logarithm finite; far below what a float32 softmax can tell from 0
_FAINT = 1e-6  # One-Euro works on logits, where the noise of a 1e-12 would outweigh all else


class SmootherState(NamedTuple):
    """What a smoother remembers of a stream; only it knows what `value` and `speed` are."""

    time_s: float
    value: Float[np.ndarray, " k"]
    speed: Float[np.ndarray, " k"]


@runtime_checkable
class Smoother(Protocol):
    """Probabilities in, steadier probabilities out, one step at a time."""

    def step(
        self, probabilities: Float[np.ndarray, " k"], time_s: float, state: SmootherState | None
    ) -> tuple[Float[np.ndarray, " k"], SmootherState]:
        """Advance one stream to `time_s`.

        Raises:
            ValueError: `time_s` is not later than that of the step before.
        """
        ...


@dataclass(frozen=True)
class NoSmoothing:
    """Gives back what it gets."""

    def step(
        self, probabilities: Float[np.ndarray, " k"], time_s: float, state: SmootherState | None
    ) -> tuple[Float[np.ndarray, " k"], SmootherState]:
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
        self, probabilities: Float[np.ndarray, " k"], time_s: float, state: SmootherState | None
    ) -> tuple[Float[np.ndarray, " k"], SmootherState]:
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
        self, probabilities: Float[np.ndarray, " k"], time_s: float, state: SmootherState | None
    ) -> tuple[Float[np.ndarray, " k"], SmootherState]:
        """Return the filtered logits, as probabilities."""
        logits = np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), _FAINT))
        logits = logits - logits.mean()  # a softmax does not see their level; a filter would
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
        self, probabilities: Float[np.ndarray, " k"], time_s: float, state: SmootherState | None
    ) -> tuple[Float[np.ndarray, " k"], SmootherState]:
        """Return the probability of each emotion at `time_s`, given all steps so far."""
        num_classes = len(probabilities)
        expected, look = np.full(num_classes, 1 / num_classes), 1.0
        if state is not None:
            step_s = seconds_since(state, time_s)
            kept = math.exp(-step_s / self.mean_dwell_s * num_classes / (num_classes - 1))
            expected = kept * state.value + (1 - kept) / num_classes
            look = min(1.0, step_s / self.evidence_s)
        likelihood = np.maximum(np.asarray(probabilities, dtype=np.float64), _TINY)
        belief = _softmax(np.log(expected) + look * np.log(likelihood))
        return belief, SmootherState(time_s, belief, np.zeros_like(belief))


@dataclass(frozen=True)
class SmoothingConfig:
    """How a stream's probabilities are steadied, and how the label on show is chosen."""

    name: Literal["none", "ema", "one_euro", "hidden_markov"] = "ema"
    ema: ExponentialSmoother = field(default_factory=ExponentialSmoother)
    one_euro: OneEuroSmoother = field(default_factory=OneEuroSmoother)
    hidden_markov: HiddenMarkovFilter = field(default_factory=HiddenMarkovFilter)
    hysteresis: Hysteresis = field(default_factory=Hysteresis)


def build_smoother(config: SmoothingConfig) -> Smoother:
    """Return the smoother that `config` names."""
    if config.name == "none":
        return NoSmoothing()
    if config.name == "ema":
        return config.ema
    if config.name == "one_euro":
        return config.one_euro
    if config.name == "hidden_markov":
        return config.hidden_markov
    raise ValueError(
        f"smoothing is {config.name!r}; it can be 'none', 'ema', 'one_euro' or 'hidden_markov'"
    )


def build_label_rule(config: SmoothingConfig) -> Hysteresis:
    """Return the rule that chooses the label on show."""
    return config.hysteresis


def smooth_stream(prediction: StreamPrediction, smoother: Smoother) -> StreamPrediction:
    """Smooth a whole stream: the step, repeated."""
    state: SmootherState | None = None
    rows = []
    for row, time_s in zip(prediction.probabilities, prediction.times_s, strict=True):
        smoothed, state = smoother.step(row, float(time_s), state)
        rows.append(smoothed)
    return StreamPrediction(
        prediction.track_id,
        prediction.times_s,
        np.stack(rows) if rows else prediction.probabilities,
        prediction.labels,
        prediction.truth,
    )


def _low_pass_weight(
    cutoff_hz: float | Float[np.ndarray, " k"], step_s: float
) -> Float[np.ndarray, "*k"]:
    """Return how much of a new value a first-order low-pass filter takes."""
    turns = 2 * math.pi * np.asarray(cutoff_hz) * step_s
    return np.asarray(turns / (turns + 1))


def _softmax(logits: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    raised = np.exp(logits - logits.max())
    return np.asarray(raised / raised.sum())


def _refuse_unless_positive(config: object, *names: str) -> None:
    for name in names:
        if not getattr(config, name) > 0:
            raise ValueError(f"{name} is {getattr(config, name)}; it must be above 0")
