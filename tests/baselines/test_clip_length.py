from __future__ import annotations

import numpy as np
import pytest

from emotemporal.baselines.clip_length import fit_clip_length


def test_emotions_that_last_differently_are_told_apart_by_length_alone():
    rng = np.random.default_rng(0)
    targets = np.repeat([0, 1], 50)
    durations_s = np.where(targets == 0, 2.0, 4.0) * rng.lognormal(0, 0.1, 100)
    judge = fit_clip_length(durations_s, targets, 3)
    answers = judge(np.array([1.9, 2.1, 3.9, 4.5]))
    assert answers.argmax(axis=1).tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(answers.sum(axis=1), 1.0)


def test_equal_lengths_leave_the_prior():
    judge = fit_clip_length(np.full(10, 2.0), np.array([0] * 7 + [1] * 3), 2)
    np.testing.assert_allclose(judge(np.array([2.0]))[0], [0.7, 0.3])


def test_an_emotion_that_was_never_trained_on_is_never_the_answer():
    judge = fit_clip_length(np.array([1.0, 2.0]), np.array([0, 2]), 3)
    assert np.all(judge(np.array([0.5, 1.4, 9.0]))[:, 1] == 0)


@pytest.mark.mistyped
@pytest.mark.parametrize(
    ("durations_s", "targets", "message"),
    [([], [], "one each"), ([1.0], [0, 1], "one each"), ([0.0], [0], "longer than 0 s")],
)
def test_what_has_no_length_is_refused(durations_s, targets, message):
    with pytest.raises(ValueError, match=message):
        fit_clip_length(np.array(durations_s), np.array(targets, dtype=int), 2)
