from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from emotemporal.video.camera import Camera
from emotemporal.video.source import VideoError


class FakeCapture:
    """Gives a frame each time it is let; then fails, or waits until released."""

    def __init__(self, num_frames: int, then_fails: bool = False, is_opened: bool = True) -> None:
        self.turns = threading.Semaphore(num_frames)
        self.num_read, self._num_frames, self._then_fails = 0, num_frames, then_fails
        self._is_opened, self.is_released = is_opened, threading.Event()

    def isOpened(self) -> bool:  # noqa: N802
        return self._is_opened

    def read(self) -> tuple[bool, np.ndarray]:
        if self.num_read == self._num_frames:
            if self._then_fails:
                return False, np.zeros(0)
            time.sleep(0.005)
            return True, np.full((4, 4, 3), 99, np.uint8)
        self.num_read += 1
        image = np.zeros((4, 4, 3), np.uint8)
        image[..., 0] = self.num_read
        return True, image

    def release(self) -> None:
        self.is_released.set()


def ticking(step_s: float = 0.04):
    times = iter(np.arange(1, 100_000) * step_s)
    return lambda: float(next(times))


def test_frames_are_rgb_and_their_times_count_from_the_first():
    capture = FakeCapture(3)
    with Camera(0, clock=ticking(), open_capture=lambda index: capture) as camera:
        frames = [frame for _, frame in zip(range(3), camera, strict=False)]
    assert frames[0].time_s == 0.0
    assert np.all(np.diff([frame.time_s for frame in frames]) > 0)
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert frames[0].image[0, 0, 0] in (0, 99)  # blue came first, so red is not the number
    assert capture.is_released.wait(1)


def test_the_newest_frame_wins():
    capture = FakeCapture(20)
    with Camera(0, clock=ticking(), open_capture=lambda index: capture) as camera:
        frames = iter(camera)
        next(frames)
        deadline = time.monotonic() + 2
        while capture.num_read < 20 and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(0.02)
        assert next(frames).image[0, 0, 0] == 99
        assert camera.num_dropped > 0


def test_an_unplugged_camera_is_told_in_the_loop():
    capture = FakeCapture(2, then_fails=True)
    with (
        Camera(3, clock=ticking(), open_capture=lambda index: capture) as camera,
        pytest.raises(VideoError, match="camera 3 stopped"),
    ):
        list(camera)
    assert capture.is_released.wait(1)


def test_a_camera_that_is_not_there_is_told_and_freed():
    capture = FakeCapture(0, is_opened=False)
    with pytest.raises(VideoError, match="camera 7"), Camera(7, open_capture=lambda i: capture):
        pass
    assert capture.is_released.is_set()


def test_an_error_in_the_loop_closes_the_camera_within_a_second():
    capture = FakeCapture(5)

    def fail_in_the_middle() -> None:
        with Camera(0, clock=ticking(), open_capture=lambda index: capture) as camera:
            for _ in camera:
                raise RuntimeError("mine")

    started = time.monotonic()
    with pytest.raises(RuntimeError, match="mine"):
        fail_in_the_middle()
    assert capture.is_released.wait(1)
    assert time.monotonic() - started < 1
