"""The one table of a study: cells for people, records for programs, Markdown, CSV, LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from emotemporal.ablate.outcomes import GAP, Ablation, Row
from emotemporal.evaluation.metrics import Interval
from emotemporal.evaluation.results import MethodResult
from emotemporal.evaluation.wording import p_value

_FIGURES = (
    "epoch",
    "steps",
    "minutes",
    "train/loss",
    "train/accuracy",
    "val/loss",
    "val/accuracy",
    "val/uar",
    "val/macro_f1",
    GAP,
)
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


def header(ablation: Ablation) -> list[str]:
    """Return the column titles; columns only of what there is."""
    titles = ["change", "seeds"]
    if _has_training(ablation):
        titles += [
            "steps",
            "minutes",
            "train accuracy %",
            "val accuracy %",
            "gap, points",
            "train loss",
            "val loss",
            "val UAR %",
            "val UAR difference, points",
        ]
    for name in ablation.judged:
        titles += [
            f"{name}: accuracy %",
            f"{name}: UAR %",
            f"{name}: UAR difference, points",
            f"{name}: McNemar p (Holm)",
        ]
    return titles


def cells(row: Row, ablation: Ablation) -> list[str]:
    """Return one row's cells, as `header` has them; a run that failed leaves dashes."""
    found = [row.change, f"{len(row.outcomes)} of {row.num_planned}"]
    if _has_training(ablation):
        found += [
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
    for name in ablation.judged:
        found += _judged_cells(method_of(row, ablation, name), row)
    return found


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


def _has_training(ablation: Ablation) -> bool:
    return any("train/loss" in row.figures for row in ablation.rows)


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


def as_markdown(ablation: Ablation, sentences: Sequence[str]) -> str:
    """Return the question, the table, and what there is to know about it."""
    titles = header(ablation)
    head = [f"> **{ablation.grid.note}**", ""] if ablation.grid.note else []
    head += [ablation.grid.question, ""] if ablation.grid.question else []
    lines = [*head, _pipes(titles), _pipes([":--"] + ["--:"] * (len(titles) - 1))]
    lines += [_pipes(cells(row, ablation)) for row in ablation.rows]
    lines += ["", *(f"- {sentence}" for sentence in sentences)]
    lines += ["", *(f"- {name}: `{value}`" for name, value in ablation.origin.items())]
    return "\n".join(lines).rstrip() + "\n"


def as_text(ablation: Ablation) -> str:
    """Return the table for a terminal, turned: one block a change, what failed at the end."""
    titles = header(ablation)
    width = max(map(len, titles))
    blocks = []
    for row in ablation.rows:
        named = list(zip(titles, cells(row, ablation), strict=True))
        lines = [
            f"  {title:<{width}}  {cell}" for title, cell in named[1:] if cell not in ("", "-")
        ]
        blocks.append("\n".join([row.change, *lines]))
    failed = [f"failed: {f.what}: {f.reason}\n  log: {f.log}" for f in ablation.failures]
    return "\n\n".join([*filter(None, [ablation.grid.question]), *blocks, *failed])


def as_csv(ablation: Ablation) -> str:
    """Return one line a change, shares as 0 to 1, each figure with its interval.

    Begins with `# ` lines: read it with `pandas.read_csv(text, comment="#")`.
    """
    out = io.StringIO()
    known = [ablation.grid.note, ablation.grid.question]
    for line in [*filter(None, known), *(f"{k}: {v}" for k, v in ablation.origin.items())]:
        out.write("# " + " ".join(line.split()) + "\n")
    records = [_record(row, ablation) for row in ablation.rows]
    names = list(dict.fromkeys(name for record in records for name in record))
    writer = csv.DictWriter(out, names, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(records)
    return out.getvalue()


def _record(row: Row, ablation: Ablation) -> dict[str, str | int]:
    record: dict[str, str | int] = {
        "change": row.change.replace("#", "no. "),  # what follows a hash is a comment there
        "num_seeds": len(row.outcomes),
        "num_planned": row.num_planned,
    }
    for name in _FIGURES:
        if name in row.figures:
            record |= _bounds(name, row.figures[name])
    if row.difference is not None:
        record |= _bounds("val/uar_difference", row.difference)
    for name in ablation.judged:
        method = method_of(row, ablation, name)
        if method is None:
            continue
        record |= _bounds(f"{name}/uar", method.uar)
        record |= _bounds(f"{name}/accuracy", method.accuracy)
        record |= _bounds(f"{name}/macro_f1", method.macro_f1)
        record |= {f"{name}/nll": _digits(method.metrics.nll)}
        record |= {f"{name}/ece": _digits(method.metrics.ece)}
        if method.difference is not None:
            record |= _bounds(f"{name}/uar_difference", method.difference.uar)
            record |= {f"{name}/mcnemar_p": _digits(method.difference.mcnemar.p_value)}
            record |= {f"{name}/mcnemar_p_holm": _digits(method.difference.holm_p)}
    return record


def _bounds(name: str, interval: Interval) -> dict[str, str]:
    if interval.low == interval.high:
        return {name: _digits(interval.estimate)}
    return {
        name: _digits(interval.estimate),
        f"{name}_low": _digits(interval.low),
        f"{name}_high": _digits(interval.high),
    }


def as_latex(ablation: Ablation) -> str:
    """Return a `tabular` for the packages booktabs and graphicx, with the question above it."""
    titles = header(ablation)
    lines = [
        "% " + " ".join(ablation.grid.question.split()),
        "% needs \\usepackage{booktabs}",
        "\\begin{tabular}{l" + "r" * (len(titles) - 1) + "}",
        "\\toprule",
        _ampersands(titles),
        "\\midrule",
        *(_ampersands(cells(row, ablation)) for row in ablation.rows),
        "\\bottomrule",
        "\\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def escape_latex(text: str) -> str:
    """Return text as LaTeX prints it; a hyphen before a digit becomes a minus sign."""
    escaped = "".join(_LATEX.get(sign, sign) for sign in text)
    return re.sub(r"(?<!\w)-(?=\d)", "$-$", escaped)


def _ampersands(row: Sequence[str]) -> str:
    text = " & ".join(escape_latex(cell) for cell in row)
    # An opening bracket at a row's start would be read as an option of the line break before it.
    return ("{[}" + text[1:] if text.startswith("[") else text) + r" \\"


def _pipes(row: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def _digits(value: float) -> str:
    return f"{value:.6g}"
