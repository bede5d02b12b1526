"""A video decoded in another process: the same frames, and a bad decoder costs one video."""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest

from emotemporal.types import Frame
from emotemporal.video.file import VideoError, VideoFile
from emotemporal.video.isolated import VideoProcess
from tests.video.clips import write_clip

pytestmark = pytest.mark.skipif(os.name == "nt", reason="stops and kills by signals")


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("videos") / "a.mp4"
    write_clip(path, num_frames=30)
    return path


@pytest.fixture(autouse=True)
def bystanders(monkeypatch) -> None:
    """Other tests' processes, such as a judge kept for a whole session, are not looked at."""
    before = set(multiprocessing.active_children())
    every = multiprocessing.active_children
    monkeypatch.setattr(
        multiprocessing, "active_children", lambda: [p for p in every() if p not in before]
    )


@pytest.fixture
def decoder():
    with VideoProcess(stall_s=20.0) as decoder:
        yield decoder


def told(frames) -> list[tuple[int, float, int]]:
    return [(frame.index, frame.time_s, int(frame.image.sum())) for frame in frames]


def decode(decoder: VideoProcess, path: Path) -> list[tuple[int, float, int]]:
    with decoder.open(path) as video:
        return told(video)


def the_process() -> int:
    (child,) = multiprocessing.active_children()
    assert child.pid is not None
    return child.pid


def test_frames_and_description_are_those_of_the_file(video, decoder):
    with VideoFile(video) as expected, decoder.open(video) as found:
        assert found.info == expected.info
        for one, other in zip(expected, found, strict=True):
            assert isinstance(other, Frame)
            assert (one.index, one.time_s) == (other.index, other.time_s)
            np.testing.assert_array_equal(one.image, other.image)


def test_a_process_that_cannot_be_started_leaves_nothing_behind(video, monkeypatch):
    with VideoProcess(stall_s=20.0) as decoder:
        with monkeypatch.context() as patched:
            patched.setattr(BaseProcess, "start", _refuse)
            for _ in range(2):
                with pytest.raises(OSError, match="no more processes"):
                    decode(decoder, video)
            decoder.close()
        assert len(decode(decoder, video)) == 30


def _refuse(process):
    raise OSError("no more processes")


@pytest.mark.parametrize("num_read", [0, 1, 5, 29, 30])
def test_a_video_left_early_leaves_the_process_ready_for_the_next(video, decoder, num_read):
    with decoder.open(video) as frames:
        for _, _frame in zip(range(num_read), frames, strict=False):
            pass
    pid = the_process()
    assert len(decode(decoder, video)) == 30
    assert the_process() == pid


def test_what_is_wrong_with_frames_that_nobody_asked_for_hides_nothing(video, decoder):
    def leave() -> None:
        with decoder.open(video) as frames:
            next(iter(frames))
            os.kill(the_process(), signal.SIGSEGV)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        leave()
    assert len(decode(decoder, video)) == 30


def test_what_the_decoder_refuses_is_refused_by_name_and_the_next_is_read(video, decoder, tmp_path):
    (tmp_path / "cut.mp4").write_bytes(video.read_bytes()[:-500])
    for name in ("cut.mp4", "none.mp4"):
        with pytest.raises((VideoError, FileNotFoundError), match=name):
            decode(decoder, tmp_path / name)
    assert len(decode(decoder, video)) == 30


def decode_and_send(decoder: VideoProcess, path: Path, number: int, at: int) -> None:
    with decoder.open(path) as frames:
        for frame in frames:
            if frame.index == at:
                os.kill(the_process(), number)


@pytest.mark.parametrize("at", [0, 3])
def test_a_decoder_that_crashes_costs_its_video_alone(video, decoder, at):
    with pytest.raises(VideoError, match=r"a\.mp4: its decoder crashed \(SIGSEGV\)"):
        decode_and_send(decoder, video, signal.SIGSEGV, at)
    assert len(decode(decoder, video)) == 30


def test_a_decoder_that_hangs_is_ended_and_told(video):
    with VideoProcess(stall_s=0.5) as decoder:
        with pytest.raises(VideoError, match=r"a\.mp4: stalled; its decoder gave nothing"):
            decode_and_send(decoder, video, signal.SIGSTOP, 3)
        assert not multiprocessing.active_children()
        assert len(decode(decoder, video)) == 30


def test_nothing_is_left_running(video):
    with VideoProcess() as decoder:
        decode(decoder, video)
    assert not multiprocessing.active_children()


def test_a_patience_of_nothing_is_refused():
    with pytest.raises(ValueError, match="stall_s is 0"):
        VideoProcess(stall_s=0)
