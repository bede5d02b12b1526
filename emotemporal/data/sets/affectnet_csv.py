"""AffectNet's full release: CSV lists, and images with face boxes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from emotemporal.data.files import keep_later, nothing_found
from emotemporal.data.sets.affectnet_labels import Found, parse_expression, parse_value
from emotemporal.data.table import DatasetTable, Problem, Split, make_table
from emotemporal.reading import read_rows

CSV_COLUMNS = (
    "subDirectory_filePath",
    "face_x",
    "face_y",
    "face_width",
    "face_height",
    "facial_landmarks",
    "expression",
    "valence",
    "arousal",
)
_CSV_FILES: Mapping[str, Split] = {"training.csv": "train", "validation.csv": "validation"}
_FOLDERS_IN = ("", "Manually_Annotated_Images", "Manually_Annotated")


def lists(root: Path) -> list[tuple[Path, Split]]:
    """Return the lists below `root`, and the split that each describes."""
    return [
        (path, split)
        for name, split in _CSV_FILES.items()
        for path in sorted([*root.glob(name), *root.glob(f"*/{name}")])
    ]


def read_csv_release(root: Path, has_header: bool) -> DatasetTable:
    """Read `training.csv` and `validation.csv`; a malformed row is told and left out."""
    found = Found()
    lists_found = lists(root)
    if not lists_found:
        found.problems.append(nothing_found(root, "training.csv or validation.csv"))
    for path, split in lists_found:
        _read_list(root, path, split, has_header, found)
    records, repeated = keep_later(found.records)
    return make_table("affectnet", root, "images", records, [*found.close(), *repeated])


def _read_list(root: Path, path: Path, split: Split, has_header: bool, found: Found) -> None:
    name = path.relative_to(root).as_posix()
    num_before = len(found.records)
    rows = read_rows(path, errors="replace")
    first = next(rows, None)
    if first is None:
        found.problems.append(Problem(name, "the file is empty", "Get it again.", is_fatal=True))
        return
    columns = [cell.strip() for cell in first[1]]
    if not set(CSV_COLUMNS) <= set(columns):
        if has_header:
            found.problems.append(_header_problem(name, columns))
            return
        columns = list(CSV_COLUMNS)
        _read_row(name, first, columns, split, found)
    for row in rows:
        _read_row(name, row, columns, split, found)
    _prefix_images(root, found.records[num_before:])


def _header_problem(name: str, columns: Sequence[str]) -> Problem:
    missing = [column for column in CSV_COLUMNS if column not in columns]
    return Problem(
        f"{name}:1",
        f"the first line has no column {', '.join(missing)}; it reads {','.join(columns)[:60]!r}",
        "If the file has no header and the official order of columns, say --has_header false.",
        is_fatal=True,
    )


def _read_row(
    name: str, row: tuple[int, list[str]], columns: Sequence[str], split: Split, found: Found
) -> None:
    number, cells = row
    try:
        record = _record(dict(zip(columns, cells, strict=True)), number, split)
    except ValueError as error:
        found.problems.append(
            Problem(
                f"{name}:{number}",
                f"malformed row: {error}",
                "It is left out; compare with the original list if there are many.",
                is_fatal=False,
            )
        )
        return
    if record is None:
        found.num_without_emotion += 1
    else:
        found.records.append(record)


def _record(cells: Mapping[str, str], number: int, split: Split) -> dict[str, object] | None:
    emotion = parse_expression(cells["expression"])
    if emotion is None:
        return None
    if not cells["subDirectory_filePath"].strip():
        raise ValueError("it names no image")
    x, y, width, height = (
        float(cells[column]) for column in ("face_x", "face_y", "face_width", "face_height")
    )
    if not (width > 0 and height > 0 and math.isfinite(x + y + width + height)):
        raise ValueError(f"the face box is {width:g} x {height:g} px at {x:g}, {y:g}")
    return {
        "path": cells["subDirectory_filePath"].strip().replace("\\", "/"),
        "emotion": emotion.value,
        "split": split,
        "valence": parse_value(cells["valence"]),
        "arousal": parse_value(cells["arousal"]),
        "source_row": number,
        "x1": x,
        "y1": y,
        "x2": x + width,
        "y2": y + height,
    }


def _prefix_images(root: Path, records: Sequence[dict[str, object]]) -> None:
    """Lists name images from a folder of images, which copies call and nest differently."""
    if not records:
        return
    sample = [str(record["path"]) for record in records[:50]]
    counts = {folder: sum((root / folder / p).is_file() for p in sample) for folder in _FOLDERS_IN}
    best = max(counts, key=lambda folder: counts[folder])
    # With no image anywhere the paths stay as they are in the list; readers.py tells of each.
    if best and counts[best]:
        for record in records:
            record["path"] = f"{best}/{record['path']}"
