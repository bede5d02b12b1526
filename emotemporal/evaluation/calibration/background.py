"""Crops that show no face: what a detector's false alarm, or a head turned away, would give."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from emotemporal.faces.crop import whole_crop
from emotemporal.synthetic.scenery import develop, sample_scenery
from emotemporal.video.image import read_image
from emotemporal.video.source import IMAGE_SUFFIXES

_Crops = UInt8[np.ndarray, "b s s 3"]
_ROOM_HW = (240, 320)
_MIN_SIDE_PX = 48


@dataclass(frozen=True)
class BackgroundFigures:
    """What is said of crops that show no face."""

    source: str
    num_crops: int
    mean_confidence: float
    share_uncertain: float | None
    """By the checkpoint's threshold; None if it has none."""

    def __str__(self) -> str:
        share = "" if self.share_uncertain is None else f"{self.share_uncertain:.1%} uncertain, "
        return (
            f"{self.num_crops} crops without a face ({self.source}): {share}"
            f"mean top probability {self.mean_confidence:.3f}"
        )


def background_crops(source: str, size_px: int, seed: int = 0) -> _Crops:
    """Return crops without a face, square and of `size_px`.

    Args:
        source: How many to draw, or a folder whose images are taken whole, by name.
        size_px: The side of the checkpoint's crops.
        seed: Of what is drawn; the first crops of more are the same.

    Raises:
        ValueError: Neither a number above 0 nor a folder with images.
        ImageError: An image cannot be read, by name.
    """
    if source.isdecimal() and int(source) > 0:
        generators = np.random.default_rng(seed).spawn(int(source))
        return np.stack([_draw(size_px, generator) for generator in generators])
    folder = Path(source)
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise ValueError(
            f"background is {source!r}; it can be how many crops to draw, such as 500, or a "
            "folder of images that show no face"
        )
    return np.stack([whole_crop(read_image(file), size_px) for file in files])


def _draw(size_px: int, generator: np.random.Generator) -> UInt8[np.ndarray, "s s 3"]:
    """Cut a square out of a drawn room: anywhere, from small to all of its height."""
    scenery = sample_scenery(_ROOM_HW, max_noise_std=6.0, generator=generator)
    canvas = np.ascontiguousarray(scenery.background)
    picture = develop(canvas, scenery, generator)
    height, width = _ROOM_HW
    side = int(generator.integers(_MIN_SIDE_PX, height + 1))
    y, x = generator.integers(0, [height - side + 1, width - side + 1])
    square = np.ascontiguousarray(picture[y : y + side, x : x + side])
    return np.asarray(cv2.resize(square, (size_px, size_px), interpolation=cv2.INTER_AREA))
