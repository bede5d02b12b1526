"""Your own images or videos, listed in a CSV; also what splits are written as."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Literal

from emotemporal.data.files import split_of_folder
from emotemporal.data.prepared import NUMBER_COLUMNS, TEXT_COLUMNS
from emotemporal.data.table import BOX_COLUMNS, DatasetTable, Problem, make_table
from emotemporal.labels import parse_emotion
from emotemporal.reading import read_loose_table
from emotemporal.video.source import IMAGE_SUFFIXES, VIDEO_SUFFIXES

REQUIRED_COLUMNS = ("path", "label", "subject")
OPTIONAL_COLUMNS = ("split", "start", "end", "take", "valence", "arousal", *BOX_COLUMNS)
_OURS = frozenset({*NUMBER_COLUMNS, *TEXT_COLUMNS, "digest"})
_NUMBERS = {"start": "start_s", "end": "end_s"} | {
    column: column for column in ("valence", "arousal", *BOX_COLUMNS)
}


def read_manifest(root: Path, manifest: str = "manifest.csv") -> DatasetTable:
    """Read a CSV with the columns path, label, subject and perhaps split, start, end and more.

    Columns of other names (sex, age, skin) are kept as text, for `--group_by`, and told.

    Args:
        root: Where the paths start.
        manifest: The CSV; if not absolute, from `root`.

    Raises:
        FileNotFoundError: There is no such CSV.
    """
    path = root / manifest
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there. Name the CSV with --manifest.")
    columns, rows = read_loose_table(path)
    missing = [column for column in REQUIRED_COLUMNS if column not in columns]
    groups = [c for c in columns if c not in (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS)]
    unclear = [told for column in groups if (told := _unclear(column))]
    if missing or unclear:
        reason = f"columns are {columns}; missing {missing or 'none'}, unknown {unclear or 'none'}"
        remedy = (
            f"The first line names {', '.join(REQUIRED_COLUMNS)}, and may name "
            f"{', '.join(OPTIONAL_COLUMNS)}; other columns tell who is shown, as sex or age."
        )
        problem = Problem(f"{path.name}:1", reason, remedy, is_fatal=True)
        return make_table("manifest", root, "images", [], [problem])
    return _table(root, path.name, rows, groups)


def _unclear(column: str) -> str:
    """Say what is wrong with the name of a column that is none of ours; nothing, if nothing is."""
    if column in _OURS or not re.fullmatch(r"[A-Za-z]\w*", column):
        return f"{column} (a name that cannot be used)"
    close = get_close_matches(column, (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS), cutoff=0.75)
    return f"{column} (did you mean {close[0]}?)" if close else ""


def _table(
    root: Path, name: str, rows: list[tuple[int, dict[str, str]]], groups: Sequence[str]
) -> DatasetTable:
    problems: list[Problem] = []
    if groups:
        reason = f"{', '.join(groups)}: kept as they are, to compare by (--group_by)"
        problems.append(Problem(name, reason, "As it should be.", is_fatal=False))
    records: list[dict[str, object]] = []
    seen: set[tuple[object, ...]] = set()
    kind: Literal["images", "videos"] | None = None
    for number, row in rows:
        try:
            record = _record(number, row)
            record |= {column: (row.get(column) or "").strip() for column in groups}
            key = (record["path"], record.get("start_s"), record.get("end_s"))
            if key in seen:
                raise ValueError(f"{record['path']} is listed twice")
            here = _kind(str(record["path"]))
            if kind not in (None, here):
                raise ValueError("images and videos in one manifest")
        except ValueError as error:
            remedy = "Correct the row (datasets/own.md)."
            problems.append(Problem(f"{name}:{number}", str(error), remedy, is_fatal=True))
            continue
        kind = here
        seen.add(key)
        records.append(record)
    if not rows:
        problems.append(Problem(name, "no rows", "List your files in it.", is_fatal=True))
    return make_table("manifest", root, kind or "images", records, problems, groups)


def _record(number: int, row: Mapping[str, str | None]) -> dict[str, object]:
    cells = {column: (text or "").strip() for column, text in row.items() if column is not None}
    if None in row:
        raise ValueError("more cells than columns")
    path = PurePosixPath(cells["path"].replace("\\", "/"))
    if not path.parts or path.is_absolute() or ".." in path.parts:
        raise ValueError(f"path {cells['path']!r} must be relative to the root and below it")
    split = cells.get("split", "")
    if split and split_of_folder(split) is None:
        raise ValueError(f"split is {split!r}; it can be train, validation, test or empty")
    record: dict[str, object] = {
        "path": path.as_posix(),
        "emotion": parse_emotion(cells["label"]).value,
        "subject": cells["subject"],
        "take": cells.get("take", ""),
        "split": split_of_folder(split),
        "source_row": number,
    }
    record |= {ours: float(cells[c]) for c, ours in _NUMBERS.items() if cells.get(c)}
    if ("start_s" in record) != ("end_s" in record):
        raise ValueError("a start without an end, or an end without a start")
    if "start_s" in record and not 0 <= float(cells["start"]) < float(cells["end"]):
        raise ValueError(f"start {cells['start']} and end {cells['end']} are not an interval")
    _refuse_no_box([cells.get(column, "") for column in BOX_COLUMNS])
    return record


def _refuse_no_box(sides: Sequence[str]) -> None:
    """Refuse a box that is given in part, for which the image would be taken whole, or inverted."""
    if not any(sides):
        return
    x1, y1, x2, y2 = (float(side or "nan") for side in sides)
    if not (x1 < x2 and y1 < y2 and all(map(math.isfinite, (x1, y1, x2, y2)))):
        told = ", ".join(f"{name} {side!r}" for name, side in zip(BOX_COLUMNS, sides, strict=True))
        raise ValueError(f"{told} are no face box; a row has all four, in pixels, or none")


def _kind(path: str) -> Literal["images", "videos"]:
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return "images"
    if suffix in VIDEO_SUFFIXES:
        return "videos"
    raise ValueError(f"{path}: cannot tell from {suffix!r} whether it is an image or a video")
