"""The plots of a comparison's page: one mark and its interval a row."""

from __future__ import annotations

from collections.abc import Sequence

from emotemporal.evaluation.comparison.by_group import group_sentence
from emotemporal.evaluation.comparison.results import Comparison, MethodResult
from emotemporal.evaluation.metrics import ClassRecall
from emotemporal.evaluation.plots import (
    ROW_PX,
    Axis,
    GuideLine,
    Kind,
    PlotRow,
    axis_around,
    interval_plot,
    with_minus_signs,
)
from emotemporal.evaluation.spelling import percent, points, title

_HALF_PX = 460.0  # two plots stand side by side
_DENSE_PX = 15.0
_MAX_ROOMY = 24  # more subjects than this stand closer together


def kind_of(method: MethodResult, comparison: Comparison) -> Kind:
    """Return how a method is drawn."""
    if method.name == comparison.reference:
        return "reference"
    if method.name in comparison.config.controls:
        return "control"
    return "baseline" if method.name in comparison.config.frame_baselines else "model"


def uar_plot(comparison: Comparison) -> str:
    """Return each method's UAR beside chance."""
    chance = 1 / len(comparison.labels)
    rows = [
        PlotRow(title(m.name), m.uar, kind_of(m, comparison), percent(m.uar))
        for m in comparison.methods
    ]
    axis = axis_around([m.uar for m in comparison.methods], "UAR, %", [chance])
    return interval_plot(rows, axis, [GuideLine(chance, f"chance {100 * chance:.1f} %")])


def difference_plot(comparison: Comparison) -> str:
    """Return each method's difference to the reference; nothing if there is none."""
    rows = [
        PlotRow(
            title(m.name),
            m.difference.uar,
            kind_of(m, comparison),
            with_minus_signs(points(m.difference.uar)),
        )
        for m in comparison.methods
        if m.difference is not None
    ]
    name = title(comparison.reference)
    unit = f"difference in UAR to {name}, percentage points"
    axis = axis_around([row.interval for row in rows], unit, [0.0], is_signed=True)
    return interval_plot(rows, axis, [GuideLine(0.0, name)]) if rows else ""


def pair_plot(comparison: Comparison) -> str:
    """Return each method's accuracy on the time-reversed pair; nothing without a pair."""
    rows = [
        PlotRow(
            title(m.name) + (" (order-blind)" if m.is_order_blind else ""),
            m.pair_accuracy,
            kind_of(m, comparison),
            percent(m.pair_accuracy),
        )
        for m in comparison.methods
        if m.pair_accuracy is not None
    ]
    axis = axis_around([row.interval for row in rows], "accuracy on the pair, %", [0.4, 1.0])
    guide = GuideLine(0.5, "order-blind: 50 % by construction")
    return interval_plot(rows, axis, [guide]) if rows else ""


def subject_plot(method: MethodResult) -> str:
    """Return each subject's difference to the reference, largest first."""
    subjects = sorted(
        (s for s in method.subjects if s.difference is not None),
        key=lambda s: -s.difference.estimate if s.difference is not None else 0.0,
    )
    rows = [
        PlotRow(
            f"{s.subject} ({s.num_clips} clips)",
            s.difference,
            "model",
            with_minus_signs(points(s.difference)),
        )
        for s in subjects
        if s.difference is not None
    ]
    unit = "difference in UAR, percentage points"
    axis = axis_around([row.interval for row in rows], unit, [0.0], is_signed=True)
    row_px = _DENSE_PX if len(rows) > _MAX_ROOMY else ROW_PX
    return interval_plot(rows, axis, [GuideLine(0.0, "no difference")], _HALF_PX, row_px)


def recall_plot(method: MethodResult, comparison: Comparison) -> str:
    """Return each emotion's recall."""

    def row(found: ClassRecall) -> PlotRow:
        label = f"{found.emotion.value} ({found.num_clips})"
        return PlotRow(label, found.recall, kind_of(method, comparison), percent(found.recall))

    rows = [row(found) for found in method.metrics.recalls]
    return interval_plot(
        rows, Axis("recall, % of the emotion's clips", 0.0, 1.0), width_px=_HALF_PX
    )


def audit_plots(
    comparison: Comparison, shown: Sequence[MethodResult]
) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Return for each audited column its name, what it rests on, and a plot a method."""
    found = []
    for i, audit in enumerate(comparison.methods[0].audits):
        intervals = [group.uar for method in shown for group in method.audits[i].groups]
        axis = axis_around(intervals, "UAR, %")
        plots = []
        for method in shown:
            rows = [
                PlotRow(
                    f"{g.group} ({g.num_subjects} subj.)",
                    g.uar,
                    kind_of(method, comparison),
                    percent(g.uar),
                )
                for g in method.audits[i].groups
            ]
            gap = method.audits[i].gap
            told = "" if gap is None else f": {gap.better} over {gap.worse} {points(gap.uar)}"
            name = with_minus_signs(f"{title(method.name)}{told}")
            plots.append((name, interval_plot(rows, axis, width_px=_HALF_PX)))
        found.append((audit.column, group_sentence(audit), plots))
    return found
