"""Labelled pictures to a video file."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Self

import cv2
import numpy as np
from jaxtyping import UInt8

from emotemporal.timing import ClipRate, FrameBuffer
from emotemporal.video.write import VideoWriter

_Picture = UInt8[np.ndarray, "h w 3"]
_CAMERA_RATE_HZ = 30.0


class Recording:
    """Labelled pictures to a video file. A context manager.

    All are brought to the size of the first, as a camera that was lost may come back with another.

    Args:
        path: Of the video; its suffix chooses the kind.
        frame_rate_hz: Of the source, every picture of which is written. None for a camera, whose
            frames come as they can: they are held, so that the video runs as fast as life did.
    """

    def __init__(self, path: Path, frame_rate_hz: float | None) -> None:
        rate_hz = _CAMERA_RATE_HZ if frame_rate_hz is None else frame_rate_hz
        self._writer = VideoWriter(path, rate_hz)
        self._held: FrameBuffer[_Picture] | None = None
        self._size_hw: tuple[int, ...] | None = None
        if frame_rate_hz is None:
            self._held = FrameBuffer(ClipRate(_CAMERA_RATE_HZ))

    def __enter__(self) -> Self:
        self._writer.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        with ExitStack() as stack:
            stack.push(self._writer)  # closed as well where the last pictures cannot be written
            if self._held is not None and kind is None:
                for picture, _ in self._held.flush():
                    self._writer.write(picture)
            elif kind is not None:
                stack.pop_all()
                self._writer.__exit__(kind, *exc)

    def write(self, picture: _Picture, time_s: float) -> None:
        """Append a picture."""
        self._size_hw = self._size_hw or picture.shape[:2]
        picture = _fit(picture, self._size_hw)
        pictures = [picture]
        if self._held is not None:
            pictures = [held for held, _ in self._held.push(picture, time_s)]
        for due in pictures:
            self._writer.write(due)


def _fit(
    picture: UInt8[np.ndarray, "h w 3"], size_hw: tuple[int, ...]
) -> UInt8[np.ndarray, "h2 w2 3"]:
    """Bring a picture to a size without distorting it, black where it does not reach."""
    if picture.shape[:2] == size_hw:
        return picture
    scale = min(size_hw[0] / picture.shape[0], size_hw[1] / picture.shape[1])
    width, height = (max(1, round(side * scale)) for side in picture.shape[1::-1])
    whole = np.zeros((*size_hw, 3), dtype=np.uint8)
    top, left = (size_hw[0] - height) // 2, (size_hw[1] - width) // 2
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    whole[top : top + height, left : left + width] = small
    return whole
