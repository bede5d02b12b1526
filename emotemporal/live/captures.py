"""What keys of the window keep: screenshots, and recordings begun and ended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from emotemporal.live.sinks.recording import Recording
from emotemporal.timing import date_and_time
from emotemporal.video.image import write_image
from emotemporal.video.source import VideoError

_Picture = UInt8[np.ndarray, "h w 3"]
UNWRITABLE = (OSError, VideoError)
"""What may be raised by all of it: the disk is full, the folder read-only or gone."""


class Pictures:
    """Where pictures go besides the window, on a key: a screenshot, a recording begun and ended.

    Args:
        folder: For both.
        rate_hz: Of the source; None for a camera.
        now: Names the files.
    """

    def __init__(
        self, folder: Path, rate_hz: float | None, now: Callable[[], datetime] = date_and_time
    ) -> None:
        self._folder, self._rate_hz, self._now = folder, rate_hz, now
        self._recording: Recording | None = None
        self._path = Path()

    @property
    def is_recording(self) -> bool:
        """Whether pictures are being recorded."""
        return self._recording is not None

    def write(self, picture: _Picture, time_s: float) -> None:
        """Take the next picture."""
        if self._recording is not None:
            self._recording.write(picture, time_s)

    def shoot(self, picture: _Picture) -> str:
        """Keep one picture; return what to say of it."""
        path = self._free(".png")
        write_image(path, picture)
        return f"wrote {path.name}"

    def toggle(self) -> str:
        """Begin a recording or end it; return what to say of it."""
        if self._recording is not None:
            self.close()
            return f"wrote {self._path.name}"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._path = self._free(".mp4")
        self._recording = Recording(self._path, self._rate_hz).__enter__()
        return f"recording {self._path.name}"

    def close(self) -> None:
        """End a recording that is under way; what it has is kept."""
        recording, self._recording = self._recording, None
        if recording is not None:
            recording.__exit__(None)

    def drop(self, error: OSError | VideoError) -> None:
        """Give up a recording that cannot be written."""
        recording, self._recording = self._recording, None
        if recording is not None:
            recording.__exit__(type(error), error, error.__traceback__)

    def _free(self, suffix: str) -> Path:
        stem = f"emotemporal-{self._now():%Y%m%d-%H%M%S}"
        path, number = self._folder / f"{stem}{suffix}", 1
        while path.exists():
            number += 1
            path = self._folder / f"{stem}-{number}{suffix}"
        return path
