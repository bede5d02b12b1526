from __future__ import annotations

import math

import numpy as np
import pytest

from emotemporal.evaluation.stability.figures import (
    ChangeOutcome,
    Stability,
    lag_quantiles,
    measure_stream,
    pareto_set,
    steadiest_within,
    summarise,
)
from emotemporal.labels import Emotion
from emotemporal.types import Target

N, H, F = Emotion.NEUTRAL, Emotion.HAPPINESS, Emotion.FEAR
TRUTH = [Target(0.0, 2.0, N), Target(2.0, 4.0, H), Target(4.0, 6.0, F)]
"""Two changes: to happiness at 2 s, to fear at 4 s; the last segment ends at 6 s."""


def judged(switches, truth=TRUTH, end_s=6.0):
    """A stream from `(time, label)` pairs, each held until the next."""
    times_s, shown = zip(*switches, strict=True)
    return measure_stream(np.array(times_s, dtype=float), shown, truth, end_s=end_s)


# Per change: outcome and lag. Then the number of spurious switches.
@pytest.mark.parametrize(
    ("switches", "outcomes", "num_spurious"),
    [
        pytest.param(
            [(0, N), (2.3, H), (4.1, F)],
            [("detected", 0.3), ("detected", 0.1)],
            0,
            id="each-change-a-little-late",
        ),
        pytest.param(
            [(0, N), (2, H), (4, F)], [("detected", 0.0), ("detected", 0.0)], 0, id="perfect"
        ),
        pytest.param([(0, N)], [("missed", None)] * 2, 0, id="constant-misses-everything"),
        pytest.param(
            [(0, H)], [("pre_set", None), ("missed", None)], 0, id="constant-pre-set-once"
        ),
        pytest.param(
            [(0, N), (1.8, H), (4.5, F)],
            [("pre_set", None), ("detected", 0.5)],
            1,
            id="too-early-is-pre-set-and-its-switch-spurious",
        ),
        pytest.param(
            [(0, N), (2.2, H), (2.3, N), (2.6, H), (4, F)],
            [("detected", 0.6), ("detected", 0.0)],
            2,
            id="a-tenth-of-a-second-does-not-detect",
        ),
        pytest.param(
            [(0, N), (2.2, H), (2.45, N), (2.6, H), (4, F)],
            [("detected", 0.2), ("detected", 0.0)],
            2,
            id="exactly-a-quarter-second-does-and-what-follows-is-spurious",
        ),
        pytest.param(
            [(0, N), (3.9, H), (4, F)],
            [("detected", 1.9), ("detected", 0.0)],
            0,
            id="until-the-segment-ends-if-sooner",
        ),
        pytest.param(
            [(0, N), (3.8, H), (3.9, N), (4, F)],
            [("missed", None), ("detected", 0.0)],
            2,
            id="short-and-gone-before-the-end-is-missed",
        ),
        pytest.param(
            [(0, N), (4.2, H), (5, F)],
            [("missed", None), ("detected", 1.0)],
            1,
            id="after-the-segment-is-too-late",
        ),
        pytest.param(
            [(0, N), (1, F), (1.1, N), (2.1, H), (4.2, F)],
            [("detected", 0.1), ("detected", 0.2)],
            2,
            id="flicker-before-the-change-is-spurious",
        ),
        pytest.param(
            [(0, N), (1.5, H), (2.0, F), (2.4, H), (4.3, F)],
            [("detected", 0.4), ("detected", 0.3)],
            2,
            id="shown-until-the-change-is-not-showing-at-it",
        ),
        pytest.param(
            [(0, N), (5.9, F)], [("missed", None), ("detected", 1.9)], 0, id="until-the-very-end"
        ),
        pytest.param(
            [(0, None), (0.5, N), (2.1, H), (3, None), (3.2, H), (4.1, F)],
            [("detected", 0.1), ("detected", 0.1)],
            0,
            id="nothing-on-show-is-no-switch",
        ),
    ],
)
def test_a_timeline_worked_by_hand(switches, outcomes, num_spurious):
    stream = judged(switches)
    assert [(c.outcome, c.lag_s) for c in stream.changes] == [
        (outcome, None if lag is None else pytest.approx(lag)) for outcome, lag in outcomes
    ]
    assert stream.num_spurious == num_spurious
    assert stream.duration_s == 6.0


