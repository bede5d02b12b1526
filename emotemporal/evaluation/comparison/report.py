"""Write a comparison down: a page to look at, a table for a spreadsheet, one for a README."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from emotemporal.evaluation.comparison.page import as_html
from emotemporal.evaluation.comparison.results import Comparison, MethodResult
from emotemporal.evaluation.comparison.tables import (
    Table,
    group_tables,
    recall_table,
    subject_differences,
    subject_table,
    trust_table,
)
from emotemporal.evaluation.comparison.wording import (
    caveats,
    counts,
    headline,
    pair_sentence,
    sources,
    table_header,
    table_row,
)
from emotemporal.evaluation.metrics import Interval
from emotemporal.storage import write_atomically


def write_comparison(comparison: Comparison, folder: Path) -> list[Path]:
    """Write `report.html`, `comparison.csv` and `comparison.md` into `folder`.

    The page needs no network and no other file. The CSV begins with `# ` lines (the note, origin):
    read it with `pandas.read_csv(path, comment="#")`.

    Returns:
        The files, the page first.
    """
    written = []
    for name, text in (
        ("report.html", as_html(comparison)),
        ("comparison.csv", as_csv(comparison)),
        ("comparison.md", as_markdown(comparison)),
    ):
        path = folder / name
        write_atomically(path, text.encode())
        written.append(path)
    return written


def as_text(comparison: Comparison) -> str:
    """Return the table for a terminal, the note at its head."""
    rows = [table_header(comparison)] + [table_row(m, comparison) for m in comparison.methods]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]

    def line(cells: Sequence[str]) -> str:
        padded = [cells[0].ljust(widths[0])]
        padded += [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        return "  ".join(padded).rstrip()

    table = [line(rows[0]), "  ".join("-" * width for width in widths), *map(line, rows[1:])]
    return "\n".join([*_head(comparison), "", *table, "", headline(comparison), *_tail(comparison)])


def as_markdown(comparison: Comparison) -> str:
    """Return the table and its sentences as Markdown, the note at its head."""
    header = table_header(comparison)
    rows = [table_row(m, comparison) for m in comparison.methods]
    note = [f"> **{comparison.config.note}**", ""] if comparison.config.note else []
    lines = [*note, headline(comparison), "", counts(comparison), ""]
    lines += [_pipes(header), _pipes([":--"] + ["--:"] * (len(header) - 1)), *map(_pipes, rows), ""]
    for table in _further(comparison):
        lines += [f"**{table.heading}**", "", *_as_pipes(table), ""]
    lines += [*(f"- {sentence}" for sentence in (*_tail(comparison), *sources(comparison)))]
    lines += ["", *(f"- {name}: `{value}`" for name, value in comparison.origin.items())]
    return "\n".join(lines).rstrip() + "\n"


def as_csv(comparison: Comparison) -> str:
    """Return one line a method, shares as 0 to 1, each figure with its interval."""
    out = io.StringIO()
    for line in [*_head(comparison), *(f"{k}: {v}" for k, v in comparison.origin.items())]:
        out.write("# " + " ".join(line.split()) + "\n")
    records = [_record(method, comparison) for method in comparison.methods]
    writer = csv.DictWriter(out, list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return out.getvalue()


def read_origin(path: Path) -> dict[str, str]:
    """Return what a comparison's CSV says of its origin, by name."""
    with path.open(encoding="utf-8") as lines:
        head = list(takewhile(lambda line: line.startswith("# "), lines))
    told = (line.removeprefix("# ").strip().partition(": ") for line in head)
    return {name: value for name, colon, value in told if colon}


def _head(comparison: Comparison) -> list[str]:
    note = [comparison.config.note] if comparison.config.note else []
    return [*note, counts(comparison)]


def _tail(comparison: Comparison) -> list[str]:
    return [text for text in (pair_sentence(comparison), *caveats(comparison)) if text]


def _further(comparison: Comparison) -> list[Table]:
    differences = subject_differences(comparison)
    return [
        subject_table(comparison),
        *([differences] if differences else []),
        recall_table(comparison),
        trust_table(comparison),
        *group_tables(comparison),
    ]


def _as_pipes(table: Table) -> list[str]:
    rule = _pipes([":--"] + ["--:"] * (len(table.header) - 1))
    note = ["", table.note] if table.note else []
    return [_pipes(table.header), rule, *map(_pipes, table.rows), *note]


def _pipes(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _record(method: MethodResult, comparison: Comparison) -> dict[str, str | int | float]:
    record: dict[str, str | int | float] = {
        "method": method.name,
        "is_reference": int(method.name == comparison.reference),
        "num_seeds": method.num_seeds,
        "num_clips": comparison.num_clips,
        "num_dropped": comparison.num_dropped,
    }
    difference = method.difference
    for name, interval in (
        ("uar", method.uar),
        ("accuracy", method.accuracy),
        ("macro_f1", method.macro_f1),
        ("uar_difference", None if difference is None else difference.uar),
        ("pair_accuracy", method.pair_accuracy),
        ("nll", method.trust.nll),
        ("brier", method.trust.brier),
        ("ece", method.trust.ece),
        ("odds_ratio", None if difference is None else difference.odds_ratio),
        ("d_z", None if difference is None else difference.d_z),
    ):
        record |= _interval_fields(name, interval)
    record |= {
        "mcnemar_p": "" if difference is None else _digits(difference.mcnemar.p_value),
        "mcnemar_p_holm": "" if difference is None else _digits(difference.holm_p),
        "population_p": _or_empty(None if difference is None else difference.population.p_value),
        "population_p_holm": _or_empty(
            None if difference is None else difference.population_holm_p
        ),
    }
    for own in method.subjects:
        record |= _interval_fields(f"uar_{own.subject}", own.uar)
    for own in method.subjects:
        record |= _interval_fields(f"uar_difference_{own.subject}", own.difference)
    for found in method.metrics.recalls:
        recall = found.recall if found.num_clips else None
        record |= _interval_fields(f"recall_{found.emotion.value}", recall)
    for audit in method.audits:
        for group in audit.groups:
            record |= _interval_fields(f"uar_{audit.column}_{group.group}", group.uar)
        gap = None if audit.gap is None else audit.gap.uar
        record |= _interval_fields(f"gap_{audit.column}", gap)
    return record


def _or_empty(value: float | None) -> str:
    return "" if value is None else _digits(value)


def _interval_fields(name: str, interval: Interval | None) -> dict[str, str]:
    values = ("", "", "")
    if interval is not None:
        values = (_digits(interval.estimate), _digits(interval.low), _digits(interval.high))
    return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))


def _digits(value: float) -> str:
    return f"{value:.6g}"
