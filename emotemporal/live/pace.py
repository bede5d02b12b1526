"""How far behind life a live run is: measured, never acted upon but through the ticks it skips."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int

_PER_DECADE = 40  # steps of 6 %: as exact as such figures are worth
_DECADES = 7  # from 0.01 ms to 100 s
_LEAST_S = 1e-5


@dataclass(frozen=True)
class Pace:
    """Where a live run stands at one frame, for whoever looks on."""

    frame_age_s: float
    """From when the frame was taken to when its work began."""
    processing_s: float
    """What the frame before cost, all stages together."""
    label_lag_s: float | None
    """From a tick of the model's clock to when its judgement was there, of the latest one. The
    picture that was judged is up to a camera's period older. None before the first."""
    num_skipped: int
    """Ticks left out so far, all faces together, because the model could not keep up."""
    smoother_lag_s: float | None = None
    """What smoothing adds, as the median that the smoothing card measured; None if it has not."""


class Spread:
    """Median and extremes of any number of durations, in memory that does not grow.

    Durations are counted in classes 6 % wide, so quantiles are right to 3 %; largest and mean are
    exact.
    """

    def __init__(self) -> None:
        self._counts: Int[np.ndarray, " c"] = np.zeros(_PER_DECADE * _DECADES + 2, dtype=np.int64)
        self._sum_s = 0.0
        self.max_s = 0.0

    def add(self, duration_s: float) -> None:
        """Count one."""
        place = 0
        if duration_s > _LEAST_S:
            place = 1 + int(_PER_DECADE * math.log10(duration_s / _LEAST_S))
        self._counts[min(place, len(self._counts) - 1)] += 1
        self._sum_s += duration_s
        self.max_s = max(self.max_s, duration_s)

    def __len__(self) -> int:
        return int(self._counts.sum())

    @property
    def mean_s(self) -> float:
        """The mean, 0 of none."""
        return self._sum_s / max(1, len(self))

    def quantile_s(self, share: float) -> float:
        """Return the duration that `share` of all are at most; 0 of none."""
        if not len(self):
            return 0.0
        place = int(np.searchsorted(np.cumsum(self._counts), share * len(self)))
        if place == 0:
            return 0.0
        return min(self.max_s, _LEAST_S * 10 ** ((place - 0.5) / _PER_DECADE))

    def __str__(self) -> str:
        return (
            f"median {1000 * self.quantile_s(0.5):.0f}, 95 % {1000 * self.quantile_s(0.95):.0f}, "
            f"at most {1000 * self.max_s:.0f} ms"
        )


@dataclass
class Delays:
    """Of a live run so far; empty for a file, which waits for nobody."""

    frame_age: Spread = field(default_factory=Spread)
    """From when a frame was taken to when its work began."""
    processing: Spread = field(default_factory=Spread)
    """Of a frame, all stages."""
    capture_to_done: Spread = field(default_factory=Spread)
    """From when a frame was taken to when it was drawn and written."""
    label_lag: Spread = field(default_factory=Spread)
    """From a tick of the model's clock to when its judgement was there."""
