"""A camera: one thread, one slot, the newest frame wins."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Protocol, Self, runtime_checkable

import cv2
import numpy as np
from jaxtyping import UInt8

from emotemporal.timing import Clock, monotonic
from emotemporal.types import Frame
from emotemporal.video.source import VideoError


@runtime_checkable
class Capture(Protocol):
    """What a camera needs of OpenCV's VideoCapture."""

    def isOpened(self) -> bool:  # noqa: N802 (OpenCV's name)
        """Tell whether there is a device."""
        ...

    def read(self) -> tuple[bool, np.ndarray]:
        """Wait for the next frame, BGR."""
        ...

    def release(self) -> None:
        """Free the device."""
        ...


class Camera:
    """A live camera as a source of frames. A context manager; leaving it frees the device.

    A thread reads all the time, so that what the loop gets is the newest frame and not the oldest
    in a queue; frames that come while the loop is busy are dropped. Times count from the first
    frame and are taken when the frame arrives. What goes wrong in the thread is raised in the loop.

    Raises:
        VideoError: The camera cannot be opened, or gives no frame for `timeout_s`.
    """

    def __init__(
        self,
        index: int,
        timeout_s: float = 5.0,
        clock: Clock = monotonic,
        open_capture: Callable[[int], Capture] = cv2.VideoCapture,
    ) -> None:
        self._index = index
        self._timeout_s = timeout_s
        self._clock = clock
        self._open_capture = open_capture
        self._condition = threading.Condition()
        self._slot: tuple[UInt8[np.ndarray, "h w 3"], float] | None = None
        self._error: Exception | None = None
        self._is_leaving = False
        self._thread: threading.Thread | None = None
        self.num_dropped = 0
        """Frames that came while the loop was busy."""

    def __enter__(self) -> Self:
        capture = self._open_capture(self._index)
        if not capture.isOpened():
            capture.release()
            raise VideoError(
                f"camera {self._index} cannot be opened; is it plugged in, and does no other "
                "program use it? Other cameras have other numbers"
            )
        self._is_leaving = False
        # A daemon: a driver that hangs in read() must not keep the program from ending.
        self._thread = threading.Thread(target=self._read_all, args=(capture,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        with self._condition:
            self._is_leaving = True
            self._condition.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=1.0)
        self._thread = None

    def __iter__(self) -> Iterator[Frame]:
        index, first_s, last_s = 0, None, -1.0
        while (taken := self._take()) is not None:
            image_bgr, now_s = taken
            first_s = now_s if first_s is None else first_s
            time_s = now_s - first_s
            if time_s <= last_s:  # two frames in one tick of a coarse clock
                continue
            image = np.asarray(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)
            yield Frame(image, time_s, index)
            index, last_s = index + 1, time_s

    def _take(self) -> tuple[UInt8[np.ndarray, "h w 3"], float] | None:
        with self._condition:
            came = self._condition.wait_for(
                lambda: self._slot is not None or self._error is not None or self._is_leaving,
                timeout=self._timeout_s,
            )
            if self._slot is not None:
                taken, self._slot = self._slot, None
                return taken
            if self._error is not None:
                raise self._error
            if not came:
                raise VideoError(f"camera {self._index} gave no frame for {self._timeout_s} s")
            return None

    def _read_all(self, capture: Capture) -> None:
        try:
            while not self._is_leaving:
                is_good, image_bgr = capture.read()
                now_s = self._clock()
                if not is_good:
                    raise VideoError(f"camera {self._index} stopped giving frames; unplugged?")
                with self._condition:
                    self.num_dropped += self._slot is not None
                    self._slot = (np.asarray(image_bgr, dtype=np.uint8), now_s)
                    self._condition.notify_all()
        except (VideoError, cv2.error) as error:
            with self._condition:
                self._error = error
                self._condition.notify_all()
        finally:
            capture.release()
