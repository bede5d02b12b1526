from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from emotemporal.inference.neutral import MAX_SHIFT, NeutralRule
from emotemporal.inference.predictor import StreamConfig, StreamPredictor
from emotemporal.inference.smoothing import SmoothingConfig
from emotemporal.labels import SAVEE_7, Emotion, LabelSpace
from emotemporal.models.meta import read_meta
from emotemporal.types import Box, FaceView, Track
from tests.fakes import FakeEngine

NEUTRAL, HAPPINESS = SAVEE_7.index(Emotion.NEUTRAL), SAVEE_7.index(Emotion.HAPPINESS)
NO_SMOOTHING = SmoothingConfig(name="none")
LEARNING = StreamConfig(
    smoothing=NO_SMOOTHING, warm_up_s=0.5, min_probability=0.0, neutral_s=2.0, max_gap_s=0.5
)
# Of this person's rest the fake network says happiness, and more of it of their smile.
REST, SMILE = (150, 190, 0), (60, 255, 0)


@pytest.fixture
def meta(tiny_checkpoint):
    return replace(read_meta(tiny_checkpoint), training_prior=(1 / 7,) * 7, temperature=1.0)


def view(time_s, colour, track_id=0):
    crop = np.full((48, 48, 3), colour, dtype=np.uint8)
    return FaceView(Track(track_id, Box(0, 0, 10, 10, 1.0), time_s), crop, time_s)


def play(meta, colour_at, until_s=8.0, config=LEARNING):
    predictor = StreamPredictor(FakeEngine(SAVEE_7), meta, config)
    judgements = []
    for time_s in (np.arange(int(until_s * 10)) / 10).tolist():
        colour = colour_at(time_s)
        views = [] if colour is None else [view(time_s, colour)]
        judgements += predictor.step(views, time_s)
    return judgements + predictor.finish()


def rest_then_smile(time_s):
    return REST if time_s < 5 else SMILE


def test_a_face_that_rests_as_another_emotion_is_neutral_once_it_is_known(meta):
    without = play(meta, rest_then_smile, config=replace(LEARNING, neutral_s=0.0))
    assert {j.shown for j in without if 1 < j.time_s < 4.9} == {Emotion.HAPPINESS}
    known = [j for j in play(meta, rest_then_smile) if j.time_s > 3]
    assert {j.shown for j in known if j.time_s < 4.9} == {Emotion.NEUTRAL}
    assert {j.shown for j in known if j.time_s > 5.5} == {Emotion.HAPPINESS}


def test_while_it_is_learned_nothing_is_shown_and_that_is_told(meta):
    judgements = play(meta, rest_then_smile)
    learning = [j for j in judgements if j.is_learning]
    assert {j.shown for j in learning} == {None}
    assert all(j.is_warm_up for j in learning)
    # The warm-up of a head with memory comes first, and is not learned from.
    assert learning[-1].time_s == pytest.approx(0.5 + 2.0, abs=0.11)
    assert not any(j.is_learning for j in judgements if j.time_s > 2.7)


def test_what_is_known_of_a_face_outlives_a_moment_out_of_sight(meta):
    def away(time_s):
        return None if 4 < time_s < 5 else REST

    judgements = play(meta, away)
    assert not any(j.is_learning for j in judgements if j.time_s > 2.7)
    assert {j.shown for j in judgements if j.time_s > 6} == {Emotion.NEUTRAL}


def test_somebody_else_is_learned_anew(meta):
    predictor = StreamPredictor(FakeEngine(SAVEE_7), meta, LEARNING)
    for time_s in (np.arange(40) / 10).tolist():
        predictor.step([view(time_s, REST, 0)], time_s)
    judgements = predictor.step([view(4.0, REST, 0), view(4.0, REST, 1)], 4.0)
    judgements += predictor.step([view(4.1, REST, 0), view(4.1, REST, 1)], 4.1)
    assert {j.track_id: j.is_learning for j in judgements} == {0: False, 1: True}


def probabilities(**shares) -> np.ndarray:
    row = np.full(7, 0.01)
    for name, share in shares.items():
        row[SAVEE_7.index(Emotion(name))] = share
    return row / row.sum()


def learned(row, rule):
    baseline = None
    for time_s in (0.0, 1.0, 2.0):
        assert rule.is_learning(baseline)
        baseline = rule.learn(row, time_s, baseline)
    assert not rule.is_learning(baseline)
    return baseline


def test_at_rest_neutral_has_as_much_as_all_others_and_nothing_gets_likelier():
    rule = NeutralRule(SAVEE_7, 2.0)
    rest = probabilities(neutral=0.3, sadness=0.6, anger=0.06)
    baseline = learned(rest, rule)
    after = rule.apply(rest, baseline)
    assert after[NEUTRAL] >= 0.5 - 1e-9
    shift = rule.shift(baseline)
    assert shift[NEUTRAL] == 0
    assert np.all(shift >= 0)
    assert np.all(shift <= MAX_SHIFT)
    odds_before, odds_after = rest / rest[NEUTRAL], after / after[NEUTRAL]
    assert np.all(odds_after <= odds_before + 1e-12)


def test_a_face_that_rests_as_neutral_is_left_alone():
    rule = NeutralRule(SAVEE_7, 2.0)
    rest = probabilities(neutral=0.94)
    np.testing.assert_allclose(rule.apply(rest, learned(rest, rule)), rest)


def test_a_smile_held_all_along_costs_a_bounded_part_of_it():
    rule = NeutralRule(SAVEE_7, 2.0)
    baseline = learned(probabilities(happiness=0.9999), rule)
    assert rule.shift(baseline)[HAPPINESS] == MAX_SHIFT


def test_labels_without_neutral_are_refused():
    labels = LabelSpace((Emotion.HAPPINESS, Emotion.FEAR))
    with pytest.raises(ValueError, match="knows no neutral among happiness, fear"):
        NeutralRule(labels, 3.0)
    assert not NeutralRule(labels, 0.0).is_on
    with pytest.raises(ValueError, match=r"neutral_s is -1\.0"):
        StreamConfig(neutral_s=-1.0)
