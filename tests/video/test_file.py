from __future__ import annotations

import struct
import sys

import numpy as np
import pytest

from emotemporal.video.container import read_declared
from emotemporal.video.file import VideoError, VideoFile
from tests.video.clips import (
    cut_off,
    index_of,
    lie_about_duration,
    lie_about_frames,
    patch,
    turn_by_90,
    vary_rate,
    widen_edits,
    write_clip,
)

BACKENDS = [
    pytest.param(
        "decord",
        marks=pytest.mark.skipif(sys.platform == "darwin", reason="decord has no wheel for macOS"),
    ),
    "opencv",
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("suffix", [".avi", ".mp4", ".mov"])
def test_every_frame_comes_once_in_order_with_its_time(tmp_path, suffix, backend):
    path = write_clip(tmp_path / f"clip{suffix}")
    with VideoFile(path, backend) as video:
        frames = list(video)
        assert (video.info.width_px, video.info.height_px, video.info.num_frames) == (64, 48, 50)
        assert video.info.duration_s == pytest.approx(2.0, abs=1e-3)
        assert video.info.frame_rate_hz == pytest.approx(25.0, abs=0.01)
        np.testing.assert_allclose(video.times_s, np.arange(50) / 25, atol=1e-4)
    assert [index_of(frame.image) for frame in frames] == list(range(50))
    assert [frame.index for frame in frames] == list(range(50))
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(50) / 25, atol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_frames_can_be_read_in_any_order_and_the_iteration_still_begins_at_the_first(
    tmp_path, backend
):
    path = write_clip(tmp_path / "clip.mp4")
    with VideoFile(path, backend) as video:
        clip = video.read([40, 3, 3, 17])
        again = video.read([5])
        first = next(iter(video))
    assert [index_of(image) for image in clip.frames] == [40, 3, 3, 17]
    np.testing.assert_allclose(clip.times_s, np.array([40, 3, 3, 17]) / 25, atol=1e-4)
    assert index_of(again.frames[0]) == 5
    assert index_of(first.image) == 0


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_video_can_be_iterated_twice(tmp_path, backend):
    with VideoFile(write_clip(tmp_path / "clip.avi", 10), backend) as video:
        first, second = list(video), list(video)
    assert len(first) == len(second) == 10


@pytest.mark.parametrize("backend", BACKENDS)
def test_times_follow_a_varying_frame_rate(tmp_path, backend):
    path = vary_rate(write_clip(tmp_path / "clip.mp4", 30), long_from=10, num_frames=30)
    expected = np.concatenate([np.arange(10) / 25, 10 / 25 + np.arange(20) * 2 / 25])
    with VideoFile(path, backend) as video:
        np.testing.assert_allclose(video.times_s, expected, atol=1e-3)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("is_wide", [False, True])
def test_a_video_whose_edits_hide_its_end_is_not_taken_for_cut_off(tmp_path, is_wide, backend):
    path = write_clip(tmp_path / "a.mp4")
    patch(path, b"elst", 8, struct.pack(">I", 1000))  # of 2000 ms
    if is_wide:
        widen_edits(path)
    assert read_declared(path).num_unshown == 26
    with VideoFile(path, backend) as video:
        assert video.info.num_frames < 50
        assert sum(1 for _ in video) == video.info.num_frames


def test_a_rotated_video_is_turned_upright(tmp_path):
    path = turn_by_90(write_clip(tmp_path / "clip.mp4"))
    with VideoFile(path) as video:
        image = next(iter(video)).image
        assert (video.info.width_px, video.info.height_px) == (48, 64)
    assert image.shape == (64, 48, 3)
    assert image[:12, -12:].mean() > 240  # the white corner went from the left to the right


def test_decord_refuses_the_rotated_video_that_it_garbles(tmp_path):
    path = turn_by_90(write_clip(tmp_path / "clip.mp4"))
    with pytest.raises(VideoError, match="opencv backend"), VideoFile(path, "decord"):
        pass


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("suffix", "harm", "told"),
    [
        pytest.param(".avi", cut_off, "truncated", id="cut-avi"),
        pytest.param(".mp4", cut_off, "truncated", id="cut-mp4"),
        pytest.param(".avi", lambda p: lie_about_frames(p, 80), "declares 80", id="avi-too-many"),
        pytest.param(".avi", lambda p: lie_about_frames(p, 20), "declares 20", id="avi-too-few"),
        pytest.param(".mp4", lambda p: lie_about_frames(p, 80), "declares 80", id="mp4-too-many"),
        pytest.param(".mp4", lambda p: lie_about_duration(p, 5), "contradicts", id="mp4-duration"),
        pytest.param(".mp4", lambda p: p.write_bytes(b""), "empty", id="empty"),
        pytest.param(".mp4", lambda p: p.write_bytes(b"no video at all" * 9), "not a", id="text"),
    ],
)
def test_a_broken_video_is_refused_by_name(tmp_path, suffix, harm, told, backend):
    path = write_clip(tmp_path / f"clip{suffix}")
    harm(path)
    with pytest.raises(VideoError, match=told) as caught, VideoFile(path, backend) as video:
        list(video)
    assert str(path) in str(caught.value)


def test_an_avi_that_lost_its_end_and_had_its_size_mended_is_still_refused(tmp_path):
    path = cut_off(write_clip(tmp_path / "clip.avi"))
    data = path.read_bytes()
    path.write_bytes(data[:4] + (len(data) - 8).to_bytes(4, "little") + data[8:])
    with pytest.raises(VideoError, match=r"declares 50 frames, there are"), VideoFile(path):
        pass


def test_a_missing_file_and_a_frame_that_is_not_there_are_told(tmp_path):
    with pytest.raises(FileNotFoundError), VideoFile(tmp_path / "none.mp4"):
        pass
    with (
        VideoFile(write_clip(tmp_path / "clip.avi", 5)) as video,
        pytest.raises(IndexError, match=r"\[5\] of 5"),
    ):
        video.read([0, 5])


def test_nothing_is_open_before_and_after_with(tmp_path):
    video = VideoFile(write_clip(tmp_path / "clip.avi", 5))
    with pytest.raises(RuntimeError, match="not open"):
        next(iter(video))
    with video:
        pass
    with pytest.raises(RuntimeError, match="not open"):
        next(iter(video))


@pytest.mark.parametrize("name", ["no_face.mp4", "noface_face.mov", "stage_many_faces.mp4"])
def test_real_clips_have_the_same_times_in_both_backends(test_data, name):
    path = test_data / "clips" / name
    with VideoFile(path, "opencv") as a, VideoFile(path) as b:
        num = min(a.info.num_frames, b.info.num_frames)
        np.testing.assert_allclose(a.times_s[:num], b.times_s[:num], atol=1e-4)
        assert abs(a.info.num_frames - b.info.num_frames) <= 1
