from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from emotemporal.inference.predictor import (
    StreamConfig,
    StreamPredictor,
    clip_answer,
    judge_clip,
    predict_clip,
)
from emotemporal.inference.smoothing import SmoothingConfig
from emotemporal.labels import AFFECTNET_8, SAVEE_7, Emotion
from emotemporal.models.meta import CheckpointError, ModelConfig, read_meta
from emotemporal.types import Box, FaceView, Target, Track
from tests.fakes import FakeEngine, with_head

RED, GREEN, BLUE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0)
STEADY = StreamConfig(smoothing=SmoothingConfig(name="none"), warm_up_s=0.0, min_probability=0.0)


@pytest.fixture
def meta(tiny_checkpoint):
    flat = (1 / 7,) * 7
    return replace(read_meta(tiny_checkpoint), training_prior=flat, temperature=1.0)


def view(time_s, colour=RED, track_id=0):
    crop = np.full((48, 48, 3), colour, dtype=np.uint8)
    return FaceView(Track(track_id, Box(0, 0, 10, 10, 1.0), time_s), crop, time_s)


def play(predictor, rows):
    """Push rows of (time, views); return all judgements."""
    judgements = [j for time_s, views in rows for j in predictor.step(views, time_s)]
    return judgements + predictor.finish()


def test_a_stream_is_judged_on_the_models_clock(meta):
    predictor = StreamPredictor(FakeEngine(SAVEE_7), meta, STEADY)
    judgements = play(predictor, [(t, [view(t)]) for t in (np.arange(13) / 25).tolist()])
    np.testing.assert_allclose([j.time_s for j in judgements], [0, 0.1, 0.2, 0.3, 0.4], atol=1e-9)
    assert {j.shown for j in judgements} == {Emotion.NEUTRAL}


def test_a_slow_camera_has_its_frames_held(meta):
    predictor = StreamPredictor(FakeEngine(SAVEE_7), meta, STEADY)
    rows = [(0.0, [view(0.0, RED)]), (0.2, [view(0.2, GREEN)]), (0.4, [view(0.4, GREEN)])]
    shown = [int(j.raw.argmax()) for j in play(predictor, rows)]
    assert shown == [0, 0, 1, 1, 1]


def test_faces_due_together_advance_in_one_batch(meta):
    engine = FakeEngine(SAVEE_7)
    predictor = StreamPredictor(engine, meta, STEADY)
    rows = [(t, [view(t, RED, 1), view(t, GREEN, 2)]) for t in (0.0, 0.1, 0.2)]
    judgements = play(predictor, rows)
    assert engine.batch_sizes == [2, 2, 2]
    assert [(j.track_id, j.shown) for j in judgements[:2]] == [
        (1, Emotion.NEUTRAL),
        (2, Emotion.HAPPINESS),
    ]


def test_each_face_has_a_memory_of_its_own(meta):
    predictor = StreamPredictor(FakeEngine(SAVEE_7, memory=1.0), meta, STEADY)
    alone = StreamPredictor(FakeEngine(SAVEE_7, memory=1.0), meta, STEADY)
    times = (np.arange(6) / 10).tolist()
    both = play(predictor, [(t, [view(t, RED, 1), view(t, GREEN, 2)]) for t in times])
    one = play(alone, [(t, [view(t, GREEN, 2)]) for t in times])
    np.testing.assert_array_equal([j.raw for j in both if j.track_id == 2], [j.raw for j in one])


def test_another_smoother_starts_here_and_leaves_the_networks_memory(meta):
    rows = [(t, [view(t, GREEN if t > 0.35 else RED)]) for t in (np.arange(10) / 10).tolist()]
    plain, changed = (StreamPredictor(FakeEngine(SAVEE_7, memory=0.5), meta) for _ in range(2))
    expected = play(plain, rows)
    found = [j for time_s, views in rows[:5] for j in changed.step(views, time_s)]
    changed.smooth_with(SmoothingConfig("none"))
    found += play(changed, rows[5:])
    np.testing.assert_array_equal([j.raw for j in found], [j.raw for j in expected])
    np.testing.assert_array_equal([j.smoothed for j in found[4:]], [j.raw for j in found[4:]])


def test_memory_starts_anew_after_a_long_gap_and_not_after_a_short_one(meta):
    config = replace(STEADY, max_gap_s=0.5)

    def raw_after(gap_s):
        predictor = StreamPredictor(FakeEngine(SAVEE_7, memory=1.0), meta, config)
        rows = [(0.1 * i, [view(0.1 * i)]) for i in range(5)]
        return play(predictor, [*rows, (0.4 + gap_s, [view(0.4 + gap_s)])])[-1].raw

    first = play(StreamPredictor(FakeEngine(SAVEE_7, 1.0), meta, config), [(0.0, [view(0.0)])])
    np.testing.assert_array_equal(raw_after(0.6), first[0].raw)
    assert raw_after(0.5).max() > first[0].raw.max()


