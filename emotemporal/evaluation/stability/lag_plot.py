"""Flicker against lag, a curve a method, over missed changes against lag, as one SVG.

Methods differ in colour, in the shape of their marks and in the dashes of their lines, so that a
grey print reads the same; learned heads have thick lines and full marks, filters thin and hollow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from emotemporal.evaluation.stability.replay import Score

_WIDTH_PX, _LEFT_PX, _RIGHT_PX = 760.0, 62.0, 16.0
_FLICKER_PX, _MISSED_PX, _GAP_PX, _TOP_PX = 300.0, 150.0, 34.0, 22.0
_KEY_ROW_PX, _KEY_COLUMNS = 22.0, 3
_DASHES = ("", "7 3", "2 3", "9 3 2 3", "12 4")
_SHAPES = ("circle", "square", "triangle", "diamond", "wedge")
_NUM_STYLES = 5
"""Colours of either kind, in `smoothing.html.jinja`."""
_FLICKER_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)


@dataclass(frozen=True)
class LagCurve:
    """One method's settings of which none is beaten, and which of them was chosen."""

    title: str
    scores: Sequence[Score]
    chosen: Score | None
    is_learned: bool


def lag_plot(curves: Sequence[LagCurve], max_lag_s: float, label: str) -> str:
    """Draw all curves, with a line at the lag that choices keep to; each one's choice is ringed.

    The axis reaches two and a half times as far, or as far as the choice that lags most, up to six
    times. The key says who is beyond it.
    """
    until_s = _right_edge(curves, max_lag_s)
    styled = _styled(curves)
    shown = [(_visible(curve, until_s), style) for curve, style in styled]
    points = [score for curve, _ in shown for score in curve.scores]
    if not points:
        return ""
    flicker = [max(s.stability.spurious_per_minute, 0.05) for s in points]
    low = max((t for t in _FLICKER_TICKS if t <= min(flicker)), default=_FLICKER_TICKS[0])
    high = min((t for t in _FLICKER_TICKS if t >= max(flicker)), default=_FLICKER_TICKS[-1])
    high = max(high, low * 10)
    most = max(0.05, math.ceil(max(s.missed_share for s in points) * 20) / 20)
    upper = (_TOP_PX, _TOP_PX + _FLICKER_PX)
    lower = (upper[1] + _GAP_PX, upper[1] + _GAP_PX + _MISSED_PX)

    def x(score: Score) -> float:
        return _place(score.stability.median_lag_s / until_s)

    def y_flicker(score: Score) -> float:
        value = min(max(score.stability.spurious_per_minute, low), high)
        return upper[1] - math.log(value / low) / math.log(high / low) * _FLICKER_PX

    def y_missed(score: Score) -> float:
        return lower[1] - score.missed_share / most * _MISSED_PX

    parts = [
        _lag_axis(max_lag_s, until_s, upper, lower),
        _flicker_axis(low, high, upper, has_fewer=any(f < low for f in flicker)),
        _missed_axis(most, lower),
    ]
    for curve, style in shown:
        parts += [_draw(curve, style, x, y_flicker), _draw(curve, style, x, y_missed)]
    key_top = lower[1] + 58
    parts += [_key(curve, style, i, key_top) for i, (curve, style) in enumerate(shown)]
    height = key_top + _KEY_ROW_PX * math.ceil(len(shown) / _KEY_COLUMNS)
    return (
        f'<svg viewBox="0 0 {_WIDTH_PX:.0f} {height:.0f}" role="img" style="min-width:640px" '
        f'aria-label="{escape(label)}" xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


@dataclass(frozen=True)
class _Style:
    """How a curve looks; the number counts those of its kind."""

    number: int
    is_learned: bool

    @property
    def group(self) -> str:
        """The classes that carry its colour, line width and fill."""
        kind = "learned" if self.is_learned else "simple"
        return f"{kind} hue{self.number % _NUM_STYLES}"

    @property
    def dash(self) -> str:
        dash = _DASHES[self.number % len(_DASHES)]
        return f' stroke-dasharray="{dash}"' if dash else ""

    @property
    def shape(self) -> str:
        # The first learned head is a diamond, which the first simple filters are not.
        return _SHAPES[(self.number + 3 * self.is_learned) % len(_SHAPES)]


def _styled(curves: Sequence[LagCurve]) -> list[tuple[LagCurve, _Style]]:
    styled = []
    for i, curve in enumerate(curves):
        number = sum(other.is_learned == curve.is_learned for other in curves[:i])
        styled.append((curve, _Style(number, curve.is_learned)))
    return styled


def _right_edge(curves: Sequence[LagCurve], max_lag_s: float) -> float:
    lags = [curve.chosen.stability.median_lag_s for curve in curves if curve.chosen is not None]
    furthest = max([lag for lag in lags if math.isfinite(lag)], default=0.0)
    return min(max(2.5 * max_lag_s, 1.05 * furthest), 6 * max_lag_s)


def _visible(curve: LagCurve, until_s: float) -> LagCurve:
    def is_seen(score: Score | None) -> bool:
        return score is not None and score.stability.median_lag_s <= until_s

    scores = sorted(filter(is_seen, curve.scores), key=lambda s: s.stability.median_lag_s)
    return LagCurve(
        curve.title, scores, curve.chosen if is_seen(curve.chosen) else None, curve.is_learned
    )


def _place(share: float) -> float:
    return _LEFT_PX + share * (_WIDTH_PX - _LEFT_PX - _RIGHT_PX)


def _draw(
    curve: LagCurve, style: _Style, x: Callable[[Score], float], y: Callable[[Score], float]
) -> str:
    line = " ".join(f"{x(score):.1f},{y(score):.1f}" for score in curve.scores)
    parts = [f'<polyline class="curve" points="{line}"{style.dash}/>']
    parts += [_mark(style.shape, x(score), y(score)) for score in curve.scores]
    if curve.chosen is not None:
        at_x, at_y = x(curve.chosen), y(curve.chosen)
        parts.append(_mark(style.shape, at_x, at_y))
        parts.append(f'<circle class="ring" cx="{at_x:.1f}" cy="{at_y:.1f}" r="9"/>')
    return f'<g class="{style.group}">{"".join(parts)}</g>'


def _mark(shape: str, x: float, y: float) -> str:
    if shape == "circle":
        return f'<circle class="spot" cx="{x:.1f}" cy="{y:.1f}" r="3.8"/>'
    outline = {
        "square": "m-3.5 -3.5h7v7h-7Z",
        "triangle": "m0 -4.5l4.5 8.1h-9Z",
        "wedge": "m0 4.5l4.5 -8.1h-9Z",
        "diamond": "m0 -5.5l5.5 5.5l-5.5 5.5l-5.5 -5.5Z",
    }[shape]
    return f'<path class="spot" d="M{x:.1f} {y:.1f}{outline}"/>'


def _lag_axis(
    max_lag_s: float, until_s: float, upper: tuple[float, float], lower: tuple[float, float]
) -> str:
    step_s = next(s for s in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 1e9) if s * 8 >= until_s)
    parts = []
    for i in range(int(until_s / step_s + 1e-9) + 1):
        at = _place(i * step_s / until_s)
        for top, bottom in (upper, lower):
            parts.append(
                f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{top}" y2="{bottom}"/>'
            )
        parts.append(f'<text class="tick" x="{at:.1f}" y="{lower[1] + 16}">{i * step_s:g}</text>')
    limit = _place(max_lag_s / until_s)
    parts.append(
        f'<line class="guide" x1="{limit:.1f}" x2="{limit:.1f}" y1="{upper[0] - 6}" '
        f'y2="{lower[1]}"/><text class="guide-label" x="{limit:.1f}" y="{upper[0] - 10}">'
        f"choices keep to {max_lag_s:g} s</text>"
    )
    middle = _place(0.5)
    parts.append(
        f'<text class="axis-title" x="{middle:.1f}" y="{lower[1] + 36}">median lag, s</text>'
    )
    return "".join(parts)


