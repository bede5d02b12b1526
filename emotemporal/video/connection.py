"""The thread behind a camera: reads, keeps the newest frame, opens again what it has lost."""

from __future__ import annotations

import threading
from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import UInt8

from emotemporal.timing import Clock
from emotemporal.video.capture import CameraConfig, Capture

_Stamped = tuple[UInt8[np.ndarray, "h w 3"], float]
_MAX_AHEAD_S = 10.0  # more is no pace but a jump in the stream's own times


class Connection:
    """One thread with one device, and the slot for its newest frame.

    Args:
        capture: Open already; None opens it first.
        reopen: Opens it again.
        config: Time-outs and pauses.
        clock: Stamps frames.
        has_own_pace: Frames come with times of their own and perhaps faster than life, as of a file
            by HTTP; they are then held back.
    """

    def __init__(
        self,
        capture: Capture | None,
        reopen: Callable[[], Capture],
        config: CameraConfig,
        clock: Clock,
        has_own_pace: bool,
    ) -> None:
        self._capture, self._reopen = capture, reopen
        self._config, self._clock, self._has_own_pace = config, clock, has_own_pace
        self._condition = threading.Condition()
        self._slot: _Stamped | None = None
        self._error: Exception | None = None
        self._is_leaving = False
        self._busy_since_s: float | None = None
        self._retry_at_s: float | None = None
        self._reason = ""
        self._is_lost = capture is None
        self._origin: tuple[float, float] | None = None
        self._num_read = 0
        self.num_dropped = 0
        self.num_reconnects = 0
        self.is_over = False
        """The stream has an end, and it was reached."""
        # A daemon: a driver that hangs in read() must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name="emotemporal-camera", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def leave(self) -> None:
        """Ask the thread to free the device and end; it does so once the driver answers."""
        with self._condition:
            self._is_leaving = True
            self._condition.notify_all()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread's end."""
        self._thread.join(timeout_s)

    @property
    def is_alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    def take(self, timeout_s: float) -> _Stamped | None:
        """Return the newest frame and when it came; None if there is no new one in time."""
        with self._condition:
            self._condition.wait_for(self._has_news, timeout_s)
            taken, self._slot = self._slot, None
            return taken

    def raise_error(self) -> None:
        """Raise what went wrong in the thread and is nobody's camera's fault."""
        if self._error is not None:
            raise self._error

    def is_hung(self, now_s: float) -> bool:
        """Tell whether the driver has kept the thread for longer than any time-out."""
        since_s = self._busy_since_s
        # FFmpeg's own time-outs come first; half as long again is for drivers that have none.
        limit_s = 1.5 * max(self._config.read_timeout_s, self._config.open_timeout_s)
        return since_s is not None and now_s - since_s > limit_s

    def trouble(self, now_s: float) -> tuple[str, float, bool]:
        """Return why it was lost last, seconds to the next attempt, and whether it is lost now."""
        retry_at_s = self._retry_at_s
        wait_s = 0.0 if retry_at_s is None else max(0.0, retry_at_s - now_s)
        return self._reason, wait_s, self._is_lost

    def _has_news(self) -> bool:
        return self._slot is not None or self._error is not None or self._is_leaving or self.is_over

    def _run(self) -> None:
        try:
            pause_s = self._config.first_retry_s
            while not (self._is_leaving or self.is_over):
                if self._capture is None:
                    self._pause(pause_s)
                    pause_s = min(2 * pause_s, self._config.max_retry_s)
                    self._try_to_open()
                elif self._read_one(self._capture):
                    pause_s = self._config.first_retry_s
                else:
                    self._lose()
        # Faults of ours, or more than a lost device: told to the loop, which would wait for ever.
        except (cv2.error, MemoryError, OSError, RuntimeError, TypeError, ValueError) as error:
            with self._condition:
                self._error = error
                self._condition.notify_all()
        finally:
            if self._capture is not None:
                self._capture.release()

    def _read_one(self, capture: Capture) -> bool:
        self._busy_since_s = self._clock()
        try:
            is_good, image_bgr = capture.read()
        except cv2.error:  # some drivers raise where others return nothing
            is_good = False
        self._busy_since_s = None
        if not is_good:
            self.is_over = self._has_own_pace and self._is_at_end(capture)
            return self.is_over
        self._num_read += 1
        if self._has_own_pace:
            self._hold_back(capture)
        with self._condition:
            self.num_dropped += self._slot is not None
            self._slot = (np.asarray(image_bgr, dtype=np.uint8), self._clock())
            if self._is_lost:
                self.num_reconnects += 1
            self._is_lost, self._retry_at_s = False, None
            self._condition.notify_all()
        return True

    def _is_at_end(self, capture: Capture) -> bool:
        """Tell whether a stream with a known length, as a file by HTTP has, is over."""
        count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        return 0 < count <= self._num_read + 2  # containers' counts are off by one or two

    def _hold_back(self, capture: Capture) -> None:
        """Wait until life has come as far as the stream's own time."""
        at_s, now_s = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000, self._clock()
        if self._origin is None:
            self._origin = (at_s, now_s)
        ahead_s = (at_s - self._origin[0]) - (now_s - self._origin[1])
        if abs(ahead_s) > _MAX_AHEAD_S:
            self._origin = (at_s, now_s)
        elif ahead_s > 0:
            with self._condition:
                self._condition.wait_for(lambda: self._is_leaving, ahead_s)

    def _lose(self) -> None:
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()
        self._is_lost, self._origin, self._num_read = True, None, 0
        self._reason = "it stopped giving frames"

    def _pause(self, pause_s: float) -> None:
        with self._condition:
            self._retry_at_s = self._clock() + pause_s
            self._condition.wait_for(lambda: self._is_leaving, pause_s)

    def _try_to_open(self) -> None:
        if self._is_leaving:
            return
        self._retry_at_s, self._busy_since_s = None, self._clock()
        try:
            capture = self._reopen()
        except cv2.error:
            return
        finally:
            self._busy_since_s = None
        if capture.isOpened():
            self._capture = capture
        else:
            capture.release()
            self._reason = "it cannot be opened again"