def test_a_blend_changes_at_its_half_and_so_does_a_gap():
    overlap = [Target(0.0, 3.0, N), Target(2.0, 5.0, H)]
    gap = [Target(0.0, 2.0, N), Target(3.0, 5.0, H)]
    for truth in (overlap, gap):
        (change,) = judged([(0, N), (2.7, H)], truth).changes
        assert change.time_s == 2.5
        assert change.lag_s == pytest.approx(0.2)


def test_a_segment_that_goes_on_with_the_same_emotion_is_no_change():
    truth = [Target(0.0, 2.0, N), Target(2.0, 3.0, H), Target(3.0, 5.0, H), Target(5.0, 6.0, N)]
    first, second = judged([(0, N), (2.5, H), (5.5, N)], truth).changes
    assert (first.time_s, first.until_s) == (2.0, 5.0)
    assert second.time_s == 5.0


def test_only_the_time_with_a_truth_counts():
    truth = [Target(1.0, 2.0, N), Target(2.0, 3.0, H)]
    stream = judged([(0, F), (0.5, N), (2.1, H), (4, F)], truth)
    assert stream.duration_s == 2.0
    assert stream.num_spurious == 0
    assert stream.num_switches == 1


def test_a_stream_that_ends_early_is_censored_there():
    stream = judged([(0, N), (2.9, N)], TRUTH, end_s=3.0)
    (change,) = stream.changes
    assert (change.outcome, change.until_s) == ("missed", 3.0)


def test_the_frame_rate_of_the_stream_does_not_matter():
    def at(rate_hz):
        times_s = np.arange(0, 6, 1 / rate_hz)
        shown = [N if t < 2.3 else H if t < 4.4 else F for t in times_s]
        return measure_stream(times_s, shown, TRUTH, end_s=6.0)

    slow, fast = at(15), at(60)
    assert slow.num_spurious == fast.num_spurious == 0
    for one, other in zip(slow.changes, fast.changes, strict=True):
        assert one.lag_s == pytest.approx(other.lag_s, abs=1 / 15)


def test_uncertainty_stands_apart_from_switches():
    stream = measure_stream(
        np.array([0.0, 1.0, 2.0, 2.5, 4.0, 5.0]),
        [N, N, H, H, F, F],
        TRUTH,
        is_uncertain=np.array([False, True, False, False, False, True]),
        end_s=6.0,
    )
    assert stream.num_spurious == 0
    assert stream.uncertain_toggles == 3
    assert stream.uncertain_s == pytest.approx(2.0)
    found = summarise([stream])
    assert found.uncertain_share == pytest.approx(2 / 6)
    assert found.uncertain_toggles_per_minute == pytest.approx(30.0)


def test_streams_are_pooled_by_change_and_by_minute():
    late = judged([(0, N), (2.8, H), (5.5, F)])
    flickering = judged([(0, N), (1, H), (1.1, N), (2.2, H), (4.4, F)])
    found = summarise([late, flickering])
    assert (found.num_changes, found.num_detected, found.num_missed) == (4, 4, 0)
    assert found.spurious_per_minute == pytest.approx(2 * 60 / 12)
    assert found.median_lag_s == pytest.approx(0.4)
    assert found.share_within == {
        0.5: pytest.approx(2 / 4),
        1.0: pytest.approx(3 / 4),
        2.0: pytest.approx(1.0),
    }


def outcome(lag_s=None, wait_s=10.0):
    return ChangeOutcome(0.0, wait_s, F, "missed" if lag_s is None else "detected", lag_s)


