from __future__ import annotations

import numpy as np
import pytest

from emotemporal.evaluation.stability.changes import measure_stream
from emotemporal.evaluation.stability.grid import GridConfig, settings_of
from emotemporal.evaluation.stability.replay import replay, score, score_settings, smooth
from emotemporal.inference.label_rule import Hysteresis, show_stream
from emotemporal.inference.smoothing import SmoothingConfig, build_smoother, smooth_stream
from tests.evaluation.stream_fakes import THREE, F, H, N, noisy_streams, stream, stream_set

AT_ONCE = SmoothingConfig("none", hysteresis=Hysteresis(0.0, 0.0))
TRUTH = [(0, 2, N), (2, 4, H), (4, 6, F)]


def shown(streams, smoothing=AT_ONCE):
    return replay(streams, smooth(streams, smoothing), smoothing)


def test_a_study_of_one_stream_worked_by_hand():
    # Right until 2.3 s; happiness then, but for a slip to fear at 3 s; fear comes 0.1 s late.
    answers = [N] * 23 + [H] * 7 + [F] + [H] * 10 + [F] * 19
    found = score(shown(stream_set(stream(answers, TRUTH))))
    stability = found.stability
    assert (stability.num_changes, stability.num_detected, stability.num_missed) == (2, 2, 0)
    assert stability.median_lag_s == pytest.approx(0.1)
    assert stability.p95_lag_s == pytest.approx(0.3)
    assert stability.spurious_per_minute == pytest.approx(20)  # to fear and back, in 6 s
    assert found.missed_share == 0
    # Recalls: 20 of 20, 16 of 20, 19 of 20 ticks.
    assert found.uar == pytest.approx((20 / 20 + 16 / 20 + 19 / 20) / 3)


def test_many_streams_are_replayed_as_each_alone_goes_through_the_live_rule():
    streams = noisy_streams(0, num_streams=4)
    smoothing = SmoothingConfig("ema", hysteresis=Hysteresis(0.05, 0.15))
    replayed = shown(streams, smoothing)
    for i, one in enumerate(streams.streams):
        smoothed = smooth_stream(one.prediction, build_smoother(smoothing))
        alone, _ = show_stream(smoothed, smoothing.hysteresis)
        assert [THREE.emotions[k] for k in replayed.shown[: len(alone), i]] == alone
        end_s = float(one.prediction.times_s[-1]) + 0.1
        expected = measure_stream(one.prediction.times_s, alone, one.prediction.truth, end_s=end_s)
        assert replayed.stabilities()[i] == expected


def test_a_streams_start_does_not_matter():
    answers = [N] * 23 + [H] * 20 + [F] * 17
    now, later = (score(shown(stream_set(stream(answers, TRUTH, start_s=s)))) for s in (0, 7.3))
    assert now.macro_f1 == later.macro_f1
    assert now.stability.median_lag_s == pytest.approx(later.stability.median_lag_s)


def test_nothing_shows_and_nothing_counts_while_warming_up():
    answers = [F] * 5 + [N] * 15 + [H] * 20 + [F] * 20
    warm = shown(stream_set(stream(answers, TRUTH), warm_up_s=0.5))
    assert (warm.shown[:5] == -1).all()
    assert score(warm).uar == 1.0
    assert score(warm).stability.spurious_per_minute == 0


def test_while_uncertain_the_last_label_stays_and_that_is_told_apart():
    one = stream([N] * 20 + [H] * 20 + [F] * 20, TRUTH, sure=0.5)
    held = score(shown(stream_set(one, uncertain_below=0.6)))
    assert held.stability.uncertain_share == pytest.approx(1.0)
    assert held.uar == 0
    one.prediction.probabilities[:25] = stream([N] * 25, [(0, 2.5, N)]).prediction.probabilities
    held = score(shown(stream_set(one, uncertain_below=0.6)))
    assert held.stability.num_missed == 2
    assert held.stability.uncertain_share == pytest.approx(35 / 60)


def test_shorter_streams_are_not_made_longer():
    short = stream([N] * 20, [(0, 2, N)], "short")
    long = stream([N] * 20 + [H] * 20, [(0, 2, N), (2, 4, H)], "long")
    found = shown(stream_set(short, long))
    assert [s.duration_s for s in found.stabilities()] == [2.0, 4.0]
    assert found.confusion().sum() == 60


def test_a_filter_that_serves_many_rules_is_run_once_for_each_all_the_same():
    streams = noisy_streams(1, num_streams=3)
    settings = settings_of(GridConfig(margin=(0.0, 0.2), dwell_s=(0.0, 0.3)), ("ema", "majority"))
    together = score_settings(streams, settings)
    assert list(together) == list(settings)
    for name in ("ema 0.3 s, margin 0.2, dwell 0.3 s", "majority 0.9 s, margin 0, dwell 0 s"):
        assert together[name] == score(shown(streams, settings[name]))


def test_a_truth_that_the_model_cannot_say_is_refused():
    two = stream([N] * 20, [(0, 2, N)])
    object.__setattr__(two.prediction.truth[0], "emotion", "boredom")
    with pytest.raises(ValueError, match="boredom"):
        stream_set(two)


def test_streams_without_truth_are_refused():
    one = stream([N] * 20, [(0, 2, N)])
    object.__setattr__(one.prediction, "truth", [])
    with pytest.raises(ValueError, match="truth shows nothing"):
        stream_set(one)


def test_a_blend_changes_at_its_half():
    streams = stream_set(stream([N] * 40, [(0, 2.2, N), (1.8, 4, H)]))
    np.testing.assert_array_equal(streams.true_labels[:, 0], [0] * 20 + [1] * 20)
