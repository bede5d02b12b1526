from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from emotemporal.data.pytorchvideo_sampler import sample_clips
from emotemporal.data.sampling import SamplingConfig, clip_indices, uniform_clips
from emotemporal.timing import ClipRate, hold_indices

STRATEGIES = ["full", "random", "uniform", "dense", "segment"]
TWO_SECONDS = [i / 30 for i in range(60)]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def config_for(strategy: str, num_frames: int = 8, jitter_s: float = 0.0) -> SamplingConfig:
    return SamplingConfig(strategy=strategy, num_frames=num_frames, jitter_s=jitter_s)


@pytest.mark.parametrize(
    ("strategy", "num_frames", "times_s", "expected"),
    [
        pytest.param("full", 2, [i / 20 for i in range(7)], [0, 2, 4, 6], id="full-has-them-all"),
        pytest.param("full", 2, [0.0], [0], id="full-of-one-frame"),
        pytest.param("dense", 3, [i / 10 for i in range(7)], [2, 3, 4], id="dense-in-the-middle"),
        pytest.param("dense", 9, [i / 10 for i in range(3)], [0, 1, 2], id="dense-of-too-short"),
        pytest.param("uniform", 4, [i / 25 for i in range(4)], [0, 1, 2, 3], id="each-frame-once"),
        pytest.param("uniform", 2, [i / 25 for i in range(8)], [2, 6], id="middles-of-halves"),
        pytest.param("uniform", 1, [i / 25 for i in range(5)], [2], id="the-middle-frame"),
        pytest.param("uniform", 4, [0.0, 0.1], [0, 0, 1, 1], id="more-than-there-are"),
        pytest.param("uniform", 3, [3.0], [0, 0, 0], id="uniform-of-one-frame"),
        pytest.param("segment", 2, [i / 25 for i in range(8)], [2, 6], id="segment-undrawn"),
        pytest.param(
            "uniform", 2, [0.0, 0.1, 0.2, 0.3, 1.9], [3, 3], id="spread-in-time-not-in-frames"
        ),
    ],
)
def test_undrawn_clips_are_these_frames(strategy, num_frames, times_s, expected):
    assert clip_indices(times_s, config_for(strategy, num_frames)).tolist() == expected


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(
    gaps_s=st.lists(st.floats(0.001, 0.5), max_size=50),
    num_frames=st.integers(1, 20),
    jitter_s=st.sampled_from([0.0, 0.3]),
    seed=st.integers(0, 100),
)
def test_frames_come_in_time_order_from_the_video_and_the_same_again(
    strategy, gaps_s, num_frames, jitter_s, seed
):
    times_s = np.concatenate([[2.5], 2.5 + np.cumsum(gaps_s)])
    config = config_for(strategy, num_frames, jitter_s)
    indices = clip_indices(times_s, config, seeded(seed))
    assert np.all(np.diff(indices) >= 0)
    assert 0 <= indices[0] <= indices[-1] < len(times_s)
    if strategy in ("uniform", "segment"):
        assert len(indices) == num_frames
    elif strategy != "full":
        assert len(indices) <= num_frames
    assert np.array_equal(indices, clip_indices(times_s, config, seeded(seed)))


@pytest.mark.parametrize("strategy", ["random", "segment", "dense", "full"])
def test_other_draws_choose_other_frames(strategy):
    config = config_for(strategy, jitter_s=0.3)
    drawn = {tuple(clip_indices(TWO_SECONDS, config, seeded(seed))) for seed in range(20)}
    assert len(drawn) > 3


@given(seed=st.integers(0, 1000))
def test_random_and_dense_clips_run_at_the_clip_rate_and_are_whole(seed):
    for strategy in ("random", "dense"):
        config = config_for(strategy, jitter_s=0.5)
        indices = clip_indices(TWO_SECONDS, config, seeded(seed))
        assert len(indices) == config.num_frames
        assert set(np.diff(indices)) == {3}


def test_random_clips_reach_both_ends():
    config = config_for("random")
    starts = [clip_indices(TWO_SECONDS, config, seeded(seed))[0] for seed in range(300)]
    assert min(starts) == 0
    assert max(starts) == 59 - 7 * 3 - 1  # the last tick is never after the last frame