def test_kaplan_meier_worked_by_hand():
    # unseen after 1 s: 4/5; one censored at 1.5 s; after 2 s: 4/5 * 2/3; after 3 s: 4/5 * 1/3
    changes = [outcome(1.0), outcome(None, 1.5), outcome(2.0), outcome(3.0), outcome(None, 5.0)]
    assert lag_quantiles(changes, (0.2, 0.4, 0.5, 0.7, 0.95)) == (1.0, 2.0, 3.0, 3.0, math.inf)


def test_without_misses_quantiles_are_those_of_the_lags():
    changes = [outcome(lag) for lag in (0.1, 0.2, 0.3, 0.4)]
    assert lag_quantiles(changes, (0.5, 0.95)) == (0.2, 0.4)


def test_a_miss_never_flatters_the_lag():
    seen = [outcome(lag) for lag in (0.2, 0.4, 0.6)]
    before = lag_quantiles(seen, (0.5, 0.95))
    for wait_s in (0.1, 0.3, 5.0):
        after = lag_quantiles([*seen, outcome(None, wait_s)], (0.5, 0.95))
        assert all(b >= a for a, b in zip(before, after, strict=True))


def test_a_constant_answer_has_no_flicker_detects_nothing_and_does_not_win():
    constant = summarise([judged([(0, N)])])
    assert constant.spurious_per_minute == 0
    assert constant.num_missed == 2
    assert constant.median_lag_s == constant.p95_lag_s == math.inf
    assert set(constant.share_within.values()) == {0.0}
    working = summarise([judged([(0, N), (0.5, F), (0.6, N), (2.3, H), (4.3, F)])])
    assert steadiest_within({"constant": constant, "working": working}, 0.5) == "working"
    assert pareto_set({"constant": constant, "working": working}) == ["working"]


def test_a_constant_answer_gains_nothing_where_its_label_comes_back():
    back_and_forth = [Target(0.0, 2.0, N), Target(2.0, 4.0, H), Target(4.0, 6.0, N)]
    constant = summarise([judged([(0, N)], back_and_forth)])
    assert (constant.num_missed, constant.num_pre_set, constant.num_detected) == (1, 1, 0)
    assert constant.median_lag_s == math.inf
    assert constant.share_within[2.0] == 0.0


def setting(lag_s: float, spurious: float) -> Stability:
    return Stability(9, 9, 0, 0, spurious, lag_s, lag_s, {}, 0.0, 0.0, 60.0)


def test_the_steadiest_setting_within_a_lag():
    settings = {"raw": setting(0.1, 40.0), "ema": setting(0.4, 6.0), "slow": setting(0.9, 1.0)}
    assert steadiest_within(settings, 0.5) == "ema"
    assert steadiest_within(settings, 0.05) is None


def test_a_setting_that_is_later_and_no_steadier_is_not_in_the_pareto_set():
    settings = {"ema": setting(0.4, 6.0), "raw": setting(0.1, 40.0), "bad": setting(0.5, 7.0)}
    assert pareto_set(settings) == ["raw", "ema"]


def test_no_changes_have_no_lag():
    found = summarise([judged([(0, N)], [Target(0.0, 6.0, N)])])
    assert found.num_changes == 0
    assert math.isnan(found.median_lag_s)
    assert math.isnan(found.share_within[1.0])


@pytest.mark.parametrize(
    ("times_s", "shown", "truth", "message"),
    [
        pytest.param([0.0], [N, H], TRUTH, "1 times and 2 labels", id="lengths"),
        pytest.param([], [], TRUTH, "one each", id="empty"),
        pytest.param([0.0, 0.0], [N, H], TRUTH, "must grow", id="time-stands-still"),
        pytest.param([0.0], [N], [], "no truth", id="no-truth"),
        pytest.param([7.0, 8.0], [N, H], TRUTH, "no time in common", id="disjoint"),
        pytest.param([0.0, 1.0], [N, H], TRUTH[::-1], "not in time order", id="order"),
    ],
)
def test_a_stream_that_cannot_be_judged_is_refused(times_s, shown, truth, message):
    with pytest.raises(ValueError, match=message):
        measure_stream(np.array(times_s), shown, truth)


def test_no_streams_are_refused():
    with pytest.raises(ValueError, match="no streams"):
        summarise([])