def test_streams_that_ended_are_forgotten(meta):
    predictor = StreamPredictor(FakeEngine(SAVEE_7), meta, STEADY)
    for i in range(200):
        predictor.step([view(i / 10, track_id=i)], i / 10)
        assert predictor.num_streams <= 7
    predictor.finish()
    assert predictor.num_streams == 0


def test_the_last_tick_is_given_when_the_face_has_gone(meta):
    predictor = StreamPredictor(FakeEngine(SAVEE_7), meta, STEADY)
    rows = [(0.0, [view(0.0)]), (0.1, [view(0.1)]), (0.2, []), (1.0, [])]
    times = [[j.time_s for j in predictor.step(views, t)] for t, views in rows]
    assert times == [[], [0.0], [], [0.1]]


def test_warm_up_is_flagged_and_shows_nothing(meta):
    predictor = StreamPredictor(FakeEngine(SAVEE_7), meta, replace(STEADY, warm_up_s=0.3))
    judgements = play(predictor, [(i / 10, [view(i / 10)]) for i in range(6)])
    assert [j.is_warm_up for j in judgements] == [True] * 3 + [False] * 3
    assert [j.shown is None for j in judgements] == [True] * 3 + [False] * 3


def test_a_frame_head_needs_no_warm_up(meta):
    frame = replace(meta, model=ModelConfig(head="frame"))
    predictor = StreamPredictor(FakeEngine(SAVEE_7), frame, replace(STEADY, warm_up_s=0.3))
    assert not any(j.is_warm_up for j in play(predictor, [(0.0, [view(0.0)])]))


def test_uncertain_holds_the_last_label(meta):
    config = replace(STEADY, min_probability=0.5)
    predictor = StreamPredictor(FakeEngine(SAVEE_7), meta, config)
    colours = [BLACK, GREEN, BLACK, BLACK]
    judgements = play(predictor, [(i / 10, [view(i / 10, c)]) for i, c in enumerate(colours)])
    assert [j.is_uncertain for j in judgements] == [True, False, True, True]
    assert [j.shown for j in judgements] == [None] + [Emotion.HAPPINESS] * 3


def test_a_calibrated_threshold_is_used_where_none_is_asked_for(meta):
    calibrated = replace(meta, uncertain_below=0.5, uncertain_prior=meta.training_prior)
    rows = [(i / 10, [view(i / 10, c)]) for i, c in enumerate([BLACK, GREEN])]
    config = replace(STEADY, min_probability=None)
    judgements = play(StreamPredictor(FakeEngine(SAVEE_7), calibrated, config), rows)
    assert [j.is_uncertain for j in judgements] == [True, False]
    asked = play(StreamPredictor(FakeEngine(SAVEE_7), calibrated, STEADY), rows)
    assert not any(j.is_uncertain for j in asked)


def test_a_hidden_emotion_is_never_the_label_on_show_and_keeps_its_probability(meta):
    config = replace(STEADY, min_probability=0.5, hidden="happiness")
    predictor = StreamPredictor(FakeEngine(SAVEE_7), meta, config)
    colours = [RED, GREEN, GREEN, BLUE]
    judgements = play(predictor, [(i / 10, [view(i / 10, c)]) for i, c in enumerate(colours)])
    plain = play(
        StreamPredictor(FakeEngine(SAVEE_7), meta, replace(config, hidden="")),
        [(i / 10, [view(i / 10, c)]) for i, c in enumerate(colours)],
    )
    assert [j.is_uncertain for j in judgements] == [False, True, True, False]
    assert [j.shown for j in judgements[:3]] == [Emotion.NEUTRAL] * 3, "not the runner-up"
    for hiding, showing in zip(judgements, plain, strict=True):
        np.testing.assert_array_equal(hiding.smoothed, showing.smoothed)


def test_the_prior_moves_the_answer(meta):
    trained = replace(meta, training_prior=(0.94, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01))
    engine = FakeEngine(SAVEE_7, sharpness=1.0)
    rows = [(0.0, [view(0.0, (255, 200, 0))])]
    as_trained = play(StreamPredictor(engine, trained, STEADY), rows)[0]
    uniform = play(StreamPredictor(engine, trained, replace(STEADY, prior="uniform")), rows)[0]
    assert as_trained.raw[0] > uniform.raw[0]


