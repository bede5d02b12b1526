from __future__ import annotations

import numpy as np
import pytest

from emotemporal.labels import SAVEE_7, Emotion
from emotemporal.types import Box, ClipPrediction, FaceClip, StreamPrediction, Target

NAN = float("nan")
# Run-time shape checks, where they are on (`make check`), refuse a mismatch before our own do.
REFUSED = (ValueError, TypeError)


def make_clip(times_s: list[float], num_crops: int | None = None) -> FaceClip:
    count = len(times_s) if num_crops is None else num_crops
    crops = np.zeros((count, 8, 8, 3), dtype=np.uint8)
    return FaceClip(crops, np.array(times_s, dtype=np.float64), (), "DC", "a1.avi")


def test_a_box_knows_its_size():
    box = Box(10.0, 20.0, 40.0, 60.0, score=0.9)
    assert (box.width_px, box.height_px) == (30, 40)


@pytest.mark.parametrize(
    "corners",
    [(5.0, 0.0, 5.0, 9.0), (9.0, 0.0, 5.0, 9.0), (0.0, 9.0, 5.0, 2.0), (NAN, 0.0, 5.0, 9.0)],
    ids=["empty", "left-right", "upside-down", "not-a-number"],
)
def test_a_box_that_holds_nothing_is_refused(corners):
    with pytest.raises(ValueError, match="box is empty or inverted"):
        Box(*corners, score=1.0)


@pytest.mark.parametrize("span", [(1.0, 1.0), (2.0, 1.0), (0.0, NAN)])
def test_a_target_ends_after_it_starts(span):
    with pytest.raises(ValueError, match="target ends before it starts"):
        Target(*span, Emotion.FEAR)


def test_a_clip_of_growing_times_is_a_clip():
    assert len(make_clip([0.0, 0.1, 0.25]).crops) == 3


@pytest.mark.parametrize(
    ("times_s", "num_crops", "message"),
    [
        pytest.param([], 0, r"a1\.avi: 0 crops and 0 times", id="nothing"),
        pytest.param([0.0, 0.1], 3, r"a1\.avi: 3 crops and 2 times|Type-check", id="a-time-short"),
        pytest.param([0.0, 0.1, 0.1], 3, r"a1\.avi: times do not grow", id="twice"),
        pytest.param([0.0, 0.2, 0.1], 3, r"a1\.avi: times do not grow", id="backwards"),
        pytest.param([0.0, NAN, 0.1], 3, r"a1\.avi: times do not grow", id="not-a-number"),
        pytest.param([NAN], 1, r"a1\.avi: times do not grow", id="only-not-a-number"),
        pytest.param([0.0, float("inf")], 2, r"a1\.avi: times do not grow", id="infinite"),
    ],
)
def test_a_clip_that_is_none_is_refused_by_source(times_s, num_crops, message):
    with pytest.raises(REFUSED, match=message):
        make_clip(times_s, num_crops)


def test_a_stream_prediction_has_one_row_a_time_and_one_column_a_label():
    times_s = np.array([0.0, 0.1])
    StreamPrediction(1, times_s, np.full((2, 7), 1 / 7), SAVEE_7, ())
    for shape in [(3, 7), (2, 8)]:
        with pytest.raises(REFUSED, match="probabilities"):
            StreamPrediction(1, times_s, np.full(shape, 1 / 7), SAVEE_7, ())


def test_a_clip_prediction_has_one_probability_a_label():
    ClipPrediction("a1.avi", "DC", Emotion.ANGER, np.full(7, 1 / 7), SAVEE_7)
    with pytest.raises(ValueError, match=r"a1\.avi: 8 probabilities for 7 labels"):
        ClipPrediction("a1.avi", "DC", Emotion.ANGER, np.full(8, 1 / 8), SAVEE_7)


def test_things_with_arrays_compare_by_identity():
    one, other = make_clip([0.0, 0.1]), make_clip([0.0, 0.1])
    assert [one, other].index(other) == 1
