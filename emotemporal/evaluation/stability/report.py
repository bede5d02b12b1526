"""Write a smoothing study down: a page to look at, tables for a spreadsheet and for a README."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from emotemporal.evaluation.pages import fill_page
from emotemporal.evaluation.stability.bootstrap import Figures
from emotemporal.evaluation.stability.lag_plot import LagCurve, lag_plot
from emotemporal.evaluation.stability.results import MethodResult, SmoothingStudy
from emotemporal.evaluation.stability.wording import (
    CONTEST_HEADER,
    HEADER,
    contest_row,
    headline,
    method_row,
    notes,
    title,
)
from emotemporal.storage import write_atomically

SETTINGS_HEADER = (
    "method",
    "setting",
    "spurious_per_minute",
    "median_lag_s",
    "p95_lag_s",
    "changes",
    "pre_set",
    "missed",
    "missed_share",
    "within_0.5_s",
    "within_1_s",
    "within_2_s",
    "macro_f1",
    "uar",
    "uncertain_share",
    "uncertain_toggles_per_minute",
    "is_chosen",
)


def write_study(study: SmoothingStudy, folder: Path) -> list[Path]:
    """Write `report.html`, `smoothing.md`, `smoothing.csv` and `settings.csv` into `folder`.

    `smoothing.csv` has the chosen settings on the test streams and takes, with the ends of each
    interval; `settings.csv` every setting on the streams that were tuned on.

    Returns:
        The files, the page first.
    """
    written = []
    for name, text in (
        ("report.html", as_html(study)),
        ("smoothing.md", as_markdown(study)),
        ("smoothing.csv", as_csv(study)),
        ("settings.csv", settings_csv(study)),
    ):
        write_atomically(folder / name, text.encode())
        written.append(folder / name)
    return written


def as_html(study: SmoothingStudy) -> str:
    """Return the whole page; it needs no network and no other file."""
    return fill_page(
        __package__,
        "smoothing.html.jinja",
        headline=headline(study),
        counts=study.counts,
        plot=lag_plot(
            [_curve(method, study) for method in study.methods],
            study.rules.choice.max_lag_s,
            "Spurious switches and missed changes against median lag, a curve a method",
        ),
        header=HEADER,
        tables=[
            (name, [(_kind(m), method_row(m, f)) for m, f in rows]) for name, rows in _tables(study)
        ],
        contest_header=CONTEST_HEADER,
        contests=[contest_row(contest) for contest in study.contests],
        notes=list(notes(study)),
        origin=study.origin,
    )


def as_text(study: SmoothingStudy) -> str:
    """Return the headline and the chosen settings, to be read in a terminal."""
    lines = [headline(study)]
    for name, rows in _tables(study):
        lines.append(f"{name}: {study.counts[name]}")
        for method, figures in rows:
            _, setting, spurious, median, _, missed, *_, macro_f1, _ = method_row(method, figures)
            lines.append(
                f"  {title(method.name):<22} {setting:<46} spurious/min {spurious}  lag {median} s"
                f"  missed {missed} %  macro-F1 {macro_f1} %"
            )
    lines += [
        f"  {one} / {other}, {where}: spurious {ratio}, missed {missed} points, "
        f"macro-F1 {gain} points" + (f", p {p}" if p else "")
        for one, other, where, ratio, missed, gain, p in map(contest_row, study.contests)
    ]
    return "\n".join(lines)


def as_markdown(study: SmoothingStudy) -> str:
    """Return the tables for a README."""
    lines = [f"**{headline(study)}**", ""]
    for name, rows in _tables(study):
        lines += [f"On {name}: {study.counts[name]}.", ""]
        lines += _markdown_table(HEADER, [method_row(m, f) for m, f in rows])
    if study.contests:
        lines += _markdown_table(CONTEST_HEADER, [contest_row(c) for c in study.contests])
    lines += [f"- {note}" for note in notes(study)]
    lines += ["", f"Commit {study.origin.get('commit', 'unknown')}."]
    return "\n".join(lines) + "\n"


def as_csv(study: SmoothingStudy) -> str:
    """Return the chosen settings with estimates and ends of intervals, in plain units."""
    names = ("spurious_per_minute", "median_lag_s", "p95_lag_s", "missed_share", "macro_f1", "uar")
    columns = [f"{name}{end}" for name in names for end in ("", "_low", "_high")]
    rows = []
    for where, table in _tables(study):
        for method, figures in table:
            ends = [getattr(figures, name) for name in names]
            values = [v for e in ends for v in (e.estimate, e.low, e.high)]
            rows.append([where, method.name, method.choice.name, *(f"{v:.6g}" for v in values)])
    return _csv(("streams", "method", "setting", *columns), rows)


def settings_csv(study: SmoothingStudy) -> str:
    """Return every setting's figures on the streams that were tuned on."""
    rows = []
    for method in study.methods:
        for setting, score in study.tuned[method.name].items():
            s = score.stability
            figures = [s.spurious_per_minute, s.median_lag_s, s.p95_lag_s]
            counts = [s.num_changes, s.num_pre_set, s.num_missed]
            shares = [score.missed_share, *s.share_within.values(), score.macro_f1, score.uar]
            shares += [s.uncertain_share, s.uncertain_toggles_per_minute]
            is_chosen = int(setting == method.choice.name)
            rows.append(
                [
                    method.name,
                    setting,
                    *(f"{v:.6g}" for v in figures),
                    *map(str, counts),
                    *(f"{v:.6g}" for v in shares),
                    str(is_chosen),
                ]
            )
    return _csv(SETTINGS_HEADER, rows)


def _tables(
    study: SmoothingStudy,
) -> Iterator[tuple[str, list[tuple[MethodResult, Figures]]]]:
    yield "test", [(method, method.test) for method in study.methods]
    takes = [(method, method.takes) for method in study.methods if method.takes is not None]
    if takes:
        yield "takes", takes


def _curve(method: MethodResult, study: SmoothingStudy) -> LagCurve:
    front = study.fronts[method.name]
    return LagCurve(
        title(method.name), list(front.values()), front.get(method.choice.name), method.is_learned
    )


def _kind(method: MethodResult) -> str:
    return "model" if method.is_learned else "baseline"


def _markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return [*(f"| {' | '.join(line)} |" for line in lines), ""]


def _csv(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()
