"""Judgements as tables: CSV, JSON lines and Parquet, one schema for all: docs/tables.md."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from emotemporal.inference.predictor import Judgement
from emotemporal.labels import LabelSpace
from emotemporal.live.sinks.files import TextOut, growing_file, growing_path

_ROWS_A_GROUP = 4096
"""Of a Parquet file, held until written: under 1 MB."""
_UNITS = {"time_s": "seconds from the first frame", "track_id": "number of the face in its video"}
_UNITS |= {edge: "pixels of the frame, from its upper left corner" for edge in ("x1", "x2")}
_UNITS |= {edge: "pixels of the frame, downwards" for edge in ("y1", "y2")}


@runtime_checkable
class Table(Protocol):
    """Takes judgements in time order."""

    def write(self, judgements: Iterable[Judgement]) -> None:
        """Append judgements in the order given."""


def columns(labels: LabelSpace, has_source: bool = False) -> list[str]:
    """Return the names of a table's columns, in order."""
    return [
        *(["source"] if has_source else []),
        *("time_s", "track_id", "x1", "y1", "x2", "y2"),
        *(f"raw_{name}" for name in labels.names),
        *(f"smoothed_{name}" for name in labels.names),
        *("shown", "is_warm_up", "is_uncertain"),
    ]


def to_row(judgement: Judgement) -> list[Any]:
    """Return a judgement's values as `columns` names them, rounded as every table has them.

    `shown` is None where nothing was shown.
    """
    box = judgement.box
    return [
        round(judgement.time_s, 6),
        judgement.track_id,
        *(round(float(edge), 2) for edge in (box.x1, box.y1, box.x2, box.y2)),
        *(round(float(share), 7) for share in judgement.raw),
        *(round(float(share), 7) for share in judgement.smoothed),
        None if judgement.shown is None else judgement.shown.value,
        judgement.is_warm_up,
        judgement.is_uncertain,
    ]


class CsvTable:
    """One CSV row a face and tick of the model's clock. `labels` name the columns.

    An empty `shown` means that nothing was shown; the two flags are 0 or 1.
    """

    def __init__(
        self, out: TextOut, labels: LabelSpace, has_source: bool = False, has_head: bool = True
    ) -> None:
        # Not the csv module's own line end: the same bytes everywhere, and diff stays readable.
        self._writer = csv.writer(out, lineterminator="\n")
        self._has_source = has_source
        if has_head:
            self._writer.writerow(columns(labels, has_source))

    def write(self, judgements: Iterable[Judgement], source: str = "") -> None:
        """Append judgements in the order given."""
        for judgement in judgements:
            time_s, track_id, *values, shown, is_warm_up, is_uncertain = to_row(judgement)
            self._writer.writerow(
                [
                    *([source] if self._has_source else []),
                    f"{time_s:.6f}",
                    track_id,
                    *(f"{edge:.2f}" for edge in values[:4]),
                    *(f"{share:.7f}" for share in values[4:]),
                    "" if shown is None else shown,
                    int(is_warm_up),
                    int(is_uncertain),
                ]
            )


class JsonLines:
    """One JSON object a line; its names are the columns, its flags true or false."""

    def __init__(self, out: TextOut, labels: LabelSpace) -> None:
        self._out, self._names = out, columns(labels)

    def write(self, judgements: Iterable[Judgement]) -> None:
        """Append judgements in the order given."""
        for judgement in judgements:
            row = dict(zip(self._names, to_row(judgement), strict=True))
            self._out.write(json.dumps(row) + "\n")


class _RowGroups:
    """Rows on their way to Parquet, a group at a time."""

    def __init__(self, writer: Any, schema: Any) -> None:
        self._writer, self._schema = writer, schema
        self._rows: list[list[Any]] = []

    def write(self, judgements: Iterable[Judgement]) -> None:
        self._rows.extend(to_row(judgement) for judgement in judgements)
        if len(self._rows) >= _ROWS_A_GROUP:
            self.flush()

    def flush(self) -> None:
        import pyarrow as pa

        if self._rows:
            arrays = [
                pa.array(values, field.type)
                for values, field in zip(zip(*self._rows, strict=True), self._schema, strict=True)
            ]
            self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._rows = []


@contextmanager
def csv_file(path: Path, labels: LabelSpace) -> Iterator[CsvTable]:
    """Open a CSV file; it has its name once it is whole."""
    with growing_file(path) as file:
        yield CsvTable(file, labels)


@contextmanager
def json_lines_file(path: Path, labels: LabelSpace) -> Iterator[JsonLines]:
    """Open a JSON lines file; it has its name once it is whole."""
    with growing_file(path) as file:
        yield JsonLines(file, labels)


@contextmanager
def parquet_file(path: Path, labels: LabelSpace) -> Iterator[Table]:
    """Open a Parquet file; it has its name once it is whole. Units stand beside its columns."""
    import pyarrow.parquet as pq

    schema = _parquet_schema(labels)
    with growing_path(path) as part, pq.ParquetWriter(part, schema) as writer:
        groups = _RowGroups(writer, schema)
        yield groups
        groups.flush()


def _parquet_schema(labels: LabelSpace) -> Any:
    import pyarrow as pa

    kinds = {"track_id": pa.int64(), "shown": pa.string()}
    kinds |= {"is_warm_up": pa.bool_(), "is_uncertain": pa.bool_()}
    return pa.schema(
        [
            pa.field(
                name,
                kinds.get(name, pa.float64()),
                metadata={"unit": _UNITS[name]} if name in _UNITS else None,
            )
            for name in columns(labels)
        ]
    )
