"""Which files a data set's folder holds, in an order that every machine agrees on."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from emotemporal.data.table import Problem, Split

_SPLIT_FOLDERS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "train_set": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "val_set": "validation",
    "test": "test",
    "testing": "test",
}


def list_files(folder: Path, suffixes: Collection[str]) -> list[str]:
    """Return the files below `folder` with one of these endings, as paths from it, sorted.

    What begins with a dot, and `__MACOSX`, is what archives leave behind and is not looked at.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder. Give the data set's own with --root.")
    found = []
    for where, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f != "__MACOSX")
        found += [
            (Path(where) / name).relative_to(folder).as_posix()
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in suffixes
        ]
    return sorted(found)


def split_of_folder(name: str) -> Split | None:
    """Return the split that a folder's name stands for, if it does."""
    return _SPLIT_FOLDERS.get(name.lower())


def nothing_found(root: Path, expected: str) -> Problem:
    """Return the problem of a folder in which a reader found nothing to read."""
    return Problem(
        str(root),
        f"nothing to read here; expected {expected}",
        "Give the folder that holds it with --root; the layouts are in datasets/",
        is_fatal=True,
    )


def summarise(names: Collection[str], at_most: int = 3) -> str:
    """Return a few of `names` and how many more there are."""
    some = ", ".join(list(names)[:at_most])
    return some if len(names) <= at_most else f"{some} and {len(names) - at_most} more"


def keep_later(
    records: Sequence[dict[str, object]],
) -> tuple[list[dict[str, object]], list[Problem]]:
    """Keep, of rows that name the same file, the last, in its place; tell how many there were."""
    last = {str(record["path"]): i for i, record in enumerate(records)}
    kept = [record for i, record in enumerate(records) if last[str(record["path"])] == i]
    if len(kept) == len(records):
        return kept, []
    repeated = [str(r["path"]) for i, r in enumerate(records) if last[str(r["path"])] != i]
    reason = f"{len(repeated)} files are listed more than once ({summarise(repeated)})"
    remedy = "The later row of each is kept."
    return kept, [Problem("list", reason, remedy, is_fatal=False)]
