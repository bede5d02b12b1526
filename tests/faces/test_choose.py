from __future__ import annotations

import numpy as np
import pytest

from emotemporal.faces.choose import Nearest
from emotemporal.faces.crop import CropConfig
from emotemporal.faces.follow import FollowConfig, Follower
from emotemporal.types import Box, FaceView, Frame, Track

CROP = np.zeros((8, 8, 3), np.uint8)
IMAGE = np.zeros((120, 160, 3), np.uint8)


class Scripted:
    """Gives faces of the heights that it is told for a time."""

    def __init__(self, heights_at) -> None:
        self._heights_at = heights_at

    def step(self, frame):
        return [
            FaceView(Track(i, Box(0, 0, 10, height, 1.0), 0.0), CROP, frame.time_s)
            for i, height in self._heights_at(frame.time_s).items()
        ]


def chosen(heights_at, until_s=3.0):
    nearest = Nearest(Scripted(heights_at))
    steps = [nearest.step(Frame(IMAGE, i / 10, i)) for i in range(int(10 * until_s))]
    assert all(len(views) <= 1 for views in steps)
    return [views[0].track.id if views else None for views in steps]


def test_the_largest_face_is_chosen_and_kept_though_others_are_a_little_larger():
    assert set(chosen(lambda t: {0: 50, 1: 40 if t < 1 else 60})) == {0}


def test_one_clearly_larger_takes_over_after_half_a_second():
    ids = chosen(lambda t: {0: 50, 1: 40 if t < 1 else 80})
    assert ids == [0] * 15 + [1] * 15


def test_one_larger_for_a_moment_does_not():
    assert set(chosen(lambda t: {0: 50, 1: 80 if 1 < t < 1.4 else 40})) == {0}


def test_one_larger_before_and_after_nobody_was_seen_does_not():
    def heights_at(t):
        return {} if 1.2 < t < 1.6 else {0: 50, 1: 80 if 1 < t < 1.7 else 40}

    assert set(chosen(heights_at)) == {0, None}


def test_where_the_chosen_one_goes_another_is_chosen_at_once():
    ids = chosen(lambda t: {0: 50, 1: 40} if t < 1 else {1: 40} if t < 2 else {})
    assert ids == [0] * 10 + [1] * 10 + [None] * 10


@pytest.mark.parametrize(
    ("heights_px", "usable"),
    [
        pytest.param([30] * 6, [True] * 6, id="large-enough"),
        pytest.param([20] * 6, [False] * 6, id="too-small"),
        pytest.param([30, 30, 23, 23, 23, 23], [True] * 6, id="shrunk-a-little"),
    ],
)
def test_faces_too_small_to_judge_are_followed_and_marked(heights_px, usable):
    heights = iter(heights_px)

    class Shrinking:
        name = "annotation"

        def __call__(self, image):
            height = next(heights)
            return [Box(50, 40, 50 + height, 40 + height, 1.0)]

    generator = np.random.default_rng(0)
    image = generator.integers(0, 256, (120, 160, 3), dtype=np.uint8)
    config = FollowConfig(crop=CropConfig(32), min_face_px=24.0)
    follower = Follower(config, Shrinking())
    seen = [follower.step(Frame(image, i / 5, i)) for i in range(len(heights_px))]
    assert [views[0].is_usable for views in seen] == usable
    with pytest.raises(ValueError, match="min_face_px is -1"):
        FollowConfig(min_face_px=-1)
