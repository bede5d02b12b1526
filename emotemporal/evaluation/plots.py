"""Plots as SVG text, to stand inside a page: its style sheet gives colours for light and dark.

Kinds of method differ in shape as well as in colour, so that a grey print reads the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

import numpy as np
from jaxtyping import Float

from emotemporal.evaluation.metrics import Interval

Kind = Literal["reference", "baseline", "control", "model"]
ROW_PX = 30.0
_TOP_PX = 26.0
_RIGHT_PX = 24.0
_CHARACTER_PX = 7.4  # of the widest system fonts at 13 px: labels must not run into the plot


@dataclass(frozen=True)
class PlotRow:
    """One estimate with its interval."""

    label: str
    interval: Interval
    kind: Kind
    text: str
    """The figure in words, at the right edge."""


@dataclass(frozen=True)
class Axis:
    """Where values lie, in the unit that `title` names. `factor` turns a value into that unit."""

    title: str
    low: float
    high: float
    factor: float = 100.0
    is_signed: bool = False


@dataclass(frozen=True)
class GuideLine:
    """A value to hold the estimates against: chance, zero."""

    value: float
    label: str


def axis_around(
    intervals: Sequence[Interval], title: str, marks: Sequence[float] = (), is_signed: bool = False
) -> Axis:
    """Return an axis that shows every interval and mark, ending on round values."""
    known = [i for i in intervals if not math.isnan(i.estimate)]
    values = [v for i in known for v in (i.low, i.high)] + list(marks)
    low, high = min(values, default=0.0), max(values, default=1.0)
    step = tick_step(max(high - low, 0.02))
    low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    if high <= low:  # all alike, and on a round value: leave room on both sides
        low, high = low - step, high + step
    if not is_signed:
        low, high = max(0.0, low), min(1.0, high)
    return Axis(title, low, high, is_signed=is_signed)


def interval_plot(
    rows: Sequence[PlotRow],
    axis: Axis,
    guides: Sequence[GuideLine] = (),
    width_px: float = 760.0,
    row_px: float = ROW_PX,
) -> str:
    """Draw one row an estimate: a mark at it, a line over its interval, the figure at the right."""
    labels, texts = [row.label for row in rows], [row.text for row in rows]
    left, right, rows_y, bottom = row_scale(labels, texts, width_px, row_px)
    height = bottom + 44

    def x(value: float) -> float:
        return left + (value - axis.low) / (axis.high - axis.low) * (right - left)

    parts = [axis_marks(axis, x, bottom)]
    parts += [_guide_mark(guide, x(guide.value), bottom, (left, right)) for guide in guides]
    for row, y in zip(rows, rows_y, strict=True):
        parts.append(_row_mark(row, x, y, width_px))
    middle = (left + right) / 2
    parts.append(
        f'<text class="axis-title" x="{middle:.1f}" y="{height - 6}">{escape(axis.title)}</text>'
    )
    label = f"{axis.title}: " + "; ".join(f"{row.label} {row.text}" for row in rows)
    return svg(width_px, height, label, parts)


def row_scale(
    labels: Sequence[str], texts: Sequence[str], width_px: float, row_px: float = ROW_PX
) -> tuple[float, float, list[float], float]:
    """Return where a plot of rows begins and ends between its labels and texts, in pixels.

    Returns:
        Left, right, each row's middle, bottom.
    """
    left = 20 + _CHARACTER_PX * max(map(len, labels), default=0)
    right = width_px - _RIGHT_PX - _CHARACTER_PX * max(map(len, texts), default=0)
    rows_y = [_TOP_PX + row_px * (i + 0.5) for i in range(len(labels))]
    return left, right, rows_y, _TOP_PX + row_px * len(labels)


def confusion_plot(confusion: Float[np.ndarray, "k k"], names: Sequence[str], label: str) -> str:
    """Draw a confusion matrix: rows are the truth and add up to 100 %; deeper is more."""
    cell, left, top = 38.0, 92.0, 12.0
    size = cell * len(names)
    totals = confusion.sum(axis=1, keepdims=True)
    shares = np.divide(confusion, totals, out=np.zeros(confusion.shape), where=totals > 0)
    parts = []
    for i, name in enumerate(names):
        y = top + cell * (i + 0.5)
        parts.append(
            f'<text class="row-label" x="{left - 8}" y="{y + 4:.1f}">{escape(name)}</text>'
        )
        x = left + cell * (i + 0.5)
        parts.append(
            f'<text class="column-label" transform="translate({x + 4:.1f} {top + size + 8}) '
            f'rotate(-90)">{escape(name)}</text>'
        )
        for j, share in enumerate(shares[i]):
            parts.append(_confusion_cell(left + cell * j, top + cell * i, cell, share))
    width, height = left + size + 12, top + size + 106
    parts.append(
        f'<text class="axis-title" x="{left + size / 2}" y="{height - 6}">'
        "answer, % of the row's clips</text>"
    )
    parts.append(
        f'<text class="axis-title" transform="translate(12 {top + size / 2}) rotate(-90)">'
        "true emotion</text>"
    )
    return svg(width, height, label, parts)


def _confusion_cell(x: float, y: float, cell: float, share: float) -> str:
    text = "" if share < 0.005 else f"{100 * share:.0f}"
    # Which of light and dark ink reads better on a half-deep cell depends on the colour scheme.
    tone = "cell-deep" if share > 0.8 else "cell-middle" if share > 0.5 else "cell-pale"
    return (
        f'<rect class="cell" x="{x}" y="{y}" width="{cell - 1}" height="{cell - 1}" '
        f'style="fill-opacity:{share:.3f}"/>'
        f'<text class="{tone}" x="{x + cell / 2 - 0.5}" y="{y + cell / 2 + 4}">{text}</text>'
    )


def axis_marks(axis: Axis, x: Callable[[float], float], bottom: float) -> str:
    """Draw the ticks of an axis at the foot of a plot, `x` placing its values, and lines up."""
    step = tick_step(axis.high - axis.low)
    first = math.ceil(axis.low / step - 1e-9)
    ticks = [step * i for i in range(first, math.floor(axis.high / step + 1e-9) + 1)]
    sign = "+" if axis.is_signed else ""
    return "".join(
        f'<line class="grid" x1="{x(t):.1f}" x2="{x(t):.1f}" y1="{_TOP_PX}" y2="{bottom}"/>'
        f'<text class="tick" x="{x(t):.1f}" y="{bottom + 16}">'
        f"{tick_text(t * axis.factor, sign)}</text>"
        for t in ticks
    )


def tick_text(value: float, sign: str = "") -> str:
    """Write a tick's value; `sign` is a plus where values are differences."""
    return "0" if abs(value) < 1e-9 else f"{value:{sign}.3g}".replace("-", "\N{MINUS SIGN}")


