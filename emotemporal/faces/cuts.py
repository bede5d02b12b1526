"""Scene cuts: where one picture does not go on from the one before."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

# Between two frames, 1 - sum(sqrt(p q)) of their colours: in ten real clips at most 0.028 (0.053
# at every third frame) within a shot, at least 0.179 at a cut.
MIN_COLOUR_CHANGE = 0.12
# 1 - correlation of their luma: at most 0.33 within a shot, at least 0.74 at a cut. A flash or a
# camera's exposure changes the colours, not the layout.
MIN_LAYOUT_CHANGE = 0.5


@dataclass(frozen=True, eq=False)
class Glance:
    """A frame as the test for cuts sees it."""

    colours: Float[np.ndarray, " bins"]
    luma: Float[np.ndarray, "h w"]


def glance(image: UInt8[np.ndarray, "h w 3"]) -> Glance:
    """Reduce a frame to the little that tells shots apart."""
    small = cv2.resize(image, (64, 36), interpolation=cv2.INTER_AREA)
    hsv = cv2.cvtColor(small, cv2.COLOR_RGB2HSV)
    counts = cv2.calcHist([hsv], [0, 1, 2], None, [8, 4, 8], [0, 180, 0, 256, 0, 256])
    luma = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float64)
    return Glance(np.sqrt(np.ravel(counts) / counts.sum()), luma - luma.mean())


def is_cut(before: Glance, after: Glance) -> bool:
    """Tell whether a new shot begins at `after`."""
    if 1 - float(np.dot(before.colours, after.colours)) < MIN_COLOUR_CHANGE:
        return False
    norm = float(np.linalg.norm(before.luma) * np.linalg.norm(after.luma))
    # A flat picture, black most often, goes on from nothing.
    correlation = float(np.sum(before.luma * after.luma)) / norm if norm > 0 else 0.0
    return 1 - correlation > MIN_LAYOUT_CHANGE
