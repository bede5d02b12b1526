"""The comparison as one page that needs no network and no other file."""

from __future__ import annotations

import re
from importlib.resources import files

from emotemporal.evaluation.metrics import ClassRecall
from emotemporal.evaluation.plots import (
    Axis,
    GuideLine,
    Kind,
    PlotRow,
    axis_around,
    confusion_plot,
    interval_plot,
)
from emotemporal.evaluation.results import Comparison, MethodResult
from emotemporal.evaluation.wording import (
    caveats,
    contenders,
    counts,
    headline,
    pair_sentence,
    percent,
    points,
    population_rows,
    subject_cells,
    table_header,
    table_row,
    title,
    verdict,
)

_HALF_PX = 460.0  # two plots stand side by side


def as_html(comparison: Comparison) -> str:
    """Return the whole page."""
    from jinja2 import Environment

    template = files(__package__).joinpath("comparison.html.jinja").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["minus"] = with_minus_signs
    best = max(contenders(comparison) or comparison.methods, key=lambda m: m.uar.estimate)
    reference = comparison.method(comparison.reference)
    shown = [reference] if best is reference else [reference, best]
    names = comparison.labels.names
    return environment.from_string(template).render(
        style=page_style(),
        note=comparison.config.note,
        headline=headline(comparison),
        reference=title(comparison.reference),
        counts=counts(comparison),
        verdicts=[verdict(m, comparison) for m in comparison.methods if m.difference],
        pair_sentence=pair_sentence(comparison),
        caveats=list(caveats(comparison)),
        population=population_rows(comparison),
        header=table_header(comparison),
        rows=[(_kind(m, comparison), table_row(m, comparison)) for m in comparison.methods],
        uar_plot=_uar_plot(comparison),
        difference_plot=_difference_plot(comparison),
        pair_plot=_pair_plot(comparison),
        subject_plots=[(title(m.name), _subject_plot(m)) for m in contenders(comparison)],
        subjects=comparison.subjects,
        subject_rows=[(title(m.name), subject_cells(m)) for m in comparison.methods],
        recall_plots=[(title(m.name), _recall_plot(m, comparison)) for m in shown],
        confusions=[
            (title(m.name), confusion_plot(m.confusion, names, f"Confusion of {title(m.name)}"))
            for m in shown
        ],
        calibration=[
            (
                title(m.name),
                f"{m.metrics.nll:.3f}",
                f"{m.metrics.brier:.3f}",
                f"{m.metrics.ece:.3f}",
            )
            for m in comparison.methods
        ],
        origin=comparison.origin,
    )


def page_style() -> str:
    """Return the style sheet of every page: light and dark, plots, tables, print."""
    return files(__package__).joinpath("report.css").read_text(encoding="utf-8")


def with_minus_signs(text: str) -> str:
    """Set the minus sign of a number as one; in tables to be read by programs it is a hyphen."""
    return re.sub(r"(?<!\w)-(?=\d)", "\N{MINUS SIGN}", text)


def _kind(method: MethodResult, comparison: Comparison) -> Kind:
    if method.name == comparison.reference:
        return "reference"
    return "baseline" if method.name in comparison.config.frame_baselines else "model"


def _uar_plot(comparison: Comparison) -> str:
    chance = 1 / len(comparison.labels)
    rows = [
        PlotRow(title(m.name), m.uar, _kind(m, comparison), percent(m.uar))
        for m in comparison.methods
    ]
    axis = axis_around([m.uar for m in comparison.methods], "UAR, %", [chance])
    return interval_plot(rows, axis, [GuideLine(chance, f"chance {100 * chance:.1f} %")])


def _difference_plot(comparison: Comparison) -> str:
    rows = [
        PlotRow(
            title(m.name),
            m.difference.uar,
            _kind(m, comparison),
            with_minus_signs(points(m.difference.uar)),
        )
        for m in comparison.methods
        if m.difference is not None
    ]
    name = title(comparison.reference)
    unit = f"difference in UAR to {name}, percentage points"
    axis = axis_around([row.interval for row in rows], unit, [0.0], is_signed=True)
    return interval_plot(rows, axis, [GuideLine(0.0, name)]) if rows else ""


def _pair_plot(comparison: Comparison) -> str:
    rows = [
        PlotRow(
            title(m.name) + (" (order-blind)" if m.is_order_blind else ""),
            m.pair_accuracy,
            _kind(m, comparison),
            percent(m.pair_accuracy),
        )
        for m in comparison.methods
        if m.pair_accuracy is not None
    ]
    axis = axis_around([row.interval for row in rows], "accuracy on the pair, %", [0.4, 1.0])
    guide = GuideLine(0.5, "order-blind: 50 % by construction")
    return interval_plot(rows, axis, [guide]) if rows else ""


def _subject_plot(method: MethodResult) -> str:
    rows = [
        PlotRow(
            f"{s.subject} ({s.num_clips} clips)",
            s.difference,
            "model",
            with_minus_signs(points(s.difference)),
        )
        for s in method.subjects
        if s.difference is not None
    ]
    unit = "difference in UAR, percentage points"
    axis = axis_around([row.interval for row in rows], unit, [0.0], is_signed=True)
    return interval_plot(rows, axis, [GuideLine(0.0, "no difference")], _HALF_PX)


def _recall_plot(method: MethodResult, comparison: Comparison) -> str:
    def row(found: ClassRecall) -> PlotRow:
        label = f"{found.emotion.value} ({found.num_clips})"
        return PlotRow(label, found.recall, _kind(method, comparison), percent(found.recall))

    rows = [row(found) for found in method.metrics.recalls]
    return interval_plot(
        rows, Axis("recall, % of the emotion's clips", 0.0, 1.0), width_px=_HALF_PX
    )
