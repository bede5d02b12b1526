"""Labelled pictures to a video file."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Self

import numpy as np
from jaxtyping import UInt8

from emotemporal.timing import ClipRate, FrameBuffer
from emotemporal.video.write import VideoWriter

_Picture = UInt8[np.ndarray, "h w 3"]
_CAMERA_RATE_HZ = 30.0


class Recording:
    """Labelled pictures to a video file. A context manager.

    Args:
        path: Of the video; its suffix chooses the kind.
        frame_rate_hz: Of the source, every picture of which is written. None for a camera, whose
            frames come as they can: they are held, so that the video runs as fast as life did.
    """

    def __init__(self, path: Path, frame_rate_hz: float | None) -> None:
        rate_hz = _CAMERA_RATE_HZ if frame_rate_hz is None else frame_rate_hz
        self._writer = VideoWriter(path, rate_hz)
        self._held: FrameBuffer[_Picture] | None = None
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
        pictures = [picture]
        if self._held is not None:
            pictures = [held for held, _ in self._held.push(picture, time_s)]
        for due in pictures:
            self._writer.write(due)
