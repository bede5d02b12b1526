"""The one table of a study as cells for people; `formats` writes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emotemporal.ablate.report.outcomes import GAP, SHIFTED_SHARE, SHIFTED_UAR, Ablation, Row
from emotemporal.evaluation.comparison.results import MethodResult
from emotemporal.evaluation.metrics import Interval
from emotemporal.evaluation.spelling import p_value

FIRST = ("change", "seeds")
_TRAINING = (
    "steps",
    "minutes",
    "train accuracy %",
    "val accuracy %",
    "gap, points",
    "train loss",
    "val loss",
    "val UAR %",
    "val UAR difference, points",
)
_SHIFTED = ("shifted UAR %", "shifted, % of unshifted")
_JUDGED = ("accuracy %", "UAR %", "UAR difference, points", "McNemar p (Holm)")


@dataclass(frozen=True)
class Part:
    """Columns that belong together, and every row's cells under them."""

    name: str
    titles: Sequence[str]
    cells: Sequence[Sequence[str]]


def parts(ablation: Ablation) -> list[Part]:
    """Return the table's columns: of training, if there was any, and of each evaluation.

    A run that failed leaves dashes.
    """
    found = []
    if any("train/loss" in row.figures for row in ablation.rows):
        rows = [_training_cells(row) for row in ablation.rows]
        found.append(Part("training", _TRAINING, rows))
    for name in ablation.judged:
        rows = [_judged_cells(method_of(row, ablation, name), row) for row in ablation.rows]
        if any(name + SHIFTED_UAR in row.figures for row in ablation.rows):
            shifted = [_shifted_cells(row, name) for row in ablation.rows]
            rows = [[*own, *more] for own, more in zip(rows, shifted, strict=True)]
            found.append(Part(name, (*_JUDGED, *_SHIFTED), rows))
        else:
            found.append(Part(name, _JUDGED, rows))
    return found


def _shifted_cells(row: Row, evaluation: str) -> list[str]:
    return [_share(row.figures.get(evaluation + name)) for name in (SHIFTED_UAR, SHIFTED_SHARE)]


def first_cells(row: Row) -> list[str]:
    """Return the cells that begin a row, under `FIRST`."""
    return [row.change, f"{len(row.outcomes)} of {row.num_planned}"]


def header(ablation: Ablation) -> list[str]:
    """Return all column titles, those of evaluations with their names."""
    titles = [*FIRST]
    for part in parts(ablation):
        prefix = "" if part.titles is _TRAINING else f"{part.name}: "
        titles += [prefix + title for title in part.titles]
    return titles


def all_cells(ablation: Ablation) -> list[list[str]]:
    """Return every row's cells, as `header` has them."""
    found = parts(ablation)
    return [
        [*first_cells(row), *(cell for part in found for cell in part.cells[i])]
        for i, row in enumerate(ablation.rows)
    ]


def _training_cells(row: Row) -> list[str]:
    return [
        _number(row, "steps", "{:.0f}"),
        _number(row, "minutes", "{:.1f}"),
        _share(row.figures.get("train/accuracy")),
        _share(row.figures.get("val/accuracy")),
        _points(row.figures.get(GAP)),
        _number(row, "train/loss", "{:.3f}"),
        _number(row, "val/loss", "{:.3f}"),
        _share(row.figures.get("val/uar")),
        "base" if row.is_base else _points(row.difference),
    ]


def method_of(row: Row, ablation: Ablation, evaluation: str) -> MethodResult | None:
    """Return how a change did in an evaluation, or None if it was not judged."""
    methods = ablation.judged[evaluation].methods
    return next((method for method in methods if method.name == row.change), None)


def _judged_cells(method: MethodResult | None, row: Row) -> list[str]:
    if method is None:
        return ["-"] * 4
    gap = method.difference
    return [
        _share(method.accuracy),
        _share(method.uar),
        "base" if row.is_base else "-" if gap is None else _points(gap.uar),
        "" if gap is None else p_value(gap.holm_p),
    ]


def _number(row: Row, name: str, pattern: str) -> str:
    figure = row.figures.get(name)
    return "-" if figure is None else pattern.format(figure.estimate)


def _share(interval: Interval | None) -> str:
    return _with_bounds(interval, "{:.1f}")


def _points(interval: Interval | None) -> str:
    return _with_bounds(interval, "{:+.1f}")


def _with_bounds(interval: Interval | None, pattern: str) -> str:
    """Write a share in percent; bounds only where something could vary."""
    if interval is None:
        return "-"
    text = pattern.format(100 * interval.estimate)
    if interval.low == interval.high:
        return text
    low, high = (pattern.format(100 * bound) for bound in (interval.low, interval.high))
    return f"{text} [{low}, {high}]"
