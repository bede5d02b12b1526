from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotemporal.timing import (
    NS_PER_S,
    ClipRate,
    FrameBuffer,
    hold_indices,
    monotonic,
    tick_times_ns,
    to_growing_ns,
    to_ns,
)

RATES_HZ = st.sampled_from([0.5, 5.0, 10.0, 12.5, 15.0, 24.0, 29.97, 30.0, 60.0])
GAPS_NS = st.lists(st.integers(1, 10**9), max_size=40)


def run_buffer(times_s: list[float], rate: ClipRate) -> list[tuple[int, float]]:
    buffer: FrameBuffer[int] = FrameBuffer(rate)
    out = [due for i, time_s in enumerate(times_s) for due in buffer.push(i, time_s)]
    return out + buffer.flush()


@pytest.mark.parametrize(
    ("times_s", "expected"),
    [
        pytest.param([0.0, 0.1, 0.2, 0.3], [0, 1, 2, 3], id="camera-at-the-model-rate"),
        pytest.param([0.0, 0.05, 0.1, 0.15, 0.2, 0.25], [0, 2, 4], id="camera-twice-as-fast"),
        pytest.param([0.0, 0.2, 0.4], [0, 0, 1, 1, 2], id="camera-half-as-fast-holds"),
        pytest.param([0.0, 0.09, 0.31], [0, 1, 1, 1], id="a-gap-is-held-over"),
        pytest.param([5.0, 5.1, 5.2], [0, 1, 2], id="the-clock-starts-at-the-first-frame"),
        pytest.param([k / 10 for k in range(13)], list(range(13)), id="no-tick-missed-by-rounding"),
        pytest.param([k * 0.1 for k in range(13)], list(range(13)), id="nor-by-multiplying"),
        pytest.param([7.0], [0], id="one-frame"),
        pytest.param([], [], id="no-frame"),
    ],
)
def test_buffer_gives_what_hold_indices_says(times_s, expected):
    rate = ClipRate(10.0)
    assert [i for i, _ in run_buffer(times_s, rate)] == expected
    assert hold_indices(times_s, rate).tolist() == expected


@given(start_s=st.floats(0, 1e5), gaps_ns=GAPS_NS, rate_hz=RATES_HZ)
def test_buffer_and_hold_indices_agree_for_any_times(start_s, gaps_ns, rate_hz):
    times_ns = to_ns(start_s) + np.concatenate([[0], np.cumsum(gaps_ns)]).astype(np.int64)
    times_s = [int(t) / NS_PER_S for t in times_ns]
    rate = ClipRate(rate_hz)
    live = run_buffer(times_s, rate)
    assert [i for i, _ in live] == hold_indices(times_s, rate).tolist()
    ticks_s = tick_times_ns(times_s[0], times_s[-1], rate) / NS_PER_S
    assert [time_s for _, time_s in live] == ticks_s.tolist()


@given(gaps_ns=GAPS_NS, rate_hz=RATES_HZ)
def test_each_tick_takes_the_latest_frame_not_after_it(gaps_ns, rate_hz):
    times_ns = np.concatenate([[0], np.cumsum(gaps_ns)]).astype(np.int64)
    rate = ClipRate(rate_hz)
    indices = hold_indices([int(t) / NS_PER_S for t in times_ns], rate)
    for tick, i in enumerate(indices):
        assert times_ns[i] <= rate.tick_ns(tick)
        assert i + 1 == len(times_ns) or times_ns[i + 1] > rate.tick_ns(tick)
    assert rate.tick_ns(len(indices)) > times_ns[-1]


def test_a_shifted_clip_holds_the_same_frames():
    times_s = [0.0, 0.03, 0.1, 0.17, 0.4]
    shifted_s = [t + 1234.5 for t in times_s]
    rate = ClipRate(10.0)
    assert hold_indices(times_s, rate).tolist() == hold_indices(shifted_s, rate).tolist()


def test_single_precision_times_hold_no_frame_before_the_first():
    times_s = np.cumsum(np.full(200, 0.0333, dtype=np.float32)) + np.float32(100.1)
    indices = hold_indices(times_s, ClipRate(10.0))
    assert indices.min() == 0
    assert indices.tolist() == hold_indices(times_s.astype(np.float64), ClipRate(10.0)).tolist()


def test_ticks_do_not_drift():
    rate = ClipRate(29.97)
    assert rate.tick_ns(2997 * 36) == 3600 * NS_PER_S
    assert rate.period_s == pytest.approx(1 / 29.97)


def test_twenty_ticks_span_nineteen_periods():
    times_s = [i / 60 for i in range(120)]
    assert len(hold_indices(times_s, ClipRate(10.0))) == 20


def test_an_item_waits_for_a_later_one_and_comes_once():
    buffer: FrameBuffer[str] = FrameBuffer(ClipRate(10.0))
    assert buffer.push("a", 0.0) == []
    assert buffer.push("b", 0.05) == [("a", 0.0)]
    assert buffer.flush() == []
    assert buffer.push("c", 0.1) == []
    assert buffer.flush() == [("c", 0.1)]
    assert buffer.flush() == []


def test_an_empty_buffer_flushes_nothing():
    assert FrameBuffer(ClipRate(10.0)).flush() == []


@pytest.mark.parametrize("later_s", [1.0, 0.5, 1.0 + 1e-10])
def test_a_buffer_refuses_time_that_does_not_grow(later_s):
    buffer: FrameBuffer[int] = FrameBuffer(ClipRate(10.0))
    buffer.push(0, 1.0)
    with pytest.raises(ValueError, match="times must grow"):
        buffer.push(1, later_s)


@pytest.mark.parametrize("times_s", [[0.0, 0.1, 0.1], [0.0, 0.2, 0.1], [1.0, 1.0 + 1e-10]])
def test_times_that_do_not_grow_are_refused(times_s):
    with pytest.raises(ValueError, match="times must grow from frame to frame; frame"):
        hold_indices(times_s, ClipRate(10.0))


def test_the_frame_that_comes_too_early_is_named():
    with pytest.raises(ValueError, match=r"frame 2 is at 0\.1 s, frame 1 at 0\.2 s"):
        to_growing_ns([0.0, 0.2, 0.1])


def test_times_that_are_not_numbers_are_refused():
    with pytest.raises(ValueError, match="NaN"):
        hold_indices([0.0, float("nan")], ClipRate(10.0))


@pytest.mark.parametrize("hz", [0.0, -1.0, 1001.0, float("nan"), float("inf")])
def test_impossible_clip_rates_are_refused(hz):
    with pytest.raises(ValueError, match="clip rate is"):
        ClipRate(hz)


def test_the_clock_only_grows():
    assert monotonic() <= monotonic()
