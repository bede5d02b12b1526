from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emotemporal.evaluation.metrics import (
    exact_interval,
    expected_calibration_error,
    measure,
    restrict,
    stack_predictions,
    wilson_interval,
)
from emotemporal.labels import AFFECTNET_8, SAVEE_7, Emotion, LabelSpace
from emotemporal.types import ClipPrediction
from tests.evaluation.judges import predictions_with

THREE = LabelSpace((Emotion.NEUTRAL, Emotion.FEAR, Emotion.SURPRISE))


def test_figures_of_six_clips_worked_by_hand():
    # neutral: 3 of 4 right; fear: 0 of 2 right, once taken for neutral, once for surprise
    metrics = measure(
        stack_predictions(predictions_with([0, 0, 0, 1, 0, 2], [0, 0, 0, 0, 1, 1], labels=THREE))
    )
    assert metrics.accuracy == pytest.approx(3 / 6)
    assert metrics.uar == pytest.approx((3 / 4 + 0) / 2)
    assert metrics.macro_f1 == pytest.approx((2 * 3 / (4 + 4) + 0) / 2)
    assert metrics.confusion.tolist() == [[3, 1, 0], [1, 0, 1], [0, 0, 0]]
    assert metrics.nll == pytest.approx(-(3 * math.log(0.9) + 3 * math.log(0.05)) / 6)
    right, wrong = 0.1**2 + 2 * 0.05**2, 0.9**2 + 0.95**2 + 0.05**2
    assert metrics.brier == pytest.approx((3 * right + 3 * wrong) / 6)
    assert metrics.ece == pytest.approx(0.9 - 0.5)


def test_a_class_that_does_not_occur_is_in_no_mean_and_has_no_recall():
    metrics = measure(stack_predictions(predictions_with([0, 1], [0, 1], labels=THREE)))
    assert metrics.uar == metrics.macro_f1 == 1.0
    assert metrics.recalls[2].num_clips == 0
    assert math.isnan(metrics.recalls[2].recall.estimate)


def test_a_constant_answer_has_chance_uar_whatever_the_counts():
    targets = np.array([0] * 60 + [1] * 30 + [2] * 10)
    metrics = measure(stack_predictions(predictions_with(0 * targets, targets, labels=THREE)))
    assert metrics.accuracy == pytest.approx(0.6)
    assert metrics.uar == pytest.approx(1 / 3)


def test_a_smaller_label_space_masks_renormalises_and_counts_what_it_drops():
    rows = predictions_with([7, 1, 7], [0, 1, 7], labels=AFFECTNET_8)
    judged = stack_predictions(rows, SAVEE_7)
    assert (len(judged), judged.num_dropped) == (2, 1)
    np.testing.assert_allclose(judged.probabilities[0], np.full(7, 1 / 7))
    np.testing.assert_allclose(judged.probabilities.sum(axis=1), 1.0)
    assert measure(judged).num_dropped == 1


def test_restriction_goes_by_name_not_by_position():
    backwards = LabelSpace(tuple(reversed(AFFECTNET_8.emotions)))
    row = np.arange(1, 9)[None] / 36
    out = restrict(row, AFFECTNET_8, backwards)
    np.testing.assert_allclose(out, row[:, ::-1])


def test_a_row_without_anything_left_is_refused_with_the_remedy():
    only_contempt = np.eye(8)[7:]
    with pytest.raises(ValueError, match="restrict each frame before"):
        restrict(only_contempt, AFFECTNET_8, SAVEE_7)


@pytest.mark.parametrize(
    ("probabilities", "message"),
    [
        pytest.param([2.0, 1.0, -1.0], "clip0.*softmax", id="logits"),
        pytest.param([float("nan")] * 3, "clip0.*softmax", id="not-a-number"),
        pytest.param([0.2, 0.2, 0.2], "clip0.*sum 1", id="does-not-add-up"),
    ],
)
def test_what_is_no_distribution_is_refused(probabilities, message):
    row = ClipPrediction("clip0", "DC", Emotion.FEAR, np.array(probabilities), THREE)
    with pytest.raises(ValueError, match=message):
        stack_predictions([row])


def test_predictions_in_two_label_spaces_are_refused():
    rows = predictions_with([0], [0]) + predictions_with([0], [0], labels=THREE)
    with pytest.raises(ValueError, match="one label space"):
        stack_predictions(rows)


def test_a_truth_that_the_model_cannot_say_is_refused_unless_dropping_was_asked():
    row = ClipPrediction("c", "DC", Emotion.CONTEMPT, np.full(7, 1 / 7), SAVEE_7)
    with pytest.raises(ValueError, match="cannot say"):
        stack_predictions([row])
    with pytest.raises(ValueError, match="no clip shows"):
        stack_predictions([row], SAVEE_7)


def test_wilson_interval_of_the_textbook():
    # Newcombe 1998, table I: 81 of 263
    interval = wilson_interval(81, 263)
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.2553, 0.3662)


def test_exact_interval_of_the_textbook():
    interval = exact_interval(81, 263)
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.2527, 0.3676)


@pytest.mark.parametrize("interval", [wilson_interval, exact_interval])
def test_an_interval_holds_its_estimate_even_at_the_ends(interval):
    for num_right in (0, 1, 9, 10):
        found = interval(num_right, 10)
        assert found.estimate in found
        assert 0 <= found.low <= found.high <= 1


def test_calibration_error_of_fifteen_bins_worked_by_hand():
    # 15 clips, each a bin of its own: the gap is |right - confidence|
    confidence = np.linspace(0.55, 0.95, 15)
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    targets = np.array([0, 1] * 7 + [0])
    gaps = np.abs((targets == 0) - confidence)
    assert expected_calibration_error(probabilities, targets) == pytest.approx(gaps.mean())


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000))
def test_calibration_error_does_not_depend_on_the_order_of_clips(seed):
    rng = np.random.default_rng(seed)
    confidence = rng.choice([0.5, 0.6, 0.8], 40)
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    targets = rng.integers(0, 2, 40)
    order = rng.permutation(40)
    assert expected_calibration_error(probabilities, targets) == pytest.approx(
        expected_calibration_error(probabilities[order], targets[order])
    )
