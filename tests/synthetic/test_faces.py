"""Drawn faces: found by a detector made for real ones, and true to their boxes and landmarks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from emotemporal.labels import SAVEE_7, Emotion
from emotemporal.synthetic.faces import draw_face
from emotemporal.synthetic.geometry import face_curves
from emotemporal.synthetic.head import Pose, project
from emotemporal.synthetic.identity import sample_identity
from emotemporal.synthetic.landmarks import landmarks_68
from emotemporal.synthetic.savee import SyntheticSaveeConfig, draw_clip
from emotemporal.synthetic.skin import Light
from emotemporal.types import Box


def _overlap(a: Box, b: Box) -> float:
    wide = max(0.0, min(a.x2, b.x2) - max(a.x1, b.x1))
    tall = max(0.0, min(a.y2, b.y2) - max(a.y1, b.y1))
    both = wide * tall
    return both / (a.width_px * a.height_px + b.width_px * b.height_px - both)


@pytest.fixture(scope="module")
def haar() -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")


def test_haar_finds_at_least_95_percent_of_frames_where_they_are(haar):
    config = SyntheticSaveeConfig(num_speakers=10, duration_s=2.0, frame_rate_hz=2.0)
    overlaps = []
    for speaker in range(config.num_speakers):
        for emotion in SAVEE_7.emotions:
            clip = draw_clip(config, speaker, emotion, 1)
            for i in (1, 2, 3):
                grey = cv2.cvtColor(clip.frames[i], cv2.COLOR_RGB2GRAY)
                found = haar.detectMultiScale(grey, 1.1, 4, minSize=(40, 40))
                boxes = [
                    Box(x, y, x + w, y + h, 1.0)
                    for x, y, w, h in np.reshape(found, (-1, 4)).astype(float)
                ]
                overlaps.append(max((_overlap(b, clip.boxes[i]) for b in boxes), default=0.0))
    assert len(overlaps) == 210
    assert np.mean(np.array(overlaps) > 0.5) >= 0.95
    assert np.median(overlaps) > 0.85


def _draw(seed: int, actions: dict[str, float], pose: Pose) -> np.ndarray:
    picture = np.full((260, 260, 3), 160, dtype=np.uint8)
    draw_face(picture, sample_identity(np.random.default_rng(seed)), actions, pose, Light())
    return picture


def test_the_same_face_is_drawn_the_same():
    pose = Pose(130.0, 130.0, 70.0, 8.0, -3.0, 5.0)
    assert np.array_equal(_draw(3, {"AU26": 1.0}, pose), _draw(3, {"AU26": 1.0}, pose))


def test_people_differ():
    assert not np.array_equal(
        _draw(3, {}, Pose(130.0, 130.0, 70.0)), _draw(4, {}, Pose(130.0, 130.0, 70.0))
    )


@pytest.mark.parametrize(
    "pose",
    [
        pytest.param(Pose(-400.0, 130.0, 70.0), id="left-of-the-picture"),
        pytest.param(Pose(130.0, 800.0, 70.0), id="below-the-picture"),
        pytest.param(Pose(0.0, 0.0, 70.0), id="in-the-corner"),
        pytest.param(Pose(130.0, 130.0, 6.0), id="tiny"),
        pytest.param(Pose(130.0, 130.0, 700.0), id="larger-than-the-picture"),
    ],
)
def test_faces_may_leave_the_picture(pose):
    assert _draw(5, {"AU26": 1.0, "AU25": 1.0}, pose).shape == (260, 260, 3)


@pytest.mark.parametrize("seed", range(12))
def test_every_sort_of_person_can_show_every_emotion(seed):
    generator = np.random.default_rng(seed)
    from emotemporal.synthetic.expressions import sample_expression

    pose = Pose(130.0, 130.0, 60.0, 15.0, 5.0, 10.0)
    drawn = {_draw(seed, sample_expression(e, generator), pose).tobytes() for e in Emotion}
    assert len(drawn) == len(Emotion)


def test_landmarks_run_as_in_the_68_point_scheme():
    identity = sample_identity(np.random.default_rng(6))
    points = landmarks_68(project(face_curves(identity, {}), Pose(0.0, 0.0, 100.0)))
    assert points.shape == (68, 2)
    jaw, eyes, mouth = points[:17], points[36:48], points[48:]
    assert np.all(np.diff(jaw[:, 0]) > 0)
    assert jaw[8, 1] == jaw[:, 1].max()
    assert abs(jaw[8, 0]) < 1e-6
    assert np.all(np.diff(points[17:27, 0]) > 0)
    assert eyes[0, 0] < eyes[3, 0] < 0 < eyes[6, 0] < eyes[9, 0]
    assert mouth[0, 0] < mouth[6, 0]
    assert mouth[3, 1] < mouth[9, 1]
    assert points[30, 1] > points[27, 1]


def test_turning_the_head_moves_the_nose_before_the_ears():
    identity = sample_identity(np.random.default_rng(7))
    front = project(face_curves(identity, {}), Pose(0.0, 0.0, 100.0))
    turned = project(face_curves(identity, {}), Pose(0.0, 0.0, 100.0, yaw_deg=15.0))
    nose = turned["nose_tip"][0, 0] - front["nose_tip"][0, 0]
    ear = turned["ear_left"][:, 0].mean() - front["ear_left"][:, 0].mean()
    assert nose > 15
    assert nose > 3 * abs(ear)
