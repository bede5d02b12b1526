"""AffectNet as its authors give it out: the full release (CSV) and the npy release of 2021."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from emotemporal.data.affectnet_copies import read_folders, read_labels_csv
from emotemporal.data.files import keep_later, nothing_found
from emotemporal.data.label_order import check_order
from emotemporal.data.table import (
    DatasetTable,
    Problem,
    Split,
    add_problems,
    count_by_emotion,
    make_table,
)
from emotemporal.labels import AFFECTNET_8

Layout = Literal["auto", "csv", "npy", "folders", "labels_csv"]
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
_NPY_FOLDERS: Mapping[str, Split] = {"train_set": "train", "val_set": "validation"}
# 8 none, 9 uncertain, 10 no face: annotations of the full release that name no emotion.
_FIRST_WITHOUT_EMOTION = 8
_VALUE_ABSENT = -2.0
_FOLDERS_IN = ("", "Manually_Annotated_Images", "Manually_Annotated")


@dataclass
class _Found:
    records: list[dict[str, object]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    num_without_emotion: int = 0


def read_affectnet(
    root: Path,
    layout: Layout = "auto",
    digit_order: str | None = None,
    has_header: bool = True,
) -> DatasetTable:
    """Read any layout of AffectNet.

    Args:
        root: The folder that holds the lists, or `train_set` and `val_set`, or the copies' folders.
        layout: `auto` goes by what is there.
        digit_order: For copies whose folders or labels are digits: which emotion they stand for.
        has_header: Whether the CSV files begin with the columns' names; if not, the official
            order of columns is taken.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: More than one layout is there and none was chosen.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder. Give AffectNet's own with --root.")
    chosen = _layout_of(root) if layout == "auto" else layout
    if chosen == "csv":
        table = _read_csv_release(root, has_header)
    elif chosen == "npy":
        table = _read_npy_release(root)
    elif chosen == "labels_csv":
        return read_labels_csv(root, digit_order)
    else:
        return read_folders(root, digit_order)
    check = check_order(count_by_emotion(table, "train"))
    problem = Problem(
        "train",
        f"label order {check.verdict}: {check.told}",
        "These annotations are not the official ones; see datasets/affectnet.md",
        is_fatal=True,
    )
    return add_problems(table, [problem]) if check.verdict == "contradicted" else table


def _layout_of(root: Path) -> Layout:
    there: list[Layout] = []
    if _lists(root):
        there.append("csv")
    if any((root / name / "annotations").is_dir() for name in _NPY_FOLDERS):
        there.append("npy")
    if (root / "labels.csv").is_file():
        there.append("labels_csv")
    if len(there) > 1:
        raise ValueError(f"{root} holds the layouts {', '.join(there)}. Choose one with --layout.")
    return there[0] if there else "folders"


def _lists(root: Path) -> list[tuple[Path, Split]]:
    return [
        (path, split)
        for name, split in _CSV_FILES.items()
        for path in sorted([*root.glob(name), *root.glob(f"*/{name}")])
    ]


def _read_csv_release(root: Path, has_header: bool) -> DatasetTable:
    found = _Found()
    lists = _lists(root)
    if not lists:
        found.problems.append(nothing_found(root, "training.csv or validation.csv"))
    for path, split in lists:
        _read_list(root, path, split, has_header, found)
    _tell_without_emotion(found)
    records, repeated = keep_later(found.records)
    return make_table("affectnet", root, "images", records, [*found.problems, *repeated])


def _read_list(root: Path, path: Path, split: Split, has_header: bool, found: _Found) -> None:
    name = path.relative_to(root).as_posix()
    num_before = len(found.records)
    rows = _numbered_rows(path)
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


def _numbered_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    # 136 landmarks in one cell; and some copies begin with a byte-order mark.
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as lines:
        yield from ((number, cells) for number, cells in enumerate(csv.reader(lines), 1) if cells)


def _header_problem(name: str, columns: Sequence[str]) -> Problem:
    missing = [column for column in CSV_COLUMNS if column not in columns]
    return Problem(
        f"{name}:1",
        f"the first line has no column {', '.join(missing)}; it reads {','.join(columns)[:60]!r}",
        "If the file has no header and the official order of columns, say --has_header false.",
        is_fatal=True,
    )


def _read_row(
    name: str, row: tuple[int, list[str]], columns: Sequence[str], split: Split, found: _Found
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
    label = int(cells["expression"])
    if label >= _FIRST_WITHOUT_EMOTION:
        return None
    if label < 0:
        raise ValueError(f"expression is {label}; it can be 0 to 10")
    if not cells["subDirectory_filePath"].strip():
        raise ValueError("it names no image")
    x, y, width, height = (
        float(cells[column]) for column in ("face_x", "face_y", "face_width", "face_height")
    )
    if not (width > 0 and height > 0):
        raise ValueError(f"the face box is {width:g} x {height:g} px")
    return {
        "path": cells["subDirectory_filePath"].strip().replace("\\", "/"),
        "emotion": AFFECTNET_8.emotions[label].value,
        "split": split,
        "valence": _value(cells["valence"]),
        "arousal": _value(cells["arousal"]),
        "source_row": number,
        "x1": x,
        "y1": y,
        "x2": x + width,
        "y2": y + height,
    }


def _value(text: str) -> float:
    value = float(text)
    return float("nan") if value == _VALUE_ABSENT else value


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


def _tell_without_emotion(found: _Found) -> None:
    if found.num_without_emotion:
        found.problems.append(
            Problem(
                "expression",
                f"{found.num_without_emotion} images with no emotion (8 none, 9 uncertain, "
                "10 no face) left out",
                "As it should be.",
                is_fatal=False,
            )
        )


def _read_npy_release(root: Path) -> DatasetTable:
    found = _Found()
    for folder, split in _NPY_FOLDERS.items():
        annotations = root / folder / "annotations"
        names = sorted(annotations.glob("*_exp.npy")) if annotations.is_dir() else []
        for path in names:
            _read_annotation(root, path, split, found)
    if not found.records and not found.problems:
        expected = "train_set and val_set, each with images/ and annotations/"
        found.problems.append(nothing_found(root, expected))
    _tell_without_emotion(found)
    return make_table("affectnet", root, "images", found.records, found.problems)


def _read_annotation(root: Path, path: Path, split: Split, found: _Found) -> None:
    image_id = path.name.removesuffix("_exp.npy")
    try:
        label = int(_scalar(path))
        if not 0 <= label < 11:
            raise ValueError(f"expression is {label}; it can be 0 to 10")
        values = {
            column: _value(_scalar(path.with_name(f"{image_id}_{short}.npy")))
            for column, short in (("valence", "val"), ("arousal", "aro"))
        }
    except (ValueError, OSError) as error:
        name = path.relative_to(root).as_posix()
        found.problems.append(Problem(name, str(error), "Unpack it again.", is_fatal=True))
        return
    if label >= _FIRST_WITHOUT_EMOTION:
        found.num_without_emotion += 1
        return
    emotion = AFFECTNET_8.emotions[label].value
    image = f"{path.parent.parent.name}/images/{image_id}.jpg"
    number = int(image_id) if image_id.isdecimal() else -1
    found.records.append(
        {"path": image, "emotion": emotion, "split": split, "source_row": number, **values}
    )


def _scalar(path: Path) -> str:
    # The release keeps numbers as strings inside arrays. Never unpickled: a file is data.
    return str(np.load(path, allow_pickle=False).item())
