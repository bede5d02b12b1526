"""Finding a face again by what it looked like at the detector's last look; cheap, every frame."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, UInt8

_SIDE = 32  # pixels of the pattern: eyes, brows and face outline show, wrinkles do not
_REACH = 12  # how far it is sought around the guess: 0.375 of the face
MIN_LIKENESS = 0.6  # correlation below which the pattern is not taken to be there

Pattern = UInt8[np.ndarray, "p p"]


def cut_pattern(luma: UInt8[np.ndarray, "h w"], x: float, y: float, height: float) -> Pattern:
    """Keep what the face at (x, y) looks like."""
    return _patch(luma, x, y, height / _SIDE, _SIDE)


def find_pattern(
    luma: UInt8[np.ndarray, "h w"], pattern: Pattern, x: float, y: float, height: float
) -> tuple[float, float] | None:
    """Return where the pattern is near the guess (x, y), None if nothing there is like it."""
    step = height / _SIDE
    field = _patch(luma, x, y, step, _SIDE + 2 * _REACH)
    likeness = cv2.matchTemplate(field, pattern, cv2.TM_CCOEFF_NORMED)
    _, best, _, (column, row) = cv2.minMaxLoc(likeness)
    if not best >= MIN_LIKENESS:  # also when it is not a number: a flat picture
        return None
    dx = column + _peak(likeness[row], column) - _REACH
    dy = row + _peak(likeness[:, column], row) - _REACH
    return x + dx * step, y + dy * step


def _patch(
    luma: UInt8[np.ndarray, "h w"], x: float, y: float, step: float, side: int
) -> UInt8[np.ndarray, "p p"]:
    # Large faces are averaged first: sampled at single points, noise would be the pattern.
    factor = max(1, round(step))
    fine = step / factor
    first = (1 - side * factor) / 2 * fine
    to_image = np.array([[fine, 0, x + first - 0.5], [0, fine, y + first - 0.5]])
    size_wh = (side * factor, side * factor)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    patch = cv2.warpAffine(luma, to_image, size_wh, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    if factor > 1:
        patch = cv2.resize(patch, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(patch, dtype=np.uint8)


def _peak(values: Float[np.ndarray, " n"], at: int) -> float:
    """Return how far the top of the parabola through three values is from the middle one."""
    if not 0 < at < len(values) - 1:
        return 0.0
    left, middle, right = (float(value) for value in values[at - 1 : at + 2])
    bend = left - 2 * middle + right
    return 0.5 * (left - right) / bend if bend < 0 else 0.0
