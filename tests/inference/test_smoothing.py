from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emotemporal.baselines.frame_votes import FrameVoteConfig, frame_votes
from emotemporal.inference.label_rule import Hysteresis, show_stream, show_together
from emotemporal.inference.smoothing import (
    ExponentialSmoother,
    HiddenMarkovFilter,
    MajorityVote,
    NoSmoothing,
    OneEuroSmoother,
    SmoothingConfig,
    build_label_rule,
    build_smoother,
    smooth_stream,
    smooth_together,
)
from emotemporal.labels import SAVEE_7, Emotion, LabelSpace
from emotemporal.timing import ClipRate, tick_times_ns
from emotemporal.types import StreamPrediction

TWO = LabelSpace((Emotion.NEUTRAL, Emotion.FEAR))
SMOOTHERS = [
    pytest.param(NoSmoothing(), id="none"),
    pytest.param(ExponentialSmoother(0.3), id="ema"),
    pytest.param(OneEuroSmoother(), id="one-euro"),
    pytest.param(HiddenMarkovFilter(), id="hidden-markov"),
    pytest.param(MajorityVote(), id="majority"),
]


def stream(probabilities, times_s, labels=SAVEE_7) -> StreamPrediction:
    return StreamPrediction(0, np.asarray(times_s), np.asarray(probabilities), labels, ())


def random_stream(seed: int, num_steps: int = 30, evenness: float = 1.0) -> StreamPrediction:
    rng = np.random.default_rng(seed)
    times_s = np.cumsum(rng.uniform(0.02, 0.2, num_steps))
    return stream(rng.dirichlet(np.full(7, evenness), num_steps), times_s)


def blends(times_s):
    """Neutral, blending into fear from 2.0 to 2.6 s and back from 5.0 to 5.6 s."""
    up = np.clip((times_s - 2.0) / 0.6, 0, 1) - np.clip((times_s - 5.0) / 0.6, 0, 1)
    fear = 0.1 + 0.75 * up
    return np.stack([1 - fear, fear], axis=1)


def on_common_ticks(smoother, rate_hz: float):
    times_s = np.arange(0, 8, 1 / rate_hz)
    out = smooth_stream(stream(blends(times_s), times_s, TWO), smoother)
    ticks_s = tick_times_ns(0.5, 7.5, ClipRate(10)) / 1e9
    held = np.searchsorted(times_s, ticks_s, side="right") - 1
    return out.probabilities[held]


@pytest.mark.parametrize("smoother", SMOOTHERS)
@pytest.mark.parametrize("rate_hz", [15, 25, 29.97])
def test_a_stream_at_another_frame_rate_is_smoothed_alike(smoother, rate_hz):
    other, reference = on_common_ticks(smoother, rate_hz), on_common_ticks(smoother, 60)
    # Within what the input itself moves during one period of the slower stream, and a little.
    assert np.abs(other - reference).max() < 0.75 / 0.6 / rate_hz + 0.03
    assert np.mean(other.argmax(axis=1) == reference.argmax(axis=1)) > 0.97


@pytest.mark.parametrize("smoother", SMOOTHERS)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_what_comes_out_is_a_distribution(smoother, seed):
    out = smooth_stream(random_stream(seed), smoother).probabilities
    assert np.all(out >= 0)
    np.testing.assert_allclose(out.sum(axis=1), 1.0)


@pytest.mark.parametrize("smoother", SMOOTHERS)
def test_probabilities_of_zero_and_one_do_no_harm(smoother):
    out = smooth_stream(stream(np.eye(7), np.arange(7) * 0.1), smoother).probabilities
    assert np.all(np.isfinite(out))


@pytest.mark.parametrize("smoother", SMOOTHERS)
def test_state_is_a_value_two_streams_through_one_smoother_do_not_meet(smoother):
    first, second = random_stream(1), random_stream(2)
    states = [None, None]
    rows = []
    for i in range(len(first.times_s)):
        out, states[0] = smoother.step(first.probabilities[i], first.times_s[i], states[0])
        _, states[1] = smoother.step(second.probabilities[i], second.times_s[i], states[1])
        rows.append(out)
    np.testing.assert_array_equal(np.stack(rows), smooth_stream(first, smoother).probabilities)


