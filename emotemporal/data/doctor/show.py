"""Drawing pictures of a data set as the network sees them, with their labels."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from emotemporal.data.crops import crop_image
from emotemporal.data.table import DatasetTable, file_of
from emotemporal.faces.crop import CropConfig
from emotemporal.preprocess import PreprocessConfig, preprocess
from emotemporal.video.file import VideoFile
from emotemporal.video.image import read_image, write_image

_COLUMNS = 8
_CELL_PX = 112
_TEXT_PX = 28


def show_batch(
    table: DatasetTable,
    config: PreprocessConfig,
    crop: CropConfig,
    count: int,
    path: Path,
    seed: int = 0,
) -> None:
    """Draw `count` rows, as many of each emotion as can be, into a picture at `path`.

    By the annotated face box where a row has one, else the whole image squared; of a video the
    middle frame, whole: its faces are found by `prepare`.

    Raises:
        ValueError: Nothing to draw, or a picture of that kind cannot be written.
        ImageError: An image cannot be read.
        VideoError: A video cannot be read.
    """
    rows = _choose(table, count, seed)
    if not rows:
        raise ValueError(f"{table.name}: no rows to draw; count is {count} of {len(table)}")
    cells = [_cell(table, row, config, crop) for row in rows]
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % _COLUMNS)
    lines = [
        np.concatenate(cells[start : start + _COLUMNS], axis=1)
        for start in range(0, len(cells), _COLUMNS)
    ]
    write_image(path, np.concatenate(lines, axis=0))


def network_view(
    table: DatasetTable, row: int, config: PreprocessConfig, crop: CropConfig
) -> UInt8[np.ndarray, "n n 3"]:
    """Return a row's picture at the network's input."""
    if table.kind == "videos":
        with VideoFile(file_of(table, row)) as video:
            image = video.read([video.info.num_frames // 2]).frames[0]
    else:
        image = read_image(file_of(table, row))
    return preprocess(crop_image(image, table, row, crop)[None], config)[0]


def _choose(table: DatasetTable, count: int, seed: int) -> list[int]:
    order = np.random.default_rng(seed).permutation(len(table))
    emotions = table.rows["emotion"].to_numpy(dtype=object)
    seen: dict[object, int] = {}
    rank = {}
    for row in order:
        rank[int(row)] = seen[emotions[row]] = seen.get(emotions[row], -1) + 1
    # Each emotion's first, then each emotion's second: rare ones are seen too.
    chosen = sorted(rank, key=lambda row: rank[row])[: max(0, count)]
    return sorted(chosen, key=lambda row: (str(emotions[row]), row))


def _cell(
    table: DatasetTable, row: int, config: PreprocessConfig, crop: CropConfig
) -> UInt8[np.ndarray, "h w 3"]:
    view = network_view(table, row, config, crop)
    # Nearest: the pixels that the network gets, not a smoothed idea of them.
    face = cv2.resize(view, (_CELL_PX, _CELL_PX), interpolation=cv2.INTER_NEAREST)
    text = np.full((_TEXT_PX, _CELL_PX, 3), 255, dtype=np.uint8)
    rows = table.rows
    lines = (
        str(rows["emotion"].iloc[row] or "votes only"),
        Path(rows["path"].iloc[row]).stem[-18:],
    )
    for i, line in enumerate(lines):
        at = (3, 11 + 13 * i)
        cv2.putText(text, line, at, cv2.FONT_HERSHEY_SIMPLEX, 0.33, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([face, text], axis=0)
