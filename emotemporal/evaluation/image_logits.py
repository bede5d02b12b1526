"""What a network says of still images, before any temperature or prior."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from tqdm import tqdm

from emotemporal.data.images import ImageCache, ImageSet
from emotemporal.data.table import DatasetTable
from emotemporal.inference.engine import Engine
from emotemporal.models.meta import CheckpointMeta
from emotemporal.preprocess import preprocess

_CHUNK = 64  # images judged at once: bounds the memory


def table_logits(
    table: DatasetTable, engine: Engine, meta: CheckpointMeta
) -> Float[np.ndarray, "n k"]:
    """Judge every image of a table, each alone; rows as the table's.

    Raises:
        ImageError: A file cannot be read, by name.
    """
    images = ImageSet(table, np.zeros((len(table), 1)), meta.preprocess, meta.crop, ImageCache(0))
    unused = torch.Generator()
    rows = tqdm(
        range(0, len(table), _CHUNK), desc="judging", unit="batch", leave=False, disable=None
    )
    chunks = []
    for start in rows:
        which = range(start, min(start + _CHUNK, len(table)))
        chunks.append(_judge([images.sample(i, unused).frames[0] for i in which], engine))
    return np.concatenate(chunks)


def crop_logits(
    crops: Sequence[UInt8[np.ndarray, "s s 3"]], engine: Engine, meta: CheckpointMeta
) -> Float[np.ndarray, "n k"]:
    """Judge crops as `Follower` gives them, each alone."""
    chunks = []
    for start in range(0, len(crops), _CHUNK):
        frames = preprocess(np.stack(crops[start : start + _CHUNK]), meta.preprocess)
        chunks.append(_judge(list(frames), engine))
    return np.concatenate(chunks)


def _judge(
    frames: Sequence[UInt8[np.ndarray, "n n 3"]], engine: Engine
) -> Float[np.ndarray, "b k"]:
    # As many streams of one frame: no image may remember the one before it.
    logits, _ = engine.step(np.stack(frames), [None] * len(frames))
    return logits
