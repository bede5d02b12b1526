"""Face crops of image data sets, decoded once and kept as raw uint8: epochs read, never decode.

A store is a folder that only grows: `crops.bin` holds squares of one size after one another,
`index.jsonl` says which image each is of. It belongs to one root folder and one way of cropping;
any selection of that root's images finds its crops in it, and those that it lacks are added.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from filelock import FileLock
from jaxtyping import Int, UInt8

from emotemporal.data.crops import read_crop
from emotemporal.data.images import ImageSet
from emotemporal.data.processes import in_processes
from emotemporal.data.table import DatasetTable, box_of, file_of
from emotemporal.faces.crop import CropConfig
from emotemporal.storage import JsonlLog, digest, read_jsonl, write_json
from emotemporal.video.image import ImageError

_CHUNK = 512
"""Images decoded and written at a time: what a kill loses at most."""
_SPARE_BYTES = 1 << 28
"""Left free on the disk, so that the run which packs can still save itself."""
_TOLD = 10
"""Of files that cannot be read, how many are named."""

Key = tuple[str, int, int, str]
"""Path below the root, bytes, time of change in nanoseconds, face box: what a crop depends on."""


class PackError(ValueError):
    """A store is another data set's, damaged, or has no room."""


@dataclass(frozen=True, eq=False)
class PackedCrops:
    """The crops of one table's rows, mapped from a store; a page is read when it is looked at."""

    file: Path
    side_px: int
    num_stored: int
    positions: Int[np.ndarray, " n"]
    """Of row i: which square of the file."""

    def get(self, images: ImageSet, index: int) -> UInt8[np.ndarray, "s s 3"]:
        """Return the crop of row `index`, as the set would have read it."""
        if len(self.positions) != len(images):
            raise PackError(f"{len(self.positions)} crops for {len(images)} images")
        return _map(self.file, self.num_stored, self.side_px)[self.positions[index]]

    def take(self, indices: Sequence[int]) -> UInt8[np.ndarray, "b s s 3"]:
        """Return the crops of several rows, copied."""
        return _map(self.file, self.num_stored, self.side_px)[self.positions[list(indices)]]


@lru_cache(maxsize=8)
def _map(file: Path, num_stored: int, side_px: int) -> UInt8[np.ndarray, "n s s 3"]:
    # Here and not in the dataclass, so that a loader's process maps for itself: what is pickled
    # is a path.
    shape = (num_stored, side_px, side_px, 3)
    return np.asarray(np.memmap(file, np.uint8, mode="r", shape=shape))


def pack(folder: Path, table: DatasetTable, crop: CropConfig, workers: int = 1) -> PackedCrops:
    """Return the crops of `table`'s images, adding to the store in `folder` those that it lacks.

    An image that has changed on disk since is decoded anew. Killed, it goes on where it was.

    Args:
        folder: Of stores; the one of this root and crop is a folder in it.
        table: Images, each cropped by its annotated box, or whole.
        crop: How.
        workers: Processes that decode.

    Raises:
        ImageError: Images cannot be read, the first few by name; the others are kept.
        PackError: The store is damaged, or there is no room for what it lacks.
    """
    store = folder / _store_name(table, crop)
    keys = _keys(table)
    # Looked at without the lock first: a whole store may lie where nobody may write.
    found, num_stored = _read_index(store, crop.size_px)
    if not found.keys() >= {*keys}:
        store.mkdir(parents=True, exist_ok=True)
        with FileLock(store / ".lock"):
            write_json(store / "store.json", {"root": str(table.root), "crop": crop.to_json()})
            found, num_stored = _read_index(store, crop.size_px)
            missing = [row for row, key in enumerate(keys) if key not in found]
            _refuse_too_little_room(store, len(missing) * 3 * crop.size_px**2)
            _add(store, table, crop, workers, (keys, missing, num_stored))
            found, num_stored = _read_index(store, crop.size_px)
    positions = np.array([found[key] for key in keys], dtype=np.int64)
    return PackedCrops(store / "crops.bin", crop.size_px, num_stored, positions)