def test_crops_of_another_size_are_refused(meta, tiny_clip):
    larger = replace(meta, crop=replace(meta.crop, size_px=96))
    predictor = StreamPredictor(FakeEngine(SAVEE_7), larger, STEADY)
    with pytest.raises(ValueError, match=r"48x48 px; the checkpoint was trained on 96x96"):
        predictor.step([view(0.0)], 0.0)
    with pytest.raises(ValueError, match=r"48x48 px; the checkpoint was trained on 96x96"):
        predict_clip(FakeEngine(SAVEE_7), larger, tiny_clip)


def test_an_engine_of_another_checkpoint_is_refused(meta, tiny_clip):
    with pytest.raises(CheckpointError, match="of different checkpoints"):
        StreamPredictor(FakeEngine(AFFECTNET_8), meta)
    with pytest.raises(CheckpointError, match="of different checkpoints"):
        predict_clip(FakeEngine(AFFECTNET_8), meta, tiny_clip)


def test_a_head_that_looks_ahead_is_refused_live(meta):
    bidirectional = with_head(meta, "bigru")
    with pytest.raises(CheckpointError, match="'bigru'"):
        StreamPredictor(FakeEngine(SAVEE_7), bidirectional)


@pytest.mark.parametrize(
    ("head", "answer", "expected"),
    [
        pytest.param("gru", "last", [0.2, 0.8], id="memory-answers-with-its-last-frame"),
        pytest.param("gru", "mean", [0.5, 0.5], id="what-follows-changes-with-the-mean"),
        pytest.param("frame", "last", [0.5, 0.5], id="no-memory-answers-with-the-mean"),
    ],
)
def test_one_answer_to_a_clip(head, answer, expected):
    rows = np.array([[0.8, 0.2], [0.5, 0.5], [0.2, 0.8]])
    np.testing.assert_allclose(clip_answer(rows, ModelConfig(head=head, answer=answer)), expected)


def test_a_clip_is_judged_against_its_one_emotion(meta, tiny_clip):
    clip = replace(tiny_clip, targets=(Target(0, 2, Emotion.FEAR),))
    row = judge_clip(FakeEngine(SAVEE_7), meta, clip)
    assert (row.target, row.subject, row.source) == (Emotion.FEAR, "nobody", "tiny")
    assert row.probabilities.sum() == pytest.approx(1)
    with pytest.raises(ValueError, match="name 0 emotions"):
        judge_clip(FakeEngine(SAVEE_7), meta, tiny_clip)


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"warm_up_s": -1.0}, "warm_up_s is -1.0"),
        ({"max_gap_s": 0.0}, r"max_gap_s 0\.0"),
        ({"min_probability": 1.0}, "min_probability is 1.0"),
    ],
)
def test_a_wrong_stream_config_is_refused(wrong, complaint):
    with pytest.raises(ValueError, match=complaint):
        StreamConfig(**wrong)


def test_ticks_that_there_is_no_time_for_are_left_out_and_counted(meta):
    predictor = StreamPredictor(FakeEngine(SAVEE_7), meta, STEADY)
    predictor.step([view(0.0)], 0.0)
    judgements = predictor.step([view(0.45)], 0.45, max_ticks=2)
    assert [j.time_s for j in judgements] == pytest.approx([0.3, 0.4])
    assert predictor.num_skipped == 3
    assert predictor.period_s == pytest.approx(0.1)


def test_a_smoother_is_told_the_true_times_of_what_is_judged(meta):
    config = replace(STEADY, smoothing=SmoothingConfig(name="ema"))
    rows = [(0.0, RED), (0.3, RED), (0.6, GREEN), (0.9, GREEN)]

    def smoothed(max_ticks):
        predictor = StreamPredictor(FakeEngine(SAVEE_7), meta, config)
        done = [j for t, c in rows for j in predictor.step([view(t, c)], t, max_ticks)]
        return {round(j.time_s, 3): j.smoothed for j in done}

    every, few = smoothed(None), smoothed(1)
    assert set(few) < set(every)
    # An EMA over seconds: the last of three equal steps says what three steps say.
    np.testing.assert_allclose(few[0.8], every[0.8], atol=0.02)


def test_faces_too_small_are_passed_over(meta):
    engine = FakeEngine(SAVEE_7)
    predictor = StreamPredictor(engine, meta, STEADY)
    times = (np.arange(5) / 10).tolist()
    rows = [(t, [view(t), replace(view(t, GREEN, 1), is_usable=False)]) for t in times]
    assert {j.track_id for j in play(predictor, rows)} == {0}