def _guide_mark(guide: GuideLine, x: float, bottom: float, span: tuple[float, float]) -> str:
    half = _CHARACTER_PX * len(guide.label) / 2
    text_x = min(max(x, span[0] + half), span[1] - half)
    label_y = _TOP_PX - 11
    return (
        f'<line class="guide" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP_PX - 6}" y2="{bottom}"/>'
        f'<text class="guide-label" x="{text_x:.1f}" y="{label_y}">{escape(guide.label)}</text>'
    )


def _row_mark(row: PlotRow, x: Callable[[float], float], y: float, width_px: float) -> str:
    label = f'<text class="label" x="8" y="{y + 4.5:.1f}">{escape(row.label)}</text>'
    value = f'<text class="value" x="{width_px - 8}" y="{y + 4.5:.1f}">'
    if math.isnan(row.interval.estimate):
        return f"{label}{value}no clips</text>"
    centre, low, high = (x(v) for v in (row.interval.estimate, row.interval.low, row.interval.high))
    whiskers = "".join(
        f'<line class="whisker {row.kind}" x1="{a:.1f}" x2="{b:.1f}" y1="{y - up}" y2="{y + up}"/>'
        for a, b, up in ((low, high, 0), (low, low, 5), (high, high, 5))
    )
    return f"{label}{whiskers}{_shape(row.kind, centre, y)}{value}{escape(row.text)}</text>"


def _shape(kind: Kind, x: float, y: float) -> str:
    if kind == "reference":
        return f'<circle class="mark {kind}" cx="{x:.1f}" cy="{y}" r="5.5"/>'
    if kind == "baseline":
        return f'<rect class="mark {kind}" x="{x - 5:.1f}" y="{y - 5}" width="10" height="10"/>'
    if kind == "control":
        return (
            f'<path class="mark {kind}" d="M{x:.1f} {y - 6.5}L{x + 6.5:.1f} {y + 5}'
            f'L{x - 6.5:.1f} {y + 5}Z"/>'
        )
    return (
        f'<path class="mark {kind}" d="M{x:.1f} {y - 7.5}L{x + 7.5:.1f} {y}L{x:.1f} {y + 7.5}'
        f'L{x - 7.5:.1f} {y}Z"/>'
    )


def with_minus_signs(text: str) -> str:
    """Set the minus sign of a number as one; in tables to be read by programs it is a hyphen."""
    return re.sub(r"(?<!\w)-(?=\d)", "\N{MINUS SIGN}", text)


def tick_step(span: float) -> float:
    """Return a round step (1, 2 or 5 times a power of ten) that gives four to nine ticks."""
    rough = span / 5
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough - 1e-12)


def svg(width_px: float, height_px: float, label: str, parts: Sequence[str]) -> str:
    """Put drawn parts into one picture; `label` is what a screen reader says."""
    return (
        # On a narrow screen the card scrolls before the writing gets too small to read.
        f'<svg viewBox="0 0 {width_px:.0f} {height_px:.0f}" role="img" '
        f'style="min-width:{0.85 * width_px:.0f}px" '
        f'aria-label="{escape(label)}" xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )
