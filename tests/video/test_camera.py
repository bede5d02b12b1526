from __future__ import annotations

import http.server
import socket
import threading
import time
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pytest

from emotemporal.video.camera import Camera
from emotemporal.video.capture import CameraConfig
from emotemporal.video.source import LiveSource, SourceStatus, VideoError
from emotemporal.video.write import VideoWriter
from tests.video.devices import Device, Script

QUICK = CameraConfig(
    open_timeout_s=0.05,
    read_timeout_s=0.05,
    stall_s=0.03,
    first_retry_s=0.01,
    max_retry_s=0.04,
    give_up_s=20.0,
    idle_s=0.01,
)


def ticking(step_s: float = 0.04):
    times = iter(np.arange(1, 1_000_000) * step_s)
    return lambda: float(next(times))


def threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name == "emotemporal-camera"]


def until(is_true, timeout_s=10.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not is_true() and time.monotonic() < deadline:
        time.sleep(0.002)
    return is_true()


def first(camera, count) -> list:
    return [frame for _, frame in zip(range(count), camera, strict=False)]


def test_frames_are_rgb_and_their_times_count_from_the_first():
    script = Script(3)
    with Camera(0, clock=ticking(), open_with=Device(script)) as camera:
        assert isinstance(camera, LiveSource)
        frames = first(camera, 3)
    assert frames[0].time_s == 0.0
    assert np.all(np.diff([frame.time_s for frame in frames]) > 0)
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert frames[0].image[0, 0, 0] in (0, 99)  # blue came first, so red is not the number
    assert script.is_released.is_set()
    assert not threads()


def test_the_newest_frame_wins():
    script = Script(20)
    with Camera(0, clock=ticking(), open_with=Device(script)) as camera:
        frames = iter(camera)
        next(frames)
        assert until(lambda: script.num_read == 20 and camera.status.num_dropped >= 18)
        time.sleep(0.02)
        assert next(frames).image[0, 0, 0] == 99


def test_an_unplugged_camera_comes_back_at_another_size_and_times_go_on():
    lost, found = Script(2, then="fails"), Script(3, size_wh=(8, 6))
    with Camera(3, QUICK, open_with=Device(lost, found)) as camera:
        frames = first(camera, 6)
        assert camera.status.num_reconnects == 1
        assert camera.status.is_running
    assert lost.is_released.is_set()
    assert found.is_released.is_set()
    sizes = [frame.image.shape[:2] for frame in frames]
    assert sizes[0] == (4, 4)
    assert sizes[-1] == (6, 8)
    assert np.all(np.diff([frame.time_s for frame in frames]) > 0)
    assert [frame.index for frame in frames] == list(range(6))
    assert not threads()


def test_while_it_is_away_whoever_waits_is_woken_and_told():
    away = Script(is_opened=False)
    with Camera(3, QUICK, open_with=Device(Script(1, then="fails"), *[away] * 3, Script())) as cam:
        seen = [(frame, cam.status) for _, frame in zip(range(200), cam.watch(), strict=False)]
    waits = [status for frame, status in seen if frame is None]
    assert waits
    assert "reconnecting" in {status.state for status in waits}
    assert any("reconnecting" in str(status) for status in waits)
    reasons = {status.reason for status in waits}
    assert reasons & {"it stopped giving frames", "it cannot be opened again"}
    assert seen[-1][0] is not None
    assert seen[-1][1].num_reconnects == 1


def test_a_frozen_camera_is_told_given_up_and_opened_again():
    frozen, thawed = Script(2, then="freezes"), Script(3, size_wh=(8, 6))
    with Camera(0, QUICK, open_with=Device(frozen, thawed)) as camera:
        states = set()
        for frame in camera.watch():
            states.add(camera.status.state)
            if frame is not None and frame.image.shape[:2] == (6, 8):
                break
        assert "stalled" in states
        assert camera.status.num_reconnects == 1
        frozen.thaw.set()
        assert frozen.is_released.wait(10)
    assert until(lambda: not threads())


def test_a_frozen_camera_that_stays_frozen_holds_a_bounded_number_of_threads():
    scripts = [Script(1, then="freezes"), *[Script(0, then="freezes") for _ in range(20)]]
    config = CameraConfig(**{**vars(QUICK), "give_up_s": 0.8, "leave_s": 0.01})
    with (
        Camera(0, config, open_with=Device(*scripts)) as camera,
        pytest.raises(VideoError, match="camera 0 gave no frame for"),
    ):
        list(camera)
    assert len(threads()) <= 3
    for script in scripts:
        script.thaw.set()
    assert until(lambda: not threads())


def test_one_that_stays_away_is_given_up_with_the_reason():
    config = CameraConfig(**{**vars(QUICK), "give_up_s": 0.1})
    device = Device(Script(2, then="fails"), Script(is_opened=False))
    with (
        Camera(3, config, open_with=device) as camera,
        pytest.raises(VideoError, match=r"camera 3 gave no frame for .*: it .*plugged in"),
    ):
        list(camera)
    assert device.num_openings > 2
    assert not threads()


def test_pauses_before_another_attempt_grow_and_are_bounded():
    now = [0.0]
    device = Device(Script(0, then="fails"), Script(is_opened=False))
    config = CameraConfig(first_retry_s=0.01, max_retry_s=0.02, give_up_s=None, idle_s=0.005)
    pauses = set()
    with Camera(0, config, clock=lambda: now[0], open_with=device) as camera:
        for _ in camera.watch():
            pauses.add(round(camera.status.retry_in_s, 3))
            if device.num_openings > 5:
                break
    assert pauses <= {0.0, 0.01, 0.02}
    assert 0.02 in pauses


def test_a_camera_that_is_not_there_is_told_and_freed():
    script = Script(is_opened=False)
    with pytest.raises(VideoError, match="camera 7"), Camera(7, open_with=Device(script)):
        pass
    assert script.is_released.is_set()


def test_an_error_in_the_loop_closes_the_camera():
    script = Script(5)

    def fail_in_the_middle() -> None:
        with Camera(0, clock=ticking(), open_with=Device(script)) as camera:
            for _ in camera:
                raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        fail_in_the_middle()
    assert script.is_released.is_set()
    assert not threads()


def test_a_fault_of_the_program_is_raised_in_the_loop():
    class Faulty(Script):
        def read(self):
            raise TypeError("a bug")

    with Camera(0, open_with=Device(Faulty())) as camera, pytest.raises(TypeError, match="a bug"):
        list(camera)


def test_what_opencv_raises_beside_reading_is_raised_in_the_loop_too():
    class Faulty(Script):
        def get(self, prop):
            raise cv2.error("no such property")

    clip = Faulty(1, then="fails")
    with (
        Camera(
            "http://host/clip.mp4", replace(QUICK, give_up_s=2.0), open_with=Device(clip)
        ) as cam,
        pytest.raises(cv2.error, match="no such property"),
    ):
        list(cam)


def test_a_file_by_http_ends_and_runs_no_faster_than_life():
    clip = Script(4, then="fails", count=4, step_ms=20)
    with Camera("http://host/clip.mp4", QUICK, open_with=Device(clip)) as camera:
        frames = list(camera)
    assert len(frames) == 4
    assert frames[-1].time_s >= 0.05
    assert not threads()


def test_a_password_is_not_told():
    camera = Camera("rtsp://user:secret@10.0.0.2:554/stream?token=abc", open_with=Device(Script()))
    assert camera.name == "rtsp://10.0.0.2:554/stream"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (SourceStatus(), "live"),
        (SourceStatus("stalled", 3.2), "no picture for 3 s"),
        (SourceStatus("reconnecting", 5.0, retry_in_s=4.0), "reconnecting in 4 s"),
        (SourceStatus("reconnecting", 5.0), "no picture for 5 s, reconnecting"),
    ],
)
def test_a_status_says_itself(status, words):
    assert words in str(status)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"idle_s": 0.0}, "idle_s is 0.0"),
        ({"max_retry_s": 0.1}, "shorter than first_retry_s"),
        ({"give_up_s": 0.0}, "give_up_s is 0.0"),
    ],
)
def test_impossible_waits_are_refused(changes, complaint):
    with pytest.raises(ValueError, match=complaint):
        CameraConfig(**changes)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words):
        pass


@pytest.fixture
def address(tmp_path):
    """Where a folder is served from, on this computer."""
    handler = partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_video_is_read_by_http_to_its_end(tmp_path, address):
    with VideoWriter(tmp_path / "clip.avi", 50.0) as video:
        for level in range(10):
            video.write(np.full((48, 64, 3), 20 * level, np.uint8))
    with Camera(f"{address}/clip.avi", replace(QUICK, open_timeout_s=20)) as camera:
        frames = list(camera)
    assert 5 <= len(frames) <= 10
    assert frames[-1].image.mean() > 100
    assert not threads()


def test_a_stream_that_is_not_there_is_told(address):
    with pytest.raises(VideoError, match=r"missing\.avi cannot be opened; is the address right"):
        Camera(f"{address}/missing.avi").__enter__()


def test_a_server_that_never_answers_is_given_up_in_time():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        config = replace(QUICK, open_timeout_s=0.3, read_timeout_s=0.3)
        with pytest.raises(VideoError, match="cannot be opened"):
            Camera(f"http://127.0.0.1:{port}/clip.avi", config).__enter__()