def test_jitter_is_bounded():
    config = config_for("dense", jitter_s=0.1)
    middle = clip_indices(TWO_SECONDS, config)[0]
    starts = [clip_indices(TWO_SECONDS, config, seeded(seed))[0] for seed in range(100)]
    assert middle - 3 <= min(starts) < middle < max(starts) <= middle + 3


def test_full_without_jitter_is_the_model_clock_with_or_without_a_generator():
    expected = hold_indices(TWO_SECONDS, ClipRate(10.0)).tolist()
    assert clip_indices(TWO_SECONDS, config_for("full")).tolist() == expected
    assert clip_indices(TWO_SECONDS, config_for("full"), seeded()).tolist() == expected


@given(seed=st.integers(0, 1000), num_frames=st.integers(1, 12))
def test_segments_give_one_frame_of_each_equal_part(seed, num_frames):
    indices = clip_indices(TWO_SECONDS, config_for("segment", num_frames), seeded(seed))
    parts = np.array(TWO_SECONDS)[indices] * num_frames / 2.0
    # The frame held at an instant in part i may have come before the part began.
    assert np.all(parts < np.arange(1, num_frames + 1))
    assert np.all(parts > np.arange(num_frames) - num_frames / 60 - 1e-9)


def test_a_random_clip_without_a_generator_is_refused():
    with pytest.raises(ValueError, match="needs a generator"):
        clip_indices(TWO_SECONDS, config_for("random"))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_video_without_frames_is_refused(strategy):
    with pytest.raises(ValueError, match="at least one frame"):
        clip_indices([], config_for(strategy), seeded())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_frames": 0}, "num_frames is 0"),
        ({"clip_rate_hz": 0.0}, "clip rate is 0"),
        ({"jitter_s": -1.0}, "jitter_s is -1"),
    ],
)
def test_impossible_sampling_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        SamplingConfig(**values)


def test_sixteen_frames_at_ten_hertz_span_a_second_and_a_half():
    assert SamplingConfig(num_frames=16, clip_rate_hz=10.0).duration_s == 1.5


@pytest.mark.parametrize(
    ("num_video_frames", "frame_rate_hz", "num_frames", "stride_s", "num_clips"),
    [
        pytest.param(60, 30, 10, None, 2, id="two-that-fit"),
        pytest.param(60, 30, 20, None, 1, id="one-that-fits"),
        pytest.param(60, 30, 30, None, 1, id="shorter-than-a-clip"),
        pytest.param(75, 30, 10, None, 3, id="last-one-moved-back"),
        pytest.param(60, 30, 10, 0.5, 3, id="overlapping"),
        pytest.param(61, 29.97, 10, None, 3, id="a-rate-that-is-no-fraction-of-the-clock"),
        pytest.param(7, 10, 1, None, 7, id="single-frames"),
        pytest.param(1, 10, 1, None, 1, id="one-frame"),
    ],
)
def test_clips_side_by_side_are_those_of_pytorchvideo(
    num_video_frames, frame_rate_hz, num_frames, stride_s, num_clips
):
    from pytorchvideo.data.clip_sampling import UniformClipSampler

    times_s = [i / frame_rate_hz for i in range(num_video_frames)]
    config = config_for("full", num_frames)
    clips = uniform_clips(times_s, config, stride_s)
    oracle = UniformClipSampler(
        clip_duration=Fraction(num_frames, 10),
        stride=None if stride_s is None else Fraction(stride_s),
        backpad_last=True,
    )
    theirs = sample_clips(oracle, times_s, config.rate, seeded())
    assert len(clips) == num_clips
    assert [clip.tolist() for clip in clips] == [clip.tolist() for clip in theirs]


