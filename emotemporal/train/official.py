"""The set that is reported: read before any training, judged once after it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from tqdm import tqdm

from emotemporal.data.collate import Batch
from emotemporal.data.images import ImageSet
from emotemporal.data.loading import load_batches
from emotemporal.labels import LabelSpace
from emotemporal.models.checkpoint import load_checkpoint
from emotemporal.reading import read_json_object
from emotemporal.storage import write_json
from emotemporal.train.networks import frame_logits
from emotemporal.train.validate import validate

_log = logging.getLogger(__name__)
_JUDGED_AT_ONCE = 64


def read_all(images: ImageSet) -> None:
    """Read every image once: one that is broken shall not show only after days of training."""
    for i in tqdm(range(len(images)), desc="reading", unit="image", leave=False, disable=None):
        images.read_crop(i)


def judged_batches(images: ImageSet) -> Iterable[Batch]:
    """Return all images in order, in batches."""
    rows = list(range(len(images)))
    chunks = [rows[i : i + _JUDGED_AT_ONCE] for i in range(0, len(rows), _JUDGED_AT_ONCE)]
    return load_batches(images, chunks, seed=0, epoch=0)


def judge_official(folder: Path, official: ImageSet, labels: LabelSpace) -> None:
    """Judge the chosen checkpoint once on the official validation set, and write it down."""
    net, meta = load_checkpoint(folder / "best.safetensors")
    found = validate(net, frame_logits, judged_batches(official), labels, meta.model)
    _log.info(
        "official validation set, judged once: accuracy %.1f %%, UAR %.1f %%, macro-F1 %.1f %%",
        found.accuracy * 100,
        found.uar * 100,
        found.macro_f1 * 100,
    )
    path = folder / "summary.json"
    summary = read_json_object(path)
    write_json(path, {**summary, "official_validation": found.figures})
