"""A camera or a network stream: one thread, one slot, the newest frame wins; the lost return."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import cv2
import numpy as np
from jaxtyping import UInt8

from emotemporal.timing import Clock, monotonic
from emotemporal.types import Frame
from emotemporal.video.capture import CameraConfig, Capture, open_capture
from emotemporal.video.connection import Connection
from emotemporal.video.source import SourceStatus, VideoError

_MAX_HUNG = 2  # threads left waiting in a driver; more would only wait for the same device


class Camera:
    """A live source of frames: a camera by its number, a stream by its URL. A context manager.

    A thread reads all the time, so that what the loop gets is the newest frame and not the oldest
    in a queue; frames that come while the loop is busy are dropped and counted. Times count from
    the first frame and are taken when a frame arrives: a rate that a device claims is not believed.
    One that is lost or freezes is opened again, with growing pauses; its frames may then have
    another size, and times go on.

    Args:
        address: Number of a camera, or a URL that OpenCV's FFmpeg opens.
        config: How long is waited for what.
        clock: Stamps frames.
        open_with: Opens the device.

    Raises:
        VideoError: It cannot be opened at first, or gives no frame for `give_up_s`.
    """

    def __init__(
        self,
        address: int | str,
        config: CameraConfig | None = None,
        clock: Clock = monotonic,
        open_with: Callable[[int | str, CameraConfig], Capture] = open_capture,
    ) -> None:
        self._address, self._config = address, config or CameraConfig()
        self._clock, self._open = clock, open_with
        self._connection: Connection | None = None
        self._hung: list[Connection] = []
        self._first_s: float | None = None
        self._newest_s = 0.0
        self._num_dropped = 0
        self._num_reconnects = 0

    @property
    def name(self) -> str:
        """What it is called in messages; without the password that a URL may hold."""
        if isinstance(self._address, int):
            return f"camera {self._address}"
        parts = urlsplit(self._address)
        place = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, place, parts.path, "", ""))

    def __enter__(self) -> Self:
        capture = self._open(self._address, self._config)
        if not capture.isOpened():
            capture.release()
            raise VideoError(f"{self.name} cannot be opened; {self._remedy()}")
        self._newest_s = self._clock()
        self._connection = self._connect(capture)
        return self

    def __exit__(self, *exc: object) -> None:
        connections = [c for c in (self._connection, *self._hung) if c is not None]
        self._connection = None
        for connection in connections:
            connection.leave()
        for connection in connections:
            connection.join(self._config.leave_s)
        self._hung = []

    def __iter__(self) -> Iterator[Frame]:
        """Give frames until it is lost for good, or the stream is over."""
        return (frame for frame in self.watch() if frame is not None)

    def watch(self) -> Iterator[Frame | None]:
        """Give each newest frame, and None every `idle_s` while there is none."""
        index, last_s = 0, -1.0
        while (connection := self._connection) is not None:
            taken = connection.take(self._config.idle_s)
            if taken is None:
                if connection.is_over:
                    return
                self._look_after(connection)
                yield None
                continue
            image_bgr, stamp_s = taken
            self._newest_s = stamp_s
            self._first_s = stamp_s if self._first_s is None else self._first_s
            time_s = stamp_s - self._first_s
            if time_s <= last_s:  # two frames in one tick of a coarse clock
                continue
            yield Frame(_to_rgb(image_bgr), time_s, index)
            index, last_s = index + 1, time_s

    def now_s(self) -> float:
        """Return the time now, on the scale of its frames; 0 before the first."""
        return 0.0 if self._first_s is None else self._clock() - self._first_s

    @property
    def status(self) -> SourceStatus:
        """How it fares now."""
        connection, now_s = self._connection, self._clock()
        age_s = max(0.0, now_s - self._newest_s)
        dropped, reconnects = self._num_dropped, self._num_reconnects
        reason, retry_in_s, is_lost = "", 0.0, False
        if connection is not None:
            dropped += connection.num_dropped
            reconnects += connection.num_reconnects
            reason, retry_in_s, is_lost = connection.trouble(now_s)
        if is_lost:
            return SourceStatus("reconnecting", age_s, dropped, reconnects, retry_in_s, reason)
        is_late = age_s > self._config.stall_s
        return SourceStatus(
            "stalled" if is_late else "running", age_s, dropped, reconnects, reason=reason
        )

    def _connect(self, capture: Capture | None) -> Connection:
        def reopen() -> Capture:
            return self._open(self._address, self._config)

        has_own_pace = isinstance(self._address, str)
        connection = Connection(capture, reopen, self._config, self._clock, has_own_pace)
        connection.start()
        return connection

    def _look_after(self, connection: Connection) -> None:
        """Give up what stays away, and leave a driver that hangs to itself."""
        connection.raise_error()
        now_s = self._clock()
        silent_s = now_s - self._newest_s
        limit_s = self._config.give_up_s
        if limit_s is not None and silent_s > limit_s:
            reason, _, _ = connection.trouble(now_s)
            raise VideoError(
                f"{self.name} gave no frame for {silent_s:.1f} s{': ' + reason if reason else ''}; "
                f"{self._remedy()}"
            )
        self._hung = [hung for hung in self._hung if hung.is_alive]
        if connection.is_hung(now_s) and len(self._hung) < _MAX_HUNG:
            connection.leave()
            self._hung.append(connection)
            self._num_dropped += connection.num_dropped
            self._num_reconnects += connection.num_reconnects
            self._connection = self._connect(None)

    def _remedy(self) -> str:
        if isinstance(self._address, int):
            return (
                "is it plugged in, and does no other program use it? Other cameras have other "
                f"numbers{_cameras_here()}"
            )
        return "is the address right, and can it be reached from here?"


def _cameras_here() -> str:
    """Say which cameras the system shows as files, where it does."""
    if not sys.platform.startswith("linux"):
        return ""
    names = sorted(str(path) for path in Path("/dev").glob("video*"))
    return f"; here are {', '.join(names)}" if names else "; here is none (/dev/video*)"


def _to_rgb(image_bgr: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    return np.asarray(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)
