"""Splits as a CSV that is also a manifest: written once, read by every job."""

from __future__ import annotations

from pathlib import Path

from emotemporal.data.files import split_of_folder, summarise
from emotemporal.data.table import TIME_COLUMNS, DatasetTable, Problem, add_problems
from emotemporal.reading import read_table
from emotemporal.storage import write_atomically

_COLUMNS = {
    "path": "path",
    "label": "emotion",
    "subject": "subject",
    "take": "take",
    "split": "split",
    "start": "start_s",
    "end": "end_s",
}


def write_split_file(table: DatasetTable, path: Path) -> None:
    """Write every row's split; whole, or not at all."""
    columns = {theirs: ours for theirs, ours in _COLUMNS.items() if ours in table.rows.columns}
    rows = table.rows[list(columns.values())].rename(
        columns={ours: theirs for theirs, ours in columns.items()}
    )
    write_atomically(path, rows.to_csv(index=False, lineterminator="\n").encode())


def apply_split_file(table: DatasetTable, path: Path) -> DatasetTable:
    """Give each row the split that the file says.

    A row that the file does not name makes the table unusable; so does one that it names and
    that is not there: the file then belongs to another selection.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It has no columns path and split, another split than there are, or names a row
            twice.
    """
    splits = _read_splits(path)
    keys = _keys(table)
    missing = [str(key[0]) for key in keys if key not in splits]
    there = set(keys)
    unknown = [str(key[0]) for key in splits if key not in there]
    problems = []
    for names, told in (
        (missing, f"does not name {len(missing)} rows"),
        (unknown, f"names {len(unknown)} rows that are not there"),
    ):
        if names:
            remedy = "Make it again with 'emotemporal split' and the same options."
            reason = f"{told} ({summarise(names)})"
            problems.append(Problem(path.name, reason, remedy, is_fatal=True))
    rows = table.rows.copy()
    rows["split"] = [splits.get(key) for key in keys]
    rows["split"] = rows["split"].astype(object).where(rows["split"].notna(), None)
    changed = DatasetTable(table.name, table.root, table.kind, rows, table.problems)
    return add_problems(changed, problems)


def _read_splits(path: Path) -> dict[tuple[str, ...], str | None]:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there. Make it with 'emotemporal split'.")
    splits: dict[tuple[str, ...], str | None] = {}
    columns, rows = read_table(path)
    if not {"path", "split"} <= set(columns):
        raise ValueError(f"{path}: needs the columns path and split; has {columns}")
    for number, row in rows:
        split = split_of_folder(row["split"]) if row["split"] else None
        if row["split"] and split is None:
            raise ValueError(f"{path}:{number}: split is {row['split']!r}")
        try:
            times = [_time(row[column]) for column in ("start", "end") if row.get(column)]
        except ValueError as error:
            raise ValueError(f"{path}:{number}: start and end are seconds ({error})") from error
        key = (row["path"], *times)
        if key in splits:
            raise ValueError(f"{path}:{number}: {', '.join(key)} stands twice; keep one of the two")
        splits[key] = split
    return splits


def _keys(table: DatasetTable) -> list[tuple[str, ...]]:
    if TIME_COLUMNS[0] not in table.rows.columns:
        return [(path,) for path in table.rows["path"]]
    columns = zip(*(table.rows[c] for c in ("path", *TIME_COLUMNS)), strict=True)
    return [
        (path, _time(start), _time(end)) if start >= 0 else (path,) for path, start, end in columns
    ]


def _time(value: object) -> str:
    return f"{float(str(value)):.6f}"