@pytest.mark.parametrize("smoother", SMOOTHERS)
def test_time_that_does_not_grow_is_refused(smoother):
    half = np.array([0.5, 0.5])
    _, state = smoother.step(half, 1.0, None)
    with pytest.raises(ValueError, match="times must grow"):
        smoother.step(half, 1.0, state)


def test_an_average_reaches_63_percent_of_a_change_after_its_time_constant():
    times_s = np.arange(0, 1.0001, 0.001)
    steps = np.stack([times_s == 0, times_s > 0], axis=1).astype(float)
    out = smooth_stream(stream(steps, times_s, TWO), ExponentialSmoother(0.4)).probabilities
    np.testing.assert_allclose(out[:, 1], 1 - np.exp(-times_s / 0.4), atol=1e-9)


def test_splitting_a_step_of_the_average_in_two_changes_nothing():
    smoother = ExponentialSmoother(0.3)
    start, then = np.array([0.9, 0.1]), np.array([0.2, 0.8])
    _, state = smoother.step(start, 0.0, None)
    once, _ = smoother.step(then, 0.4, state)
    _, half = smoother.step(then, 0.13, state)
    twice, _ = smoother.step(then, 0.4, half)
    np.testing.assert_allclose(once, twice)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_frame_votes_end_where_the_live_filters_end(seed):
    clip = random_stream(seed)
    votes = frame_votes(clip.probabilities, clip.times_s, FrameVoteConfig(0.4, 1.5, 0.2))
    for name, smoother in {
        "ema": ExponentialSmoother(0.4),
        "hidden_markov": HiddenMarkovFilter(1.5, 0.2),
    }.items():
        np.testing.assert_allclose(votes[name], smooth_stream(clip, smoother).probabilities[-1])


def belief_by_all_paths(probabilities, times_s, mean_dwell_s: float, evidence_s: float):
    """Sum over every path of hidden emotions: prior, moves between steps, evidence."""
    num_steps, k = probabilities.shape
    total = np.zeros(k)
    for path in itertools.product(range(k), repeat=num_steps):
        weight = probabilities[0, path[0]] / k
        for i in range(1, num_steps):
            step_s = times_s[i] - times_s[i - 1]
            # Solution of the two-rate master equation: leave at 1 / dwell, to any other alike.
            kept = math.exp(-k / (k - 1) * step_s / mean_dwell_s)
            stay, move = (1 + (k - 1) * kept) / k, (1 - kept) / k
            weight *= stay if path[i] == path[i - 1] else move
            weight *= probabilities[i, path[i]] ** min(1.0, step_s / evidence_s)
        total[path[-1]] += weight
    return total / total.sum()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), k=st.integers(2, 4))
def test_the_filter_is_the_sum_over_all_hidden_paths(seed, k):
    rng = np.random.default_rng(seed)
    times_s = np.cumsum(rng.uniform(0.05, 0.6, 5))
    probabilities = rng.dirichlet(np.ones(k), 5)
    labels = LabelSpace(SAVEE_7.emotions[:k])
    out = smooth_stream(stream(probabilities, times_s, labels), HiddenMarkovFilter(1.2, 0.3))
    expected = belief_by_all_paths(probabilities, times_s, 1.2, 0.3)
    np.testing.assert_allclose(out.probabilities[-1], expected)


def test_without_evidence_the_chain_forgets_in_its_dwell_time():
    smoother = HiddenMarkovFilter(mean_dwell_s=1.0)
    _, state = smoother.step(np.array([1.0, 0.0]), 0.0, None)
    belief, _ = smoother.step(np.array([0.5, 0.5]), 0.7, state)
    assert belief[0] == pytest.approx((1 + math.exp(-2 * 0.7)) / 2, abs=1e-6)


def published_one_euro(values, times_s, min_cutoff, beta, speed_cutoff):
    """Algorithm 1 of the paper, for one value, written out."""

    def alpha(cutoff, period):
        return 1.0 / (1.0 + (1.0 / (2 * math.pi * cutoff)) / period)

    filtered, speed = values[0], 0.0
    out = [filtered]
    for i in range(1, len(values)):
        period = times_s[i] - times_s[i - 1]
        rise = (values[i] - filtered) / period
        speed += alpha(speed_cutoff, period) * (rise - speed)
        filtered += alpha(min_cutoff + beta * abs(speed), period) * (values[i] - filtered)
        out.append(filtered)
    return np.array(out)


