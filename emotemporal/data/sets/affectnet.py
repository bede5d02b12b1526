"""AffectNet, in whatever layout it came."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from emotemporal.data.sets.affectnet_copies import read_folders, read_labels_csv
from emotemporal.data.sets.affectnet_csv import lists, read_csv_release
from emotemporal.data.sets.affectnet_npy import NPY_FOLDERS, read_npy_release
from emotemporal.data.sets.label_order import check_order
from emotemporal.data.table import DatasetTable, Problem, add_problems, count_by_emotion

Layout = Literal["auto", "csv", "npy", "folders", "labels_csv"]


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
        table = read_csv_release(root, has_header)
    elif chosen == "npy":
        table = read_npy_release(root)
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
    if lists(root):
        there.append("csv")
    if any((root / name / "annotations").is_dir() for name in NPY_FOLDERS):
        there.append("npy")
    if (root / "labels.csv").is_file():
        there.append("labels_csv")
    if len(there) > 1:
        raise ValueError(f"{root} holds the layouts {', '.join(there)}. Choose one with --layout.")
    return there[0] if there else "folders"
