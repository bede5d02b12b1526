"""Which smoothers a page offers, and what each one's slider sets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from emotemporal.inference.card import SmoothingCard
from emotemporal.inference.smoothers import (
    ExponentialSmoother,
    HiddenMarkovFilter,
    MajorityVote,
    OneEuroSmoother,
)
from emotemporal.inference.smoothing import SmoothingConfig
from emotemporal.live.serve.messages import Choice, MessageError

START = "start"
"""The smoother that the server was started with: an option's, or the smoothing card's default."""


@dataclass(frozen=True)
class Control:
    """One smoother, and the slider beside it."""

    name: str
    title: str
    says: str
    """What the slider's number is; empty where there is none to set."""
    unit: str
    low: float
    high: float
    step: float
    value: float


def offered(card: SmoothingCard | None) -> Sequence[Control]:
    """Return the smoothers to choose from, the best one first.

    With a smoothing card that is the one that keeps to a lag; the others are set by their own
    number, whose lag nobody has measured for it.
    """
    lags = [entry.tuned.median_lag_s for entry in card.entries] if card else []
    automatic = [
        Control("auto", "Steadiest within a lag", "Longest median lag", "s", *_range(lags))
        for _ in lags[:1]
    ]
    return [
        Control(START, "Recommended", "", "", 0.0, 1.0, 1.0, 0.0),
        *automatic,
        Control("ema", "Moving average", "Time constant", "s", 0.1, 3.0, 0.1, 0.3),
        Control("one_euro", "One-Euro filter", "Time constant at rest", "s", 0.1, 3.0, 0.1, 0.3),
        Control("hidden_markov", "Hidden-Markov filter", "Usual dwell", "s", 0.5, 10.0, 0.5, 2.0),
        Control("majority", "Majority vote", "Window", "s", 0.2, 3.0, 0.1, 0.8),
        Control("none", "None", "", "", 0.0, 1.0, 1.0, 0.0),
    ]


def to_smoothing(
    choice: Choice, card: SmoothingCard | None, start: SmoothingConfig
) -> SmoothingConfig:
    """Return the setting that a page asks for; the rule for the label stays as it is.

    Raises:
        MessageError: There is no such smoother, or its number lies outside the slider.
    """
    control = next((c for c in offered(card) if c.name == choice.name), None)
    if control is None:
        names = ", ".join(c.name for c in offered(card))
        raise MessageError(f"smoothing is {choice.name[:40]!r}; it can be {names}")
    if not control.low <= choice.value <= control.high + 1e-9:
        raise MessageError(
            f"{control.title} at {choice.value:g}; it can be {control.low:g} to {control.high:g}"
        )
    if control.name == START:
        return start
    if control.name == "auto":
        assert card is not None
        return card.steadiest_within(choice.value).smoothing
    return _named(control.name, choice.value, start)


def _named(name: str, value: float, start: SmoothingConfig) -> SmoothingConfig:
    if name == "ema":
        return replace(start, name="ema", ema=ExponentialSmoother(value))
    if name == "one_euro":
        return replace(start, name="one_euro", one_euro=OneEuroSmoother(1 / (2 * math.pi * value)))
    if name == "hidden_markov":
        return replace(start, name="hidden_markov", hidden_markov=HiddenMarkovFilter(value))
    if name == "majority":
        return replace(start, name="majority", majority=MajorityVote(value))
    return replace(start, name="none")


def _range(lags_s: Sequence[float]) -> tuple[float, float, float, float]:
    """Return low, high, step and start of the lag's slider, from what the card has."""
    low = 0.1 * -(-min(lags_s) // 0.1)  # rounded up: something is as fast as that
    high = max(low + 0.1, min(3.0, max(lags_s)))
    return round(low, 1), round(high, 1), 0.1, round(min(max(0.5, low), high), 1)
