from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emotemporal.baselines.frame_votes import (
    FRAME_VOTES,
    ORDER_BLIND_VOTES,
    FrameVoteConfig,
    ema,
    frame_votes,
    hidden_markov,
    majority,
    middle_frame,
)


def random_clip(seed: int, num_frames: int, num_classes: int = 4):
    rng = np.random.default_rng(seed)
    times_s = np.cumsum(rng.uniform(0.02, 0.2, num_frames))
    return rng.dirichlet(np.ones(num_classes), num_frames), times_s


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), num_frames=st.integers(1, 12))
def test_order_blind_votes_answer_the_same_backwards(seed, num_frames):
    probabilities, times_s = random_clip(seed, num_frames)
    forwards = frame_votes(probabilities, times_s)
    backwards = frame_votes(probabilities[::-1], times_s)
    for name in ORDER_BLIND_VOTES:
        np.testing.assert_allclose(forwards[name], backwards[name], atol=1e-12)


def test_votes_with_memory_do_not_answer_the_same_backwards():
    probabilities, times_s = random_clip(1, 9)
    forwards = frame_votes(probabilities, times_s)
    backwards = frame_votes(probabilities[::-1], times_s)
    for name in set(FRAME_VOTES) - ORDER_BLIND_VOTES:
        assert np.abs(forwards[name] - backwards[name]).max() > 0.01


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), num_frames=st.integers(1, 30))
def test_every_vote_is_a_distribution(seed, num_frames):
    for vote in frame_votes(*random_clip(seed, num_frames)).values():
        assert np.all(vote >= 0)
        assert vote.sum() == pytest.approx(1.0)


def test_votes_of_a_clip_worked_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.4, 0.6]])
    votes = frame_votes(probabilities, np.array([0.0, 0.1, 0.2]))
    np.testing.assert_allclose(votes["middle_frame"], [0.4, 0.6])
    np.testing.assert_allclose(votes["mean_of_frames"], [1.7 / 3, 1.3 / 3])
    assert votes["majority"].argmax() == 1
    np.testing.assert_allclose(votes["majority"], [1 / 3, 2 / 3], atol=1e-3)


def test_middle_of_an_even_number_is_both_middle_frames():
    probabilities = np.array([[1.0, 0.0], [0.8, 0.2], [0.2, 0.8], [0.0, 1.0]])
    np.testing.assert_allclose(middle_frame(probabilities), [0.5, 0.5])


def test_equal_majorities_are_told_apart_by_the_mean():
    probabilities = np.array([[0.55, 0.45], [0.1, 0.9]])
    assert majority(probabilities).argmax() == 1


def test_ema_of_two_frames_is_its_closed_form():
    probabilities, times_s = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0.0, 0.5])
    kept = np.exp(-0.5 / 0.25)
    np.testing.assert_allclose(ema(probabilities, times_s, 0.25), [kept, 1 - kept])


def test_a_single_frame_is_every_votes_answer_but_the_majoritys():
    probabilities = np.array([[0.6, 0.3, 0.1]])
    for name, vote in frame_votes(probabilities, np.array([3.0])).items():
        assert vote.argmax() == 0
        if name != "majority":
            np.testing.assert_allclose(vote, probabilities[0])


def test_hidden_markov_believes_a_steady_answer_more_than_any_frame():
    probabilities = np.tile([0.6, 0.4], (20, 1))
    belief = hidden_markov(probabilities, np.arange(20) * 0.1, mean_dwell_s=2.0, evidence_s=0.3)
    assert belief[0] > 0.75


def test_hidden_markov_gains_nothing_from_the_same_frames_sent_twice_as_often():
    slow = hidden_markov(np.tile([0.7, 0.3], (20, 1)), np.arange(20) * 0.1, 2.0, 0.3)
    fast = hidden_markov(np.tile([0.7, 0.3], (40, 1)), np.arange(40) * 0.05, 2.0, 0.3)
    np.testing.assert_allclose(slow, fast, atol=0.02)


@pytest.mark.mistyped
@pytest.mark.parametrize(
    ("probabilities", "times_s", "message"),
    [
        pytest.param(np.zeros((0, 2)), [], "at least one frame", id="no-frames"),
        pytest.param([[0.5, 0.5]], [0.0, 1.0], "one time a frame", id="two-times-one-frame"),
        pytest.param([[0.5, 0.5]] * 2, [1.0, 1.0], "must grow", id="time-stands-still"),
        pytest.param([[0.5, 0.5]] * 2, [0.0, np.nan], "must grow", id="time-is-no-number"),
        pytest.param([[2.0, -1.0]], [0.0], "softmax", id="logits"),
        pytest.param([[np.nan, np.nan]], [0.0], "softmax", id="not-a-number"),
    ],
)
def test_what_is_not_a_clip_is_refused(probabilities, times_s, message):
    with pytest.raises(ValueError, match=message):
        frame_votes(np.array(probabilities), np.array(times_s))


def test_a_time_of_zero_is_refused():
    with pytest.raises(ValueError, match="time_constant_s is 0"):
        FrameVoteConfig(time_constant_s=0.0)
