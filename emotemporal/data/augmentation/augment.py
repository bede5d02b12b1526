"""Change face crops as cameras, lamps and codecs do: one draw a clip, uint8 in and out."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, UInt8

from emotemporal.data.augmentation.changes import (
    NO_AUGMENTATION,
    AugmentConfig,
    Changes,
    draw_changes,
)
from emotemporal.data.augmentation.pixels import add_noise, degrade, recolour, shrink, warp

__all__ = ["NO_AUGMENTATION", "AugmentConfig", "augment", "far_and_compressed"]


def augment(
    crops: UInt8[np.ndarray, "t s s 3"], config: AugmentConfig, generator: torch.Generator
) -> UInt8[np.ndarray, "t s s 3"]:
    """Change a clip's crops, all of them in the same way; only noise differs between frames.

    Args:
        crops: RGB, 0 to 255. Not written to.
        config: How far each change may go.
        generator: The only source of randomness: same state, same bytes.
    """
    drawn = draw_changes(config, crops.shape[1], generator)
    # numpy's normal numbers come several times faster than torch's, one frame at a time.
    noise = np.random.default_rng(drawn.noise_seed)
    out = np.empty_like(crops)
    for i, crop in enumerate(crops):
        changed = shrink(warp(crop, drawn.matrix), drawn.small_px)
        changed = recolour(changed, drawn.colours, drawn.tones)
        changed = degrade(changed, drawn.blur_px, drawn.quality)
        out[i] = add_noise(changed, drawn.noise, noise)
    x1, y1, x2, y2 = drawn.rectangle
    out[:, y1:y2, x1:x2] = drawn.fill
    if drawn.ellipse is not None:
        out[:, _outside(drawn.ellipse, crops.shape[1])] = 0
    return out


def far_and_compressed(
    crops: UInt8[np.ndarray, "t s s 3"], drawn: Changes
) -> UInt8[np.ndarray, "t s s 3"]:
    """Make only what a batch cannot, of all that was drawn: the far camera and the codec."""
    if drawn.small_px == crops.shape[1] and drawn.quality is None:
        return crops
    return np.stack([degrade(shrink(crop, drawn.small_px), 0.0, drawn.quality) for crop in crops])


def _outside(ellipse: tuple[float, float, float, float], side: int) -> Bool[np.ndarray, "s s"]:
    x, y, radius_x, radius_y = ellipse
    middles = (np.arange(side) + 0.5) / side
    across, down = (middles - x) / radius_x, (middles - y) / radius_y
    return np.asarray(across[None] ** 2 + down[:, None] ** 2 > 1)
