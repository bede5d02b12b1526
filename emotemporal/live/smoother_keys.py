"""Going from one smoother to the next while a run goes on, to see what each does."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from emotemporal.inference.pick import describe
from emotemporal.inference.predictor import StreamPredictor
from emotemporal.inference.smoothing import SmoothingConfig

_KINDS: tuple[Literal["none", "ema", "one_euro", "hidden_markov", "majority"], ...] = (
    "none",
    "ema",
    "one_euro",
    "hidden_markov",
    "majority",
)


class SmootherKeys:
    """Called, it takes the next smoother and says which: first what was asked for, then each kind.

    Args:
        predictor: Whose smoother is changed; faces keep their network's memory.
        first: The smoothing that the run began with.
    """

    def __init__(self, predictor: StreamPredictor, first: SmoothingConfig) -> None:
        # `auto` without a card is an EMA.
        own = "ema" if first.name == "auto" else first.name
        others = [replace(first, name=kind) for kind in _KINDS if kind != own]
        self._settings = [first, *others]
        self._predictor, self._at = predictor, 0

    def __call__(self) -> str:
        """Change, and return what to say of it."""
        self._at = (self._at + 1) % len(self._settings)
        smoothing = self._settings[self._at]
        self._predictor.smooth_with(smoothing)
        return f"smoothing: {describe(smoothing)}"