def test_each_logit_is_filtered_as_published():
    clip = random_stream(5, evenness=5.0)
    logits = np.log(clip.probabilities)
    logits -= logits.mean(axis=1, keepdims=True)
    out = np.log(smooth_stream(clip, OneEuroSmoother(0.7, 0.2, 1.1)).probabilities)
    out -= out.mean(axis=1, keepdims=True)
    expected = np.stack(
        [published_one_euro(column, clip.times_s, 0.7, 0.2, 1.1) for column in logits.T], axis=1
    )
    # Probabilities do not tell the level of logits, so both are compared without it.
    np.testing.assert_allclose(out, expected - expected.mean(axis=1, keepdims=True), atol=1e-9)


def noisy_step(seed: int = 0):
    times_s = np.arange(0, 6, 1 / 30)
    noise = np.random.default_rng(seed).normal(0, 0.3, len(times_s))
    logit = np.where(times_s < 3, -2.0, 2.0) + noise
    fear = 1 / (1 + np.exp(-logit))
    return stream(np.stack([1 - fear, fear], axis=1), times_s, TWO)


def jitter_and_lag(smoother) -> tuple[float, float]:
    out = smooth_stream(noisy_step(), smoother)
    at_rest = out.probabilities[(out.times_s > 1) & (out.times_s < 3), 1]
    crossed = out.times_s[(out.times_s >= 3) & (out.probabilities[:, 1] > 0.5)][0]
    return float(np.diff(at_rest).std()), float(crossed - 3)


def test_a_lower_cutoff_is_steadier_at_rest():
    steady, _ = jitter_and_lag(OneEuroSmoother(min_cutoff_hz=0.2, beta=0.0))
    loose, _ = jitter_and_lag(OneEuroSmoother(min_cutoff_hz=2.0, beta=0.0))
    assert steady < loose / 3


def test_a_higher_beta_follows_a_change_sooner():
    _, slow = jitter_and_lag(OneEuroSmoother(min_cutoff_hz=0.2, beta=0.0))
    _, prompt = jitter_and_lag(OneEuroSmoother(min_cutoff_hz=0.2, beta=0.5))
    assert prompt < slow / 2


# Two emotions; a row is the probability of the second. 0.1 s a step, so two steps take 0.2 s.
@pytest.mark.parametrize(
    ("fear", "config", "expected"),
    [
        pytest.param([0.1, 0.9, 0.9], Hysteresis(0.0, 0.0), [0, 1, 1], id="off-follows-at-once"),
        pytest.param([0.1, 0.9, 0.1, 0.1], Hysteresis(0.0, 0.2), [0, 0, 0, 0], id="too-short"),
        pytest.param([0.1, 0.9, 0.9, 0.9], Hysteresis(0.0, 0.2), [0, 0, 0, 1], id="long-enough"),
        pytest.param(
            [0.1, 0.9, 0.9, 0.1, 0.9, 0.9, 0.9],
            Hysteresis(0.0, 0.2),
            [0, 0, 0, 0, 0, 0, 1],
            id="a-break-starts-anew",
        ),
        pytest.param([0.1, 0.54, 0.54, 0.56], Hysteresis(0.1, 0.0), [0, 0, 0, 1], id="margin"),
        pytest.param([0.9, 0.1], Hysteresis(0.0, 0.2), [1, 1], id="first-answer-at-once"),
    ],
)
def test_another_label_takes_over_when_ahead_enough_for_long_enough(fear, config, expected):
    times_s = np.arange(len(fear)) * 0.1
    rows = np.stack([1 - np.array(fear), fear], axis=1)
    shown, uncertain = show_stream(stream(rows, times_s, TWO), config)
    assert shown == [TWO.emotions[i] for i in expected]
    assert not uncertain.any()


def test_uncertain_holds_the_last_label():
    fear = [0.9, 0.55, 0.45, 0.68, 0.2]
    rows = np.stack([1 - np.array(fear), fear], axis=1)
    at_once = Hysteresis(margin=0.0, dwell_s=0.0)
    shown, uncertain = show_stream(stream(rows, np.arange(5) * 0.1, TWO), at_once, 0.6)
    assert shown == [Emotion.FEAR] * 4 + [Emotion.NEUTRAL]
    assert uncertain.tolist() == [False, True, True, False, False]


