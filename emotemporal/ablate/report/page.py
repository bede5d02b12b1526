"""A study as one page that needs no network and no other file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from emotemporal.ablate.report.curves import curve_panels, gap_plot
from emotemporal.ablate.report.findings import caveats, headline, verdicts
from emotemporal.ablate.report.formats import as_csv, as_latex, as_markdown
from emotemporal.ablate.report.outcomes import Ablation, Row
from emotemporal.ablate.report.table import FIRST, Part, first_cells, parts
from emotemporal.ablate.report.untouched import speaker_table, untouched, untouched_rows
from emotemporal.ablate.runs.grid import BASE
from emotemporal.evaluation.comparison.results import Comparison
from emotemporal.evaluation.comparison.wording import counts as counts_of
from emotemporal.evaluation.metrics import Interval
from emotemporal.evaluation.pages import fill_page
from emotemporal.evaluation.plots import (
    GuideLine,
    Kind,
    PlotRow,
    axis_around,
    interval_plot,
    with_minus_signs,
)
from emotemporal.evaluation.spelling import percent, points
from emotemporal.storage import write_atomically


def as_html(ablation: Ablation) -> str:
    """Return the whole page."""
    num_seeds = max(len(row.outcomes) for row in ablation.rows)
    same = untouched(ablation.judged)
    return fill_page(
        __package__,
        "ablation.html.jinja",
        name=ablation.grid.name.replace("_", " "),
        note=ablation.grid.note,
        question=ablation.grid.question,
        headline=headline(ablation),
        counts=_counts(ablation),
        failures=ablation.failures,
        evaluations=[
            (name, _judged(comparison), _difference_plot(comparison), _uar_plot(comparison))
            for name, comparison in ablation.judged.items()
            if name not in same
        ],
        speakers=_speakers(ablation),
        untouched=untouched_rows(ablation),
        validation_plot=_validation_plot(ablation.rows),
        validation_intervals=" with Student's intervals" if num_seeds > 1 else "; one seed",
        gap_plot=gap_plot(ablation.rows),
        curves=[
            plot
            for plot in (
                curve_panels(ablation.rows, "loss", "cross-entropy, nats"),
                curve_panels(ablation.rows, "accuracy", "accuracy, %", factor=100.0),
            )
            if plot
        ],
        tables=[
            (part.name, [*FIRST, *part.titles], _rows(ablation, part))
            for part in parts(ablation)
            if part.name not in same
        ],
        changes=[(name, _flat(options)) for name, options in ablation.grid.changes.items()],
        verdicts=list(verdicts(ablation)),
        caveats=list(caveats(ablation)),
        origin=ablation.origin,
    )


def write_ablation(ablation: Ablation, folder: Path) -> list[Path]:
    """Write `report.html`, `ablation.csv`, `ablation.md` and `ablation.tex` into `folder`."""
    sentences = [headline(ablation), *verdicts(ablation), *caveats(ablation)]
    written = []
    for name, text in (
        ("report.html", as_html(ablation)),
        ("ablation.csv", as_csv(ablation)),
        ("ablation.md", as_markdown(ablation, sentences)),
        ("ablation.tex", as_latex(ablation)),
    ):
        write_atomically(folder / name, text.encode())
        written.append(folder / name)
    return written


def _rows(ablation: Ablation, part: Part) -> list[tuple[Kind, list[str]]]:
    return [
        (_kind(row.change), [*first_cells(row), *cells])
        for row, cells in zip(ablation.rows, part.cells, strict=True)
    ]


def _speakers(ablation: Ablation) -> tuple[str, list[str], list[list[str]]] | None:
    """Return the primary evaluation's name, and each speaker's difference in it."""
    for name, comparison in ablation.judged.items():
        table = speaker_table(comparison)
        return None if table is None else (name, *table)
    return None


def _counts(ablation: Ablation) -> str:
    done = sum(len(row.outcomes) for row in ablation.rows)
    planned = sum(row.num_planned for row in ablation.rows)
    seeds = len(ablation.grid.seeds)
    return (
        f"{len(ablation.grid.changes)} changes and the base, {seeds} "
        f"{'seed' if seeds == 1 else 'seeds'}: {done} of {planned} runs have finished"
    )


def _judged(comparison: Comparison) -> str:
    if comparison.subjects != ("",):
        return counts_of(comparison)
    dropped = f", {comparison.num_dropped} dropped" if comparison.num_dropped else ""
    return f"{comparison.num_clips} images{dropped}, {len(comparison.labels)} emotions"


def _kind(name: str) -> Kind:
    return "reference" if name == BASE else "model"


def _uar_plot(comparison: Comparison) -> str:
    chance = 1 / len(comparison.labels)
    found = sorted(comparison.methods, key=lambda m: -m.uar.estimate)
    rows = [PlotRow(m.name, m.uar, _kind(m.name), percent(m.uar)) for m in found]
    lowest = min(m.uar.low for m in found)
    # Chance is drawn where it does not squeeze what is compared into a corner.
    is_near = lowest - chance < 0.15
    guides = [GuideLine(chance, f"chance {100 * chance:.1f} %")] if is_near else []
    axis = axis_around([m.uar for m in found], "UAR, %", [guide.value for guide in guides])
    return interval_plot(rows, axis, guides)


def _difference_plot(comparison: Comparison) -> str:
    gains = {m.name: m.difference.uar for m in comparison.methods if m.difference is not None}
    return _gains_plot(gains, "difference in UAR to the base, percentage points")


def _gains_plot(gains: Mapping[str, Interval], unit: str) -> str:
    if not gains:
        return ""
    ordered = sorted(gains.items(), key=lambda item: -item[1].estimate)
    rows = [PlotRow(name, gain, "model", with_minus_signs(points(gain))) for name, gain in ordered]
    axis = axis_around(list(gains.values()), unit, [0.0], is_signed=True)
    return interval_plot(rows, axis, [GuideLine(0.0, "base")])


def _validation_plot(rows: Sequence[Row]) -> str:
    found = [row for row in rows if "val/uar" in row.figures]
    if not found:
        return ""
    found.sort(key=lambda row: -row.figures["val/uar"].estimate)
    plotted = [
        PlotRow(row.change, _within_shares(row.figures["val/uar"]), _kind(row.change), text)
        for row, text in zip(found, map(_validation_text, found), strict=True)
    ]
    axis = axis_around([row.interval for row in plotted], "UAR on validation, %")
    return interval_plot(plotted, axis)


def _validation_text(row: Row) -> str:
    uar = row.figures["val/uar"]
    return percent(uar) if uar.low < uar.high else f"{100 * uar.estimate:.1f}"


def _within_shares(interval: Interval) -> Interval:
    """Cut what Student's interval of few seeds says beyond 0 and 1."""
    low, high = max(0.0, interval.low), min(1.0, interval.high)
    return Interval(interval.estimate, low, high, interval.confidence)


def _flat(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in _leaves(options))


def _leaves(options: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
