"""Face crop to network input: the only place where a crop changes size or colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import UInt8

_INTERPOLATIONS = {"area": cv2.INTER_AREA, "linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}


@dataclass(frozen=True)
class PreprocessConfig:
    """What happens to a face crop before the network's first layer. Kept in every checkpoint."""

    size_px: int = 64
    interpolation: Literal["area", "linear", "cubic"] = "area"
    colour: Literal["rgb", "grey"] = "rgb"
    """`grey` repeats the luma in all three channels, for encoders trained on grey images."""

    def __post_init__(self) -> None:
        if not 16 <= self.size_px <= 1024:
            raise ValueError(f"size_px is {self.size_px}; a network input is 16 to 1024 px")


def preprocess(
    crops: UInt8[np.ndarray, "t h w 3"], config: PreprocessConfig
) -> UInt8[np.ndarray, "t n n 3"]:
    """Bring face crops to the network's size and colour.

    Frame by frame: output frame `i` depends on input frame `i` only. The live path relies on
    this, calling with `t = 1` and expecting what the offline path got with `t = T`.

    Args:
        crops: RGB, 0 to 255.
        config: Size in pixels, interpolation, and whether colour is kept.

    Returns:
        RGB, 0 to 255. Scaling to mean and deviation is the network's first layer.
    """
    size = config.size_px
    out = np.empty((len(crops), size, size, 3), dtype=np.uint8)
    for i, crop in enumerate(crops):
        resized = _resize(crop, size, config.interpolation)
        if config.colour == "grey":
            resized = np.repeat(cv2.cvtColor(resized, cv2.COLOR_RGB2GRAY)[:, :, None], 3, axis=2)
        out[i] = resized
    return out


def _resize(
    crop: UInt8[np.ndarray, "h w 3"], size: int, interpolation: str
) -> UInt8[np.ndarray, "n n 3"]:
    if crop.shape[:2] == (size, size):
        return crop
    # Area averaging means nothing upwards: as soon as one side grows, OpenCV would fall back to
    # nearest-like blocks.
    is_upwards = min(crop.shape[:2]) < size
    if is_upwards and interpolation == "area":
        interpolation = "linear"
    return cv2.resize(crop, (size, size), interpolation=_INTERPOLATIONS[interpolation])
