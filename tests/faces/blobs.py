"""Pictures with patterned squares for faces, and a detector that finds them by their pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from emotemporal.types import Box, Frame

_PATTERN = np.random.default_rng(7).integers(0, 2, (6, 6), dtype=np.uint8)
Place = Callable[[float], tuple[float, float] | None]


def draw(places: Mapping[int, tuple[float, float] | None], side: float = 40.0) -> np.ndarray:
    """Draw a 240 x 320 picture with a square of hue `key` at each place (its centre)."""
    image = np.full((240, 320, 3), 60, np.uint8)
    image[:, :, 1] = np.linspace(40, 90, 320).astype(np.uint8)[None]
    for hue, place in places.items():
        if place is None:
            continue
        tile = np.full((6, 6, 3), (hue, 255, 130), np.uint8)
        tile[..., 2] += 110 * _PATTERN
        colours = cv2.cvtColor(tile, cv2.COLOR_HSV2RGB)
        step = 6 / side
        x0, y0 = place[0] - side / 2, place[1] - side / 2
        to_tile = np.array([[step, 0, (0.5 - x0) * step - 0.5], [0, step, (0.5 - y0) * step - 0.5]])
        square = cv2.warpAffine(
            colours,
            to_tile,
            (320, 240),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        y, x = np.mgrid[:240, :320] + 0.5
        inside = (abs(x - place[0]) < side / 2) & (abs(y - place[1]) < side / 2)
        image[inside] = square[inside]
    return image


class BlobDetector:
    """Boxes what is saturated; shakes its boxes, if told to, as real detectors do."""

    name = "annotation"

    def __init__(self, shake_px: float = 0.0) -> None:
        self._shake_px = shake_px
        self.num_looks = 0

    def __call__(self, image: np.ndarray) -> list[Box]:
        self.num_looks += 1
        mask = (cv2.cvtColor(image, cv2.COLOR_RGB2HSV)[..., 1] > 200).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
        boxes = []
        for x, y, w, h, area in stats[1:]:
            if area > 200:
                # Of the picture, not of a generator: a detector has no state.
                dx, dy = (self._shake_px * np.sin([x * 1.7 + y, y * 2.3 + x])).tolist()
                boxes.append(Box(x + dx, y + dy, x + w + dx, y + h + dy, 0.9))
        return boxes


def frames(times_s: np.ndarray, places: Mapping[int, Place], side: float = 40.0) -> list[Frame]:
    return [
        Frame(draw({hue: place(t) for hue, place in places.items()}, side), float(t), i)
        for i, t in enumerate(times_s)
    ]
