"""How figures and names are written: the same in every table, plot and sentence."""

from __future__ import annotations

import math

from emotemporal.evaluation.metrics import Interval

_SPELLINGS = {
    "gru": "GRU",
    "ema": "EMA",
    "markov": "Markov",
    "lstm": "LSTM",
    "tcn": "TCN",
    "x3d": "X3D",
}
_NAMES = {
    "x3d_s": "X3D-S",
    "x3d_xs": "X3D-XS",
    "clip_length": "clip length alone",
    "attention": "attention pooling",
    "bigru": "bidirectional GRU (offline)",
}


def percent(interval: Interval) -> str:
    """Write a share as percent with its interval: `71.4 [65.0, 77.7]`."""
    return f"{100 * interval.estimate:.1f} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def points(interval: Interval) -> str:
    """Write a difference of shares in percentage points, signed, with its interval."""
    low, high = (f"{100 * bound:+.1f}" for bound in (interval.low, interval.high))
    return f"{100 * interval.estimate:+.1f} [{low}, {high}]"


def p_value(value: float) -> str:
    """Write a p-value without pretending to more digits than mean anything."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def title(name: str) -> str:
    """Write a method's name for people: `mean_of_frames` as `mean of frames`, `gru` as `GRU`."""
    return _NAMES.get(name) or " ".join(_SPELLINGS.get(word, word) for word in name.split("_"))


def ratio(interval: Interval) -> str:
    """Write a ratio with its interval: `8.9 [2.1, 41]`."""
    return f"{_ratio(interval.estimate)} [{_ratio(interval.low)}, {_ratio(interval.high)}]"


def _ratio(value: float) -> str:
    if math.isinf(value):
        return "\N{INFINITY}"
    return f"{value:.0f}" if value >= 9.95 else f"{value:.2f}"


def effect(interval: Interval | None) -> str:
    """Write an effect size in deviations, signed, with its interval; nothing if there is none."""
    if interval is None:
        return ""
    return f"{interval.estimate:+.2f} [{interval.low:+.2f}, {interval.high:+.2f}]"
