"""What a camera, a lens and a codec do to the pixels of a crop; how much is the caller's choice."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, UInt8


def shrink(crop: UInt8[np.ndarray, "s s 3"], small_px: int) -> UInt8[np.ndarray, "s s 3"]:
    """Return the crop as it would be with `small_px` a side: coarse, at its old size."""
    side = len(crop)
    if small_px == side:
        return crop
    small = cv2.resize(crop, (small_px, small_px), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR))


def warp(
    crop: UInt8[np.ndarray, "s s 3"], matrix: Float[np.ndarray, "2 3"]
) -> UInt8[np.ndarray, "s s 3"]:
    """Return the crop turned, scaled, shifted or mirrored as `matrix` says (OpenCV's, 2 x 3)."""
    if np.array_equal(matrix, np.eye(2, 3)):
        return crop
    # Edges are replicated as `crop_face` does, so a corner turned in looks like a crop at the
    # frame's edge, not like a black wedge that gives the angle away.
    return cv2.warpAffine(crop, matrix, crop.shape[:2], borderMode=cv2.BORDER_REPLICATE)


def recolour(
    crop: UInt8[np.ndarray, "s s 3"],
    colours: Float[np.ndarray, "3 3"],
    tones: UInt8[np.ndarray, " 256"],
) -> UInt8[np.ndarray, "s s 3"]:
    """Return the crop with its channels mixed, then each value looked up in `tones`."""
    if not np.array_equal(colours, np.eye(3)):
        crop = cv2.transform(crop, colours)
    return cv2.LUT(crop, tones)


def degrade(
    crop: UInt8[np.ndarray, "s s 3"], blur_px: float, quality: int | None
) -> UInt8[np.ndarray, "s s 3"]:
    """Return the crop blurred by so many pixels, then through JPEG unless `quality` is None."""
    if blur_px > 0.1:  # below, the kernel is one pixel
        crop = cv2.GaussianBlur(crop, (0, 0), blur_px)
    if quality is None:
        return crop
    # Red and blue change places for the codec, which is another way of being damaged, no worse.
    _, encoded = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded.astype(np.uint8, copy=False)


def add_noise(
    crop: UInt8[np.ndarray, "s s 3"], deviation: float, generator: np.random.Generator
) -> UInt8[np.ndarray, "s s 3"]:
    """Return the crop with normal noise of this deviation, of 255, on every value."""
    if deviation == 0:
        return crop
    noise = generator.standard_normal(crop.shape, dtype=np.float32) * np.float32(deviation)
    return np.clip(np.rint(crop + noise), 0, 255).astype(np.uint8)
