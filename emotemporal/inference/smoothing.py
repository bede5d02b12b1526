"""Steady output from unsteady probabilities, bought with lag: which filter, which label rule."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float

from emotemporal.inference.label_rule import Hysteresis, LabelState
from emotemporal.inference.smoothers import (
    ExponentialSmoother,
    HiddenMarkovFilter,
    MajorityVote,
    NoSmoothing,
    OneEuroSmoother,
    Smoother,
    SmootherState,
)
from emotemporal.types import StreamPrediction

__all__ = [
    "ExponentialSmoother",
    "HiddenMarkovFilter",
    "Hysteresis",
    "LabelState",
    "MajorityVote",
    "NoSmoothing",
    "OneEuroSmoother",
    "Smoother",
    "SmootherState",
    "SmoothingConfig",
    "build_label_rule",
    "build_smoother",
    "smooth_stream",
    "smooth_together",
]


@dataclass(frozen=True)
class SmoothingConfig:
    """How a stream's probabilities are steadied, and how the label on show is chosen."""

    name: Literal["auto", "none", "ema", "one_euro", "hidden_markov", "majority"] = "auto"
    """`auto` is what the checkpoint's smoothing card found best; `ema` where it has no card, or
    where any option of this group is given."""
    ema: ExponentialSmoother = field(default_factory=ExponentialSmoother)
    one_euro: OneEuroSmoother = field(default_factory=OneEuroSmoother)
    hidden_markov: HiddenMarkovFilter = field(default_factory=HiddenMarkovFilter)
    majority: MajorityVote = field(default_factory=MajorityVote)
    hysteresis: Hysteresis = field(default_factory=Hysteresis)


def build_smoother(config: SmoothingConfig) -> Smoother:
    """Return the smoother that `config` names; `auto` without a card is an EMA."""
    if config.name == "none":
        return NoSmoothing()
    if config.name in ("auto", "ema"):
        return config.ema
    if config.name == "one_euro":
        return config.one_euro
    if config.name == "hidden_markov":
        return config.hidden_markov
    if config.name == "majority":
        return config.majority
    raise ValueError(
        f"smoothing is {config.name!r}; it can be 'none', 'ema', 'one_euro', 'hidden_markov' or "
        "'majority'"
    )


def build_label_rule(config: SmoothingConfig) -> Hysteresis:
    """Return the rule that chooses the label on show."""
    return config.hysteresis


def smooth_stream(prediction: StreamPrediction, smoother: Smoother) -> StreamPrediction:
    """Smooth a whole stream: the step, repeated."""
    times_s = np.asarray(prediction.times_s, dtype=np.float64)
    smoothed = prediction.probabilities
    if len(times_s):
        smoothed = smooth_together(prediction.probabilities, times_s, smoother)
    return StreamPrediction(
        prediction.track_id, prediction.times_s, smoothed, prediction.labels, prediction.truth
    )


def smooth_together(
    probabilities: Float[np.ndarray, "t *s k"],
    times_s: Float[np.ndarray, " t"],
    smoother: Smoother,
) -> Float[np.ndarray, "t *s k"]:
    """Smooth a stream, or several that tick together: the step, repeated.

    What lies behind a stream's end, as where a shorter one is padded, changes nothing before it.
    """
    state: SmootherState | None = None
    rows = []
    for row, time_s in zip(probabilities, times_s, strict=True):
        smoothed, state = smoother.step(row, float(time_s), state)
        rows.append(smoothed)
    return np.stack(rows)