def _add(
    store: Path,
    table: DatasetTable,
    crop: CropConfig,
    workers: int,
    wanted: tuple[Sequence[Key], Sequence[int], int],
) -> None:
    """Append crops and index, chunk by chunk: of `keys` those that are `missing`."""
    keys, missing, num_stored = wanted
    chunks = [missing[i : i + _CHUNK] for i in range(0, len(missing), _CHUNK)]
    decode = partial(_decode, table, crop)
    failures: list[str] = []
    square = 3 * crop.size_px**2
    with JsonlLog(store / "index.jsonl", num_stored) as index, _opened(store / "crops.bin") as file:
        for rows, crops, failed in in_processes(decode, chunks, workers, "packing", "chunk"):
            file.seek(num_stored * square)
            file.write(crops.tobytes())
            file.flush()
            os.fsync(file.fileno())
            num_stored += len(rows)
            index.append({"step": num_stored, "images": [list(keys[row]) for row in rows]})
            failures += failed
    if failures:
        more = f"\n... and {len(failures) - _TOLD} more" if len(failures) > _TOLD else ""
        raise ImageError(
            f"{len(failures)} of {len(table)} images cannot be read; leave them out with "
            "--data.exclude, or mend them:\n" + "\n".join(failures[:_TOLD]) + more
        )


def _opened(path: Path) -> BinaryIO:
    path.touch()
    return path.open("r+b")


def _decode(
    table: DatasetTable, crop: CropConfig, rows: Sequence[int]
) -> tuple[list[int], UInt8[np.ndarray, "b s s 3"], list[str]]:
    """Return which rows could be read, their crops, and what is wrong with the others."""
    read, crops, failed = [], [], []
    for row in rows:
        try:
            crops.append(read_crop(table, row, crop))
        except (ImageError, FileNotFoundError) as error:
            failed.append(str(error))
        else:
            read.append(row)
    side = crop.size_px
    return read, np.stack(crops) if crops else np.empty((0, side, side, 3), np.uint8), failed


def _keys(table: DatasetTable) -> list[Key]:
    keys = []
    for row, path in enumerate(table.rows["path"]):
        state = file_of(table, row).stat()
        box = box_of(table, row)
        told = "" if box is None else f"{box.x1} {box.y1} {box.x2} {box.y2}"
        keys.append((str(path), state.st_size, state.st_mtime_ns, told))
    return keys


def _read_index(store: Path, side_px: int) -> tuple[dict[Key, int], int]:
    """Return where each image's crop is, and how many squares are known to be whole."""
    found: dict[Key, int] = {}
    num_stored = 0
    for row in read_jsonl(store / "index.jsonl"):
        for path, num_bytes, changed_ns, box in row["images"]:
            found[(path, num_bytes, changed_ns, box)] = num_stored
            num_stored += 1
    file = store / "crops.bin"
    held = file.stat().st_size // (3 * side_px**2) if file.exists() else 0
    if held < num_stored:
        raise PackError(
            f"{file} holds {held} crops, its index tells of {num_stored}: it was cut or copied in "
            f"part. Delete {store}; it is made again"
        )
    return found, num_stored


def _store_name(table: DatasetTable, crop: CropConfig) -> str:
    plain = f"{table.root.resolve()}\n{crop.to_json()}"
    return f"{table.name}-{crop.size_px}px-{digest(plain.encode())[:12]}"


def _refuse_too_little_room(store: Path, num_bytes: int) -> None:
    free = shutil.disk_usage(store).free
    if free < num_bytes + _SPARE_BYTES:
        raise PackError(
            f"packing needs {num_bytes / 1e9:.1f} GB, and {store} has {free / 1e9:.1f} GB free; "
            "name a folder on a larger disk, or a smaller crop.size_px"
        )