def test_nothing_is_shown_before_the_first_certain_answer():
    rows = np.array([[0.5, 0.5], [0.2, 0.8]])
    shown, uncertain = show_stream(stream(rows, [0.0, 0.1], TWO), Hysteresis(), 0.6)
    assert shown == [None, Emotion.FEAR]
    assert uncertain.tolist() == [True, False]


def test_the_rule_refuses_time_that_does_not_grow():
    rule = build_label_rule(SmoothingConfig())
    _, state = rule.step(np.array([0.5, 0.5]), 1.0, None)
    with pytest.raises(ValueError, match="times must grow"):
        rule.step(np.array([0.5, 0.5]), 0.9, state)


@pytest.mark.parametrize("name", ["auto", "none", "ema", "one_euro", "hidden_markov"])
def test_a_config_builds_what_it_names(name):
    smoother = build_smoother(SmoothingConfig(name=name))
    out, _ = smoother.step(np.array([0.3, 0.7]), 0.0, None)
    np.testing.assert_allclose(out, [0.3, 0.7], atol=1e-9)


@pytest.mark.mistyped
def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="'kalman'; it can be 'none', 'ema'"):
        build_smoother(SmoothingConfig(name="kalman"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (ExponentialSmoother, "time_constant_s", 0.0),
        (OneEuroSmoother, "min_cutoff_hz", 0.0),
        (OneEuroSmoother, "beta", -1.0),
        (HiddenMarkovFilter, "mean_dwell_s", -1.0),
        (HiddenMarkovFilter, "evidence_s", float("nan")),
        (Hysteresis, "dwell_s", -0.1),
        (Hysteresis, "margin", 1.0),
    ],
)
def test_a_setting_without_meaning_is_refused(kind, field, value):
    with pytest.raises(ValueError, match=f"{field} is"):
        kind(**{field: value})


@pytest.mark.parametrize("smoother", SMOOTHERS)
def test_streams_that_tick_together_are_smoothed_as_each_alone(smoother):
    times_s = np.cumsum(np.random.default_rng(9).uniform(0.02, 0.2, 40))
    rows = np.random.default_rng(8).dirichlet(np.ones(7), (40, 5))
    together = smooth_together(rows, times_s, smoother)
    for i in range(rows.shape[1]):
        alone = smooth_stream(stream(rows[:, i], times_s), smoother).probabilities
        np.testing.assert_allclose(together[:, i], alone, rtol=0, atol=1e-12)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    rule=st.builds(
        Hysteresis, margin=st.sampled_from([0.0, 0.1]), dwell_s=st.sampled_from([0.0, 0.1, 0.3])
    ),
    uncertain_below=st.sampled_from([0.0, 0.4]),
)
def test_the_label_rule_for_many_streams_is_the_rule_for_each(seed, rule, uncertain_below):
    rng = np.random.default_rng(seed)
    times_s, rows = np.arange(30) * 0.1, rng.dirichlet(np.ones(4), (30, 6)).round(1)
    together = show_together(rows, times_s, rule, rows.max(axis=-1) < uncertain_below)
    labels = LabelSpace(SAVEE_7.emotions[:4])
    for i in range(rows.shape[1]):
        shown, _ = show_stream(stream(rows[:, i], times_s, labels), rule, uncertain_below)
        assert [labels.emotions[k] if k >= 0 else None for k in together[:, i]] == shown


# The second emotion's share of the window; 0.1 s a step.
@pytest.mark.parametrize(
    ("fear", "window_s", "expected"),
    [
        pytest.param([0.9, 0.1], 0.4, [1.0, 0.5], id="the-first-vote-counts-as-the-second"),
        pytest.param([0.1, 0.6, 0.7, 0.9], 0.2, [0.0, 0.5, 1.0, 1.0], id="old-votes-are-gone"),
        pytest.param([0.1, 0.9, 0.1, 0.1], 0.3, [0.0, 1 / 2, 1 / 3, 1 / 3], id="one-of-three"),
        pytest.param([0.1, 0.9, 0.9], 0.15, [0.0, 2 / 3, 1.0], id="part-of-a-step-in-the-window"),
    ],
)
def test_a_majority_counts_seconds(fear, window_s, expected):
    rows = np.stack([1 - np.array(fear), fear], axis=1)
    times_s = np.arange(len(fear)) * 0.1
    out = smooth_stream(stream(rows, times_s, TWO), MajorityVote(window_s)).probabilities
    np.testing.assert_allclose(out[:, 1], expected)
