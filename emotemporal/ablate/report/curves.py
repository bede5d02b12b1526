"""Plots of trainings as SVG text: every run's curves on one figure, and the gap at the end."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

import numpy as np
from jaxtyping import Float

from emotemporal.ablate.report.outcomes import Row
from emotemporal.evaluation.plots import Axis, axis_marks, row_scale, svg, tick_step, tick_text

_PER_LINE = 4
_WIDTH_PX, _HEIGHT_PX = 236.0, 150.0
_LEFT_PX, _BOTTOM_PX, _TOP_PX = 40.0, 34.0, 24.0
_LINES = (("train", "train"), ("val", "validation"))


def curve_panels(rows: Sequence[Row], figure: str, unit: str, factor: float = 1.0) -> str:
    """Draw a figure over the epochs, a panel a change, all on the same axes.

    Training is dashed, validation solid; the mean over seeds, in a band from the lowest to the
    highest seed. The base's two lines stand thin in every panel.

    Args:
        rows: Of the study; those without epochs have no panel.
        figure: `loss`, `accuracy`: what follows `train/` and `val/` in a run's log.
        unit: What the axis says, with its unit.
        factor: Turns a value into that unit.
    """
    drawn = {row.change: _curves(row, figure, factor) for row in rows}
    drawn = {change: curves for change, curves in drawn.items() if curves}
    if not drawn:
        return ""
    values = np.concatenate([c.ravel() for curves in drawn.values() for c in curves.values()])
    num_epochs = max(c.shape[1] for curves in drawn.values() for c in curves.values())
    step = tick_step(max(float(np.ptp(values)), 1e-6))
    low = math.floor(values.min() / step) * step
    high = max(math.ceil(values.max() / step) * step, low + step)
    base = drawn.get(rows[0].change, {})
    parts = []
    for i, (change, curves) in enumerate(drawn.items()):
        x0 = _WIDTH_PX * (i % _PER_LINE) + _LEFT_PX
        y0 = (_HEIGHT_PX + 12) * (i // _PER_LINE) + _TOP_PX
        parts.append(_Panel(x0, y0, num_epochs, low, high, step).draw(change, curves, base))
    num_lines = math.ceil(len(drawn) / _PER_LINE)
    width = _WIDTH_PX * min(len(drawn), _PER_LINE) + 8
    height = (_HEIGHT_PX + 12) * num_lines + 18
    parts.append(
        f'<text class="axis-title" x="{width / 2:.0f}" y="{height - 4:.0f}">'
        f"epoch (across); {escape(unit)} (up)</text>"
    )
    label = f"{unit} over the epochs of {', '.join(drawn)}"
    return svg(width, height, label, parts)


def _curves(row: Row, figure: str, factor: float) -> dict[str, Float[np.ndarray, "seeds epochs"]]:
    """Return `train` and `val` -> seeds by epochs; a seed that ended early ends the lines."""
    curves = {}
    for part, _ in _LINES:
        name = f"{part}/{figure}"
        seeds = [[epoch[name] for epoch in o.epochs if name in epoch] for o in row.outcomes]
        seeds = [values for values in seeds if values]
        if seeds:
            shortest = min(map(len, seeds))
            curves[part] = factor * np.array([values[:shortest] for values in seeds])
    return curves


class _Panel:
    """One change's axes. `x0`, `y0` is the upper left corner of what is drawn in, in pixels."""

    def __init__(
        self, x0: float, y0: float, num_epochs: int, low: float, high: float, step: float
    ) -> None:
        self._x0, self._y0 = x0, y0
        self._num_epochs, self._low, self._high, self._step = num_epochs, low, high, step
        self._width = _WIDTH_PX - _LEFT_PX - 8
        self._height = _HEIGHT_PX - _TOP_PX - 20

    def draw(
        self,
        title: str,
        curves: Mapping[str, Float[np.ndarray, "seeds epochs"]],
        base: Mapping[str, Float[np.ndarray, "seeds epochs"]],
    ) -> str:
        parts = [self._axes(title)]
        for part, css in _LINES:
            if base is not curves and part in base:
                parts.append(self._line(base[part].mean(axis=0), f"curve thin {css}"))
        for part, css in _LINES:
            if part in curves:
                parts.append(self._band(curves[part]))
                parts.append(self._line(curves[part].mean(axis=0), f"curve {css}"))
        return "".join(parts)

    def _x(self, epoch: float) -> float:
        return self._x0 + (epoch - 1) / max(self._num_epochs - 1, 1) * self._width

    def _y(self, value: float) -> float:
        return self._y0 + (self._high - value) / (self._high - self._low) * self._height

    def _axes(self, title: str) -> str:
        count = round((self._high - self._low) / self._step)
        ticks = [self._low + self._step * i for i in range(count + 1)]
        right, bottom = self._x0 + self._width, self._y0 + self._height
        shown = ticks if count <= 4 else ticks[:: math.ceil(count / 4)]
        marks = "".join(
            f'<line class="grid" x1="{self._x0:.1f}" x2="{right:.1f}" y1="{self._y(t):.1f}" '
            f'y2="{self._y(t):.1f}"/><text class="row-label" x="{self._x0 - 5:.1f}" '
            f'y="{self._y(t) + 4:.1f}">{tick_text(t)}</text>'
            for t in shown
        )
        ends = "".join(
            f'<text class="tick" x="{self._x(e):.1f}" y="{bottom + 15:.1f}">{e}</text>'
            for e in sorted({1, self._num_epochs})
        )
        name = title if len(title) <= 29 else title[:28] + "\N{HORIZONTAL ELLIPSIS}"
        head = (
            f'<text class="panel" x="{self._x0:.1f}" y="{self._y0 - 8:.1f}">{escape(name)}</text>'
        )
        return marks + ends + head

    def _line(self, values: Float[np.ndarray, " epochs"], css: str) -> str:
        points = [(self._x(i), self._y(float(v))) for i, v in enumerate(values, start=1)]
        if len(points) == 1:
            return f'<circle class="{css}" cx="{points[0][0]:.1f}" cy="{points[0][1]:.1f}" r="2"/>'
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        return f'<polyline class="{css}" points="{path}"/>'

    def _band(self, curves: Float[np.ndarray, "seeds epochs"]) -> str:
        if len(curves) < 2 or curves.shape[1] < 2:
            return ""
        upper = [(self._x(i), self._y(float(v))) for i, v in enumerate(curves.max(axis=0), start=1)]
        lower = [(self._x(i), self._y(float(v))) for i, v in enumerate(curves.min(axis=0), start=1)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in [*upper, *reversed(lower)])
        return f'<polygon class="band" points="{path}"/>'


