"""AffectNet's npy release of 2021: cropped images, and an array file an annotation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from emotemporal.data.arrays import read_array
from emotemporal.data.files import nothing_found
from emotemporal.data.sets.affectnet_labels import Found, parse_expression, parse_value
from emotemporal.data.table import DatasetTable, Problem, Split, make_table
from emotemporal.reading import UnreadableError

NPY_FOLDERS: Mapping[str, Split] = {"train_set": "train", "val_set": "validation"}


def read_npy_release(root: Path) -> DatasetTable:
    """Read `train_set` and `val_set`; a label is a string inside an array."""
    found = Found()
    for folder, split in NPY_FOLDERS.items():
        annotations = root / folder / "annotations"
        names = sorted(annotations.glob("*_exp.npy")) if annotations.is_dir() else []
        for path in names:
            _read_annotation(root, path, split, found)
    if not found.records and not found.problems:
        expected = "train_set and val_set, each with images/ and annotations/"
        found.problems.append(nothing_found(root, expected))
    return make_table("affectnet", root, "images", found.records, found.close())


def _read_annotation(root: Path, path: Path, split: Split, found: Found) -> None:
    image_id = path.name.removesuffix("_exp.npy")
    try:
        emotion = parse_expression(_scalar(path))
        values = {
            column: parse_value(_scalar(path.with_name(f"{image_id}_{short}.npy")))
            for column, short in (("valence", "val"), ("arousal", "aro"))
        }
    except (ValueError, OSError) as error:
        name = path.relative_to(root).as_posix()
        found.problems.append(Problem(name, str(error), "Unpack it again.", is_fatal=True))
        return
    if emotion is None:
        found.num_without_emotion += 1
        return
    image = f"{path.parent.parent.name}/images/{image_id}.jpg"
    number = int(image_id) if image_id.isdecimal() else -1
    found.records.append(
        {"path": image, "emotion": emotion.value, "split": split, "source_row": number, **values}
    )


def _scalar(path: Path) -> str:
    # The release keeps numbers as strings inside arrays. Never unpickled: a file is data.
    array = read_array(path)
    if array.size != 1 or array.itemsize > 1024:
        raise UnreadableError(f"{path}: {array.shape} values where one is expected")
    return str(array.item())