@given(
    num_video_frames=st.integers(2, 120),
    frame_rate_hz=st.sampled_from([15, 25, 30, 50, 60]),
    num_frames=st.integers(1, 16),
)
def test_side_by_side_clips_agree_with_pytorchvideo_on_any_length(
    num_video_frames, frame_rate_hz, num_frames
):
    from pytorchvideo.data.clip_sampling import UniformClipSampler

    times_s = [i / frame_rate_hz for i in range(num_video_frames)]
    config = config_for("full", num_frames)
    oracle = UniformClipSampler(Fraction(num_frames, 10), backpad_last=True)
    theirs = sample_clips(oracle, times_s, config.rate, seeded())
    clips = uniform_clips(times_s, config)
    assert [clip.tolist() for clip in clips] == [clip.tolist() for clip in theirs]


@pytest.mark.parametrize("stride_s", [0.0, -1.0, 0.9])
def test_strides_that_would_leave_gaps_are_refused(stride_s):
    with pytest.raises(ValueError, match="stride_s is"):
        uniform_clips(TWO_SECONDS, config_for("full"), stride_s)


def make_sampler(name: str):
    from pytorchvideo.data.clip_sampling import RandomMultiClipSampler, make_clip_sampler

    if name == "random_multi":
        return RandomMultiClipSampler(0.5, 3)
    arguments = {"uniform": (0.5,), "random": (0.5,), "constant_clips_per_video": (0.5, 3)}
    return make_clip_sampler(name, *arguments[name])


PYTORCHVIDEO_NAMES = ["uniform", "random", "constant_clips_per_video", "random_multi"]


@pytest.mark.parametrize("name", PYTORCHVIDEO_NAMES)
def test_a_pytorchvideo_sampler_answers_the_same_twice(name):
    sampler = make_sampler(name)
    one = sample_clips(sampler, TWO_SECONDS, ClipRate(10.0), seeded(1))
    two = sample_clips(sampler, TWO_SECONDS, ClipRate(10.0), seeded(1))
    assert [clip.tolist() for clip in one] == [clip.tolist() for clip in two]
    assert len(one) == {"uniform": 4, "random": 1}.get(name, 3)
    assert all(4 <= len(clip) <= 5 for clip in one)


def test_a_random_pytorchvideo_sampler_follows_the_generator():
    sampler = make_sampler("random")
    drawn = {
        tuple(sample_clips(sampler, TWO_SECONDS, ClipRate(10.0), seeded(s))[0]) for s in range(9)
    }
    assert len(drawn) > 3


def global_draws_after_sampling(seed: int) -> tuple[float, ...]:
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the global state is what is watched
    torch.manual_seed(seed)
    sample_clips(make_sampler("random"), TWO_SECONDS, ClipRate(10.0), seeded())
    return random.random(), float(np.random.rand()), float(torch.rand(1))  # noqa: NPY002


def test_the_global_generators_are_not_left_seeded():
    # Not compared with draws that no sampler went before: run-time type checks draw as well.
    draws = zip(global_draws_after_sampling(0), global_draws_after_sampling(1), strict=True)
    assert all(one != two for one, two in draws)


def test_numpy_and_torch_go_on_where_they_were():
    np.random.seed(0)  # noqa: NPY002
    expected = float(np.random.rand()), float(torch.manual_seed(0) and torch.rand(1))  # noqa: NPY002
    assert global_draws_after_sampling(0)[1:] == expected


class NeverLast:
    def __call__(self, last_clip_time, video_duration, annotation):
        return Fraction(0), Fraction(1, 2), 0, 0, False

    def reset(self) -> None:
        pass


class TooLate(NeverLast):
    def __call__(self, last_clip_time, video_duration, annotation):
        return Fraction(9), Fraction(10), 0, 0, True


@pytest.mark.parametrize(
    ("sampler", "message"), [(NeverLast(), "no last one"), (TooLate(), "outside the video")]
)
def test_a_sampler_that_breaks_its_promise_is_refused(sampler, message):
    with pytest.raises(ValueError, match=message):
        sample_clips(sampler, TWO_SECONDS, ClipRate(10.0), seeded())


def test_the_number_drawn_does_not_depend_on_the_strategy():
    after = []
    for strategy in ("full", "random", "dense"):
        generator = seeded()
        clip_indices(TWO_SECONDS, replace(config_for(strategy), jitter_s=0.2), generator)
        after.append(float(torch.rand(1, generator=generator)))
    assert len(set(after)) == 1