def _flicker_axis(low: float, high: float, span: tuple[float, float], *, has_fewer: bool) -> str:
    parts = []
    for tick in (t for t in _FLICKER_TICKS if low <= t <= high):
        y = span[1] - math.log(tick / low) / math.log(high / low) * (span[1] - span[0])
        parts.append(_row(y, f"\u2264 {tick:g}" if has_fewer and tick == low else f"{tick:g}"))
    return "".join(parts) + _side_title("spurious switches a minute (logarithmic)", span)


def _missed_axis(most: float, span: tuple[float, float]) -> str:
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if s * 6 >= most)
    parts = []
    for i in range(int(most / step + 1e-9) + 1):
        y = span[1] - i * step / most * (span[1] - span[0])
        parts.append(_row(y, f"{100 * i * step:g}"))
    return "".join(parts) + _side_title("changes missed, %", span)


def _row(y: float, text: str) -> str:
    return (
        f'<line class="grid" x1="{_LEFT_PX}" x2="{_WIDTH_PX - _RIGHT_PX}" y1="{y:.1f}" '
        f'y2="{y:.1f}"/><text class="tick" x="{_LEFT_PX - 16}" y="{y + 4:.1f}">{text}</text>'
    )


def _side_title(text: str, span: tuple[float, float]) -> str:
    middle = (span[0] + span[1]) / 2
    return (
        f'<text class="axis-title" transform="translate(14 {middle:.1f}) rotate(-90)">'
        f"{escape(text)}</text>"
    )


def _key(curve: LagCurve, style: _Style, place: int, top: float) -> str:
    width = (_WIDTH_PX - _LEFT_PX) / _KEY_COLUMNS
    left = _LEFT_PX + (place % _KEY_COLUMNS) * width
    y = top + place // _KEY_COLUMNS * _KEY_ROW_PX
    title = curve.title if curve.scores else f"{curve.title} (beyond the edge)"
    return (
        f'<g class="{style.group}"><line class="curve" x1="{left}" x2="{left + 34}" y1="{y}" '
        f'y2="{y}"{style.dash}/>{_mark(style.shape, left + 17, y)}</g>'
        f'<text class="key-label" x="{left + 42}" y="{y + 4.5}">{escape(title)}</text>'
    )
