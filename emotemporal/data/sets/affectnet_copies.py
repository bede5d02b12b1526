"""AffectNet's unofficial copies: a folder an emotion, a folder a digit, or `labels.csv`.

AffectNet itself comes by agreement with its authors; see datasets/affectnet.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from emotemporal.data.files import (
    keep_later,
    list_files,
    nothing_found,
    split_of_folder,
    summarise,
)
from emotemporal.data.sets.label_order import check_order, parse_digit_order
from emotemporal.data.table import (
    DatasetTable,
    Problem,
    add_problems,
    count_by_emotion,
    make_table,
)
from emotemporal.labels import Emotion, parse_emotion
from emotemporal.reading import read_table
from emotemporal.video.source import IMAGE_SUFFIXES

_ORDERS = "affectnet, alphabetical, or eight names with commas"
_LABELS_CSV_COLUMNS = ("pth", "label")


def read_folders(root: Path, digit_order: str | None) -> DatasetTable:
    """Read `[<split>/]<emotion or digit>/<image>`.

    What digits stand for is never inferred: without an order, or with one that the counts
    contradict, the table has a fatal problem.
    """
    paths = list_files(root, IMAGE_SUFFIXES)
    if not paths:
        problem = nothing_found(root, "training.csv, train_set/, labels.csv or a folder an emotion")
        return make_table("affectnet", root, "images", [], [problem])
    labels = {PurePosixPath(path).parent.name for path in paths}
    meanings, problems = _meanings(labels, digit_order)
    records = [
        {
            "path": path,
            "emotion": meanings.get(PurePosixPath(path).parent.name),
            "split": _split_of(path),
            "source_row": number,
        }
        for number, path in enumerate(paths)
    ]
    table = make_table("affectnet", root, "images", records, problems)
    return _check_digits(table, labels)


def read_labels_csv(root: Path, digit_order: str | None) -> DatasetTable:
    """Read the copy with `labels.csv` (`pth,label,relFCs`); the list is believed, not the folders.

    How many labels differ from the folder that their image lies in is told.
    """
    columns, rows = read_table(root / "labels.csv")
    if not set(_LABELS_CSV_COLUMNS) <= set(columns):
        problem = Problem(
            "labels.csv:1",
            f"the first line must name {', '.join(_LABELS_CSV_COLUMNS)}; it is {columns}",
            "Get the list again, or make a manifest of it (datasets/own.md).",
            is_fatal=True,
        )
        return make_table("affectnet", root, "images", [], [problem])
    labels = {row["label"].strip() for _, row in rows}
    meanings, problems = _meanings(labels, digit_order)
    paths = [row["pth"].strip().replace("\\", "/") for _, row in rows]
    records: list[dict[str, object]] = [
        {
            "path": path,
            "emotion": meanings.get(row["label"].strip()),
            "split": _split_of(path),
            "source_row": number,
        }
        for path, (number, row) in zip(paths, rows, strict=True)
    ]
    problems += _disagreements(records)
    records, repeated = keep_later(records)
    problems += repeated
    table = make_table("affectnet", root, "images", records, problems)
    return _check_digits(table, labels)


def _meanings(
    labels: set[str], digit_order: str | None
) -> tuple[Mapping[str, Emotion], list[Problem]]:
    digits = sorted(label for label in labels if label.isdecimal())
    if digits and digit_order is None:
        return {}, [
            Problem(
                summarise(digits, 10),
                "digits do not say which emotion they stand for, and copies differ",
                f"Say it with --digit_order: {_ORDERS}. The card datasets/affectnet.md says which "
                "copy has which; the images tell for certain (--show 32).",
                is_fatal=True,
            )
        ]
    order = parse_digit_order(digit_order) if digits and digit_order is not None else ()
    meanings: dict[str, Emotion] = {}
    problems = []
    for label in sorted(labels):
        try:
            meanings[label] = order[int(label)] if label.isdecimal() else parse_emotion(label)
        except (ValueError, IndexError):
            reason = f"{label!r} is no emotion"
            if label.isdecimal():
                reason = f"digit {label} is beyond the {len(order)} emotions of --digit_order"
            remedy = "Move what is none of the eight out of the folder, or complete the order."
            problems.append(Problem(label, reason, remedy, is_fatal=True))
    return meanings, problems


def _split_of(path: str) -> str | None:
    splits = [split_of_folder(part) for part in PurePosixPath(path).parts[:-1]]
    return next((split for split in splits if split is not None), None)


def _disagreements(records: Sequence[Mapping[str, object]]) -> list[Problem]:
    differing = []
    for record in records:
        folder = PurePosixPath(str(record["path"])).parent.name
        try:
            if not folder.isdecimal() and parse_emotion(folder) != record["emotion"]:
                differing.append(str(record["path"]))
        except ValueError:
            continue  # the folder is no emotion's: nothing to compare
    if not differing:
        return []
    reason = f"{len(differing)} of {len(records)} labels differ from the image's folder"
    told = f"{reason} ({summarise(differing)})"
    return [Problem("labels.csv", told, "The list is believed.", is_fatal=False)]


def _check_digits(table: DatasetTable, labels: set[str]) -> DatasetTable:
    if not any(label.isdecimal() for label in labels) or table.rows["emotion"].isna().all():
        return table
    # A copy without split folders is counted whole: the validation set is too small to matter.
    has_splits = bool((table.rows["split"] == "train").any())
    counts = count_by_emotion(table, "train" if has_splits else None)
    check = check_order({emotion: n for emotion, n in counts.items() if n > 0})
    reason = f"label order {check.verdict}: {check.told}"
    if check.verdict == "contradicted":
        remedy = f"Another --digit_order is meant: {_ORDERS}."
    elif check.verdict == "not verifiable":
        remedy = "Look at the images (--show 32) before you trust a result."
    else:
        remedy = "As it should be."
    problem = Problem("digits", reason, remedy, is_fatal=check.verdict == "contradicted")
    return add_problems(table, [problem])
