"""The table of a study as text: for a terminal, as Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from emotemporal.ablate.report.outcomes import GAP, SHIFTED_SHARE, SHIFTED_UAR, Ablation, Row
from emotemporal.ablate.report.table import all_cells, header, method_of
from emotemporal.ablate.report.untouched import untouched, untouched_rows
from emotemporal.evaluation.metrics import Interval

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


def as_markdown(ablation: Ablation, sentences: Sequence[str]) -> str:
    """Return the question, the table, and what there is to know about it."""
    titles = header(ablation)
    head = [f"> **{ablation.grid.note}**", ""] if ablation.grid.note else []
    head += [ablation.grid.question, ""] if ablation.grid.question else []
    lines = [*head, _pipes(titles), _pipes([":--"] + ["--:"] * (len(titles) - 1))]
    lines += [_pipes(row) for row in all_cells(ablation)]
    lines += ["", *(f"- {sentence}" for sentence in sentences)]
    lines += ["", *(f"- {name}: `{value}`" for name, value in ablation.origin.items())]
    return "\n".join(lines).rstrip() + "\n"


def as_text(ablation: Ablation) -> str:
    """Return the table for a terminal, turned: one block a change, what failed at the end."""
    titles = header(ablation)
    width = max(map(len, titles))
    same = tuple(f"{name}: " for name in untouched(ablation.judged))
    blocks = []
    for row in all_cells(ablation):
        named = list(zip(titles, row, strict=True))
        lines = [
            f"  {title:<{width}}  {cell}"
            for title, cell in named[1:]
            if cell not in ("", "-") and not title.startswith(same)
        ]
        blocks.append("\n".join([row[0], *lines]))
    beside = untouched_rows(ablation)
    if beside:
        rows = [f"  {name:<{width}}  UAR {uar} %" for name, _, uar in beside]
        blocks.append("\n".join(["the same in every row", *rows]))
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
    shifted = [name + kind for name in ablation.judged for kind in (SHIFTED_UAR, SHIFTED_SHARE)]
    for name in (*_FIGURES, *shifted):
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
        *map(_ampersands, all_cells(ablation)),
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
