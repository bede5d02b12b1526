"""The drawn scene: a video for the live program, with the truth beside it."""

from __future__ import annotations

import csv
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
import pytest

from emotemporal.labels import Emotion
from emotemporal.synthetic.scene import SyntheticSceneConfig, scene_frames, write_scene

SMALL = SyntheticSceneConfig(
    num_segments=2,
    segment_s=1.2,
    rest_s=0.4,
    frame_rate_hz=10.0,
    width_px=320,
    height_px=180,
    emotions=(Emotion.HAPPINESS, Emotion.ANGER),
)


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("scene") / "scene.mp4"
    write_scene(path, SMALL)
    return path


def _truth(video: Path) -> list[dict[str, str]]:
    with video.with_suffix(".truth.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_truth_has_a_row_for_each_face_of_each_frame(video):
    capture = cv2.VideoCapture(str(video))
    assert int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) == SMALL.num_frames == 34
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(10)
    rows = _truth(video)
    assert [(int(r["face"]), float(r["time_s"])) for r in rows] == [
        (face, pytest.approx(i / 10)) for i in range(34) for face in (0, 1)
    ]


def test_faces_are_numbered_from_the_left_and_lie_in_the_picture(video):
    for row in _truth(video):
        left, right = (0, 160) if row["face"] == "0" else (160, 320)
        assert left <= float(row["x1"]) < float(row["x2"]) <= right
        assert 0 <= float(row["y1"]) < float(row["y2"]) <= 180


def test_an_emotion_is_true_from_half_its_height(video):
    for face in ("0", "1"):
        rows = [row for row in _truth(video) if row["face"] == face]
        order = [name for name, _ in groupby(row["emotion"] for row in rows)]
        assert order[::2] == ["neutral"] * 3
        assert set(order[1::2]) == {"happiness", "anger"}
        for row in rows:
            assert (float(row["intensity"]) >= 0.42) or row["emotion"] == "neutral"
            assert (float(row["intensity"]) < 0.51) or row["emotion"] != "neutral"


def test_neighbours_are_out_of_step(video):
    rows = _truth(video)
    starts = [
        next(float(r["time_s"]) for r in rows if r["face"] == face and r["emotion"] != "neutral")
        for face in ("0", "1")
    ]
    assert starts[0] != starts[1]


def test_same_seed_same_bytes_whatever_the_number_of_workers(video, tmp_path):
    write_scene(tmp_path / "again.mp4", SMALL, workers=2)
    assert (tmp_path / "again.mp4").read_bytes() == video.read_bytes()


def test_frames_can_be_had_without_a_file():
    frames = list(scene_frames(SMALL))
    assert len(frames) == 34
    assert frames[0].shape == (180, 320, 3)
    assert np.abs(frames[0].astype(int) - frames[12]).max() > 60


def test_a_scene_may_be_wider_than_the_field_of_noise():
    config = SyntheticSceneConfig(num_faces=3, num_segments=1, frame_rate_hz=1.0, width_px=960)
    (first, *_) = scene_frames(config)
    assert first.shape == (360, 960, 3)


def test_asked_twice_it_draws_once_and_another_is_refused(video):
    before = video.stat().st_mtime_ns
    write_scene(video, SMALL)
    assert video.stat().st_mtime_ns == before
    with pytest.raises(FileExistsError, match="num_faces is 2, not 1"):
        write_scene(video, SyntheticSceneConfig(num_faces=1))


def test_somebody_elses_video_is_not_overwritten(tmp_path):
    (tmp_path / "mine.mp4").write_bytes(b"holiday")
    with pytest.raises(FileExistsError, match="not drawn by emotemporal"):
        write_scene(tmp_path / "mine.mp4", SMALL)


def test_three_faces_fit_and_nine_do_not():
    assert SyntheticSceneConfig(num_faces=3, width_px=960).num_faces == 3
    with pytest.raises(ValueError, match="9 faces in 640 px"):
        SyntheticSceneConfig(num_faces=9)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"num_segments": 0}, id="no-segment"),
        pytest.param({"emotions": (Emotion.NEUTRAL,)}, id="neutral-is-the-rest"),
        pytest.param({"segment_s": 0.5}, id="no-time-for-an-apex"),
    ],
)
def test_impossible_scenes_are_refused(fields):
    with pytest.raises(ValueError):  # noqa: PT011 - the words are tested where they matter
        SyntheticSceneConfig(**fields)
