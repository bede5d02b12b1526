"""What a frame shows by itself: whether a shot begins, its luma, and the faces where a look is due.

Nothing here knows who is followed, so looking may run ahead of following: see `faces.ahead`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import UInt8

from emotemporal.faces.cuts import Glance, glance, is_cut
from emotemporal.faces.detect import FaceDetector
from emotemporal.timing import to_ns
from emotemporal.types import Box, Frame

_SLACK_NS = 1_000_000  # a time that a container rounds just under the grid's counts as on it


@dataclass(frozen=True, eq=False)
class Look:
    """One frame, looked at."""

    frame: Frame
    luma: UInt8[np.ndarray, "h w"]
    is_cut: bool
    """A new shot begins: nobody goes on from before."""
    boxes: Sequence[Box] | None
    """The detector's; None where it was not its turn."""


class Looker:
    """Looks at each frame of one stream; detects periodically, and at once after a cut.

    Detections lie on a grid from the first frame, so that they fall on the same moments whatever
    the frame rate.

    Args:
        detector: Finds faces.
        detect_every_s: The grid's step; 0 detects on every frame.
    """

    def __init__(self, detector: FaceDetector, detect_every_s: float) -> None:
        self._detector, self._every_ns = detector, to_ns(detect_every_s)
        self._before: Glance | None = None
        self._size_hw: tuple[int, ...] | None = None
        self._origin_ns: int | None = None
        self._last_number = -1

    def step(self, frame: Frame) -> Look:
        """Look at the next frame."""
        now = glance(frame.image)
        size_hw = frame.image.shape[:2]
        # A camera that comes back at another size has other pixels for the same place.
        is_other_size = self._size_hw not in (None, size_hw)
        is_new_shot = self._before is not None and (is_other_size or is_cut(self._before, now))
        self._before, self._size_hw = now, size_hw
        number = self._number(frame.time_s)
        boxes = None
        if is_new_shot or number > self._last_number:
            boxes = self._detector(frame.image)
            self._last_number = number
        luma = np.asarray(cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
        return Look(frame, luma, is_new_shot, boxes)

    def _number(self, time_s: float) -> int:
        now_ns = to_ns(time_s)
        if self._origin_ns is None:
            self._origin_ns = now_ns
        elapsed_ns = now_ns - self._origin_ns + _SLACK_NS
        return elapsed_ns // self._every_ns if self._every_ns else elapsed_ns
