"""Opening cameras and network streams: what is asked of OpenCV, and how long it is waited for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import cv2
import numpy as np


@runtime_checkable
class Capture(Protocol):
    """What a camera needs of OpenCV's VideoCapture."""

    def isOpened(self) -> bool:  # noqa: N802 (OpenCV's name)
        """Tell whether there is a device."""
        ...

    def read(self) -> tuple[bool, np.ndarray]:
        """Wait for the next frame, BGR."""
        ...

    def get(self, prop: int, /) -> float:
        """Return a property; 0 for one that is not known."""
        ...

    def release(self) -> None:
        """Free the device."""
        ...


@dataclass(frozen=True)
class CameraConfig:
    """How long is waited for a camera or a stream."""

    open_timeout_s: float = 5.0
    """For a network stream to answer."""
    read_timeout_s: float = 5.0
    """For the next frame; then the device is closed and opened again."""
    stall_s: float = 1.0
    """Without a frame for longer, the picture on show says so."""
    first_retry_s: float = 0.5
    """Pause before a lost one is opened again; doubled each time."""
    max_retry_s: float = 8.0
    """The longest of these pauses."""
    give_up_s: float | None = 60.0
    """Without a frame for longer, the run ends with an error; none tries for ever."""
    idle_s: float = 0.1
    """How often the window is kept alive while no frame comes."""
    leave_s: float = 1.0
    """How long the program waits, at its end, for a driver that does not answer."""

    def __post_init__(self) -> None:
        positive = {
            name: getattr(self, name)
            for name in ("open_timeout_s", "read_timeout_s", "stall_s", "first_retry_s", "idle_s")
        }
        bad = [f"{name} is {value}" for name, value in positive.items() if value <= 0]
        if bad:
            raise ValueError(f"{', '.join(bad)}; each must be above 0 s")
        if self.max_retry_s < self.first_retry_s:
            raise ValueError(
                f"max_retry_s is {self.max_retry_s}, shorter than first_retry_s "
                f"{self.first_retry_s}; pauses grow from one to the other"
            )
        if self.give_up_s is not None and self.give_up_s <= 0:
            raise ValueError(f"give_up_s is {self.give_up_s}; it is above 0 s, or none")


def open_capture(address: int | str, config: CameraConfig) -> Capture:
    """Open a camera, or a stream with time-outs that FFmpeg keeps."""
    with _quiet_opencv():
        return _open(address, config)


@contextmanager
def _quiet_opencv() -> Iterator[None]:
    # Of a camera that is not there OpenCV tells a page of its own insides, for each that it tries.
    before = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(before)


def _open(address: int | str, config: CameraConfig) -> Capture:
    if isinstance(address, int):
        return cv2.VideoCapture(address)
    open_ms, read_ms = round(1000 * config.open_timeout_s), round(1000 * config.read_timeout_s)
    timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, open_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, read_ms]
    return cv2.VideoCapture(address, cv2.CAP_FFMPEG, timeouts)