def gap_plot(rows: Sequence[Row], width_px: float = 760.0) -> str:
    """Draw training and validation accuracy at the epoch that was kept, joined by the gap."""
    found = [row for row in rows if {"train/accuracy", "val/accuracy"} <= {*row.figures}]
    if not found:
        return ""
    shares = [
        (row.figures["train/accuracy"].estimate, row.figures["val/accuracy"].estimate)
        for row in found
    ]
    values = [value for pair in shares for value in pair]
    step = tick_step(max(max(values) - min(values), 0.02))
    low, high = math.floor(min(values) / step) * step, math.ceil(max(values) / step) * step
    axis = Axis("accuracy at the epoch that was kept, %", low, max(high, low + step))
    texts = [f"gap {100 * (a - b):+.1f}".replace("-", "\N{MINUS SIGN}") for a, b in shares]
    left, right, rows_y, bottom = row_scale([r.change for r in found], texts, width_px)

    def x(value: float) -> float:
        return left + (value - axis.low) / (axis.high - axis.low) * (right - left)

    parts = [axis_marks(axis, x, bottom)]
    for row, pair, text, y in zip(found, shares, texts, rows_y, strict=True):
        parts.append(_gap_row(row.change, pair, text, y, x, width_px))
    parts.append(
        f'<text class="axis-title" x="{(left + right) / 2:.1f}" y="{bottom + 38:.0f}">'
        f"{escape(axis.title)}</text>"
    )
    label = "; ".join(f"{r.change} {text} points" for r, text in zip(found, texts, strict=True))
    return svg(width_px, bottom + 44, f"{axis.title}: {label}", parts)


def _gap_row(
    name: str,
    pair: tuple[float, float],
    text: str,
    y: float,
    x: Callable[[float], float],
    width_px: float,
) -> str:
    train, val = (x(value) for value in pair)
    return (
        f'<text class="label" x="8" y="{y + 4.5:.1f}">{escape(name)}</text>'
        f'<line class="whisker baseline" x1="{train:.1f}" x2="{val:.1f}" y1="{y}" y2="{y}"/>'
        f'<circle class="mark reference" cx="{train:.1f}" cy="{y}" r="5.5"/>'
        f'<circle class="mark model" cx="{val:.1f}" cy="{y}" r="5.5"/>'
        f'<text class="value" x="{width_px - 8}" y="{y + 4.5:.1f}">{escape(text)}</text>'
    )
