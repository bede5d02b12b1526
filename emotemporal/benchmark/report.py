"""One benchmark's figures: a table to read, a JSON to keep, and a comparison with another one."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from emotemporal.benchmark.machine import Machine
from emotemporal.benchmark.measure import Row
from emotemporal.storage import write_json

FORMAT_VERSION = 1


@dataclass(frozen=True)
class OutputConfig:
    """Where a benchmark's figures go beside the table, and what they are held against."""

    json: str | None = None
    """File to keep the figures in."""
    compare: str | None = None
    """JSON of an earlier run: the table then has its medians, and the ratio to them."""


@dataclass(frozen=True)
class Report:
    """What was measured, on what."""

    kind: str
    machine: Machine
    rows: Sequence[Row]
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What was set, and what was found that is no time."""

    def to_json(self) -> dict[str, Any]:
        """Return plain values; what is no number is null."""
        rows = [
            asdict(row) | {"median": row.median, "best": row.best, "spread": row.spread}
            for row in self.rows
        ]
        return _finite(
            {
                "format_version": FORMAT_VERSION,
                "kind": self.kind,
                "machine": asdict(self.machine),
                "facts": dict(self.facts),
                "rows": rows,
            }
        )


def finish(report: Report, output: OutputConfig) -> str:
    """Write the JSON where one is asked for; return the table.

    Raises:
        ValueError: The run to compare with is another kind's, or no such JSON.
    """
    before = None if output.compare is None else read_medians(Path(output.compare), report.kind)
    if output.json is not None:
        write_json(Path(output.json), report.to_json())
    return as_table(report, before)


def read_medians(path: Path, kind: str) -> dict[str, float]:
    """Return the medians of an earlier run by name; what was no number then is left out.

    Raises:
        ValueError: It is another kind's, or no such JSON.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        medians = {str(row["name"]): row["median"] for row in value["rows"]}
        found = {name: float(median) for name, median in medians.items() if median is not None}
        found_kind = value["kind"]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not what 'benchmark --json' writes ({error})") from error
    if found_kind != kind:
        raise ValueError(f"{path} is of benchmark {found_kind}, not {kind}; compare like with like")
    return found


def as_table(report: Report, before: Mapping[str, float] | None = None) -> str:
    """Return a Markdown table with the machine above it."""
    heads = ["", "unit", "median", "quartiles apart", "best", "limit", "best / limit"]
    if before is not None:
        heads += ["before", "now / before"]
    cells = [
        [*_cells(row), *(_against(row, before) if before is not None else [])]
        for row in report.rows
    ]
    widths = [max(len(line[i]) for line in [heads, *cells]) for i in range(len(heads))]
    lines = [heads, ["-" * width for width in widths], *cells]
    table = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(x, widths, strict=True)) + " |" for x in lines
    ]
    facts = [f"{name}: {_told(value)}" for name, value in report.facts.items()]
    notes = [f"{row.name}: {row.note}" for row in report.rows if row.note]
    return "\n".join(
        [f"benchmark {report.kind} on {report.machine}", "", *table, "", *facts, *notes]
    )


def _cells(row: Row) -> list[str]:
    share = row.of_limit
    return [
        row.name,
        row.unit,
        _number(row.median),
        _number(row.spread),
        _number(row.best),
        "" if row.limit is None else _number(row.limit),
        "" if share is None else f"{share:.0%}",
    ]


def _against(row: Row, before: Mapping[str, float]) -> list[str]:
    if row.name not in before or not before[row.name]:
        return ["", ""]
    return [_number(before[row.name]), f"{row.median / before[row.name]:.2f}"]


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "-"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 3
    return f"{value:.{digits}f}"


def _told(value: Any) -> str:
    return _number(value) if isinstance(value, float) else str(value)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
