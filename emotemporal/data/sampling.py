"""Which frames of a video make a clip: pure functions of frame times, config and generator.

All in seconds, by the rule of `timing`: each instant takes the latest frame not after it. So a
video re-timed to another frame rate gives the same clips, to within a frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int

from emotemporal.timing import NS_PER_S, ClipRate, hold_at, ticks_between_ns, to_growing_ns, to_ns

_ROUNDING_NS = 1_000  # far above what frame times are rounded by, far below what frames differ by

Times = Sequence[float] | Float[np.ndarray, " n"]


@dataclass(frozen=True)
class SamplingConfig:
    """Which frames of a video make a clip.

    Raises:
        ValueError: No frames, a negative jitter, or a rate out of range.
    """

    strategy: Literal["full", "random", "uniform", "dense", "segment"] = "full"
    """`full`: all there is, at the clip rate; what a head that streams is trained on.
    `random`: `num_frames` in a row at the clip rate, from anywhere.
    `dense`: the same from the middle.
    `uniform`: `num_frames` spread evenly over all there is, whatever its length.
    `segment`: the same, each from anywhere in its part (TSN, Wang et al. 2016, section 3.1)."""
    num_frames: int = 16
    """Not for `full`. `random` and `dense` give fewer where a video is too short."""
    clip_rate_hz: float = 10.0
    """Frames per second that the model sees. `uniform` and `segment` have no rate of their own:
    heads that stream are not for them."""
    jitter_s: float = 0.0
    """Training only: how far the start may move; `full` later, `dense` both ways."""

    def __post_init__(self) -> None:
        ClipRate(self.clip_rate_hz)
        if self.num_frames < 1:
            raise ValueError(f"num_frames is {self.num_frames}; a clip has at least 1 frame")
        if not 0 <= self.jitter_s < float("inf"):
            raise ValueError(f"jitter_s is {self.jitter_s}; it can be 0 or more seconds")

    @property
    def rate(self) -> ClipRate:
        """The model's clock."""
        return ClipRate(self.clip_rate_hz)

    @property
    def judging(self) -> SamplingConfig:
        """The same without chance, for clips that are judged: `random` becomes `dense`."""
        return replace(self, strategy="dense") if self.strategy == "random" else self

    @property
    def is_random(self) -> bool:
        """Whether a generator makes a difference."""
        has_start = self.strategy in ("full", "dense")
        return self.strategy in ("random", "segment") or (has_start and self.jitter_s > 0)

    @property
    def duration_s(self) -> float:
        """From the first of `num_frames` in a row to the last."""
        return (self.num_frames - 1) / self.clip_rate_hz


def clip_indices(
    times_s: Times, config: SamplingConfig, generator: torch.Generator | None = None
) -> Int[np.ndarray, " t"]:
    """Return the frames that make one clip, in time order.

    A frame comes twice where the video is slower than the clip rate, never to make up length.

    Args:
        times_s: When each frame of the video is shown; they grow.
        config: How to choose.
        generator: For training. Without one nothing is jittered, and `segment` takes the middle
            of each part, as `uniform` does.

    Raises:
        ValueError: No frames, times that do not grow, or `random` without a generator.
    """
    times_ns = to_growing_ns(times_s)
    shown_ns = duration_ns(times_ns)
    if config.strategy in ("uniform", "segment"):
        instants_ns = _spread_instants(int(times_ns[0]), shown_ns, config, generator)
    else:
        start_ns = _start_ns(times_ns, config, generator)
        instants_ns = ticks_between_ns(start_ns, int(times_ns[-1]), config.rate)
        if config.strategy != "full":
            instants_ns = instants_ns[: config.num_frames]
    return hold_at(times_ns, instants_ns)


def uniform_clips(
    times_s: Times, config: SamplingConfig, stride_s: float | None = None
) -> list[Int[np.ndarray, " t"]]:
    """Return clips of `num_frames` side by side over the whole video, for judging all of it.

    The last one is moved back to end with the video. A video shorter than one clip gives one,
    with the frames there are.

    Args:
        times_s: When each frame of the video is shown; they grow.
        config: `num_frames` and `clip_rate_hz` count; the strategy does not.
        stride_s: From one clip's start to the next; side by side, unless given.

    Raises:
        ValueError: No frames, times that do not grow, or a stride that would leave gaps.
    """
    times_ns = to_growing_ns(times_s)
    window_ns = config.rate.tick_ns(config.num_frames)
    stride_ns = window_ns if stride_s is None else to_ns(stride_s)
    if not 0 < stride_ns <= window_ns:
        raise ValueError(
            f"stride_s is {stride_s}; more than 0 and at most a clip, {window_ns / NS_PER_S:g} s"
        )
    first_ns, last_ns = int(times_ns[0]), int(times_ns[-1])
    latest_ns = max(first_ns, first_ns + duration_ns(times_ns) - window_ns)
    # Rounding of frame times must not make a clip that repeats the one before but for a nanosecond.
    on_stride_ns = first_ns + round((latest_ns - first_ns) / stride_ns) * stride_ns
    if abs(on_stride_ns - latest_ns) < _ROUNDING_NS:
        latest_ns = on_stride_ns
    clips = []
    for start_ns in [*range(first_ns, latest_ns, stride_ns), latest_ns]:
        ticks_ns = ticks_between_ns(start_ns, last_ns, config.rate)[: config.num_frames]
        clips.append(hold_at(times_ns, ticks_ns))
    return clips


def duration_ns(times_ns: Int[np.ndarray, " n"]) -> int:
    """Return how long a video is shown: its last frame for as long as its frames usually are.

    Raises:
        ValueError: No frames.
    """
    if len(times_ns) == 0:
        raise ValueError("a clip is chosen from at least one frame; these are none")
    last_ns = int(np.median(np.diff(times_ns))) if len(times_ns) > 1 else 1
    return int(times_ns[-1] - times_ns[0]) + last_ns


def _spread_instants(
    start_ns: int, shown_ns: int, config: SamplingConfig, generator: torch.Generator | None
) -> Int[np.ndarray, " t"]:
    within = [0.5] * config.num_frames
    if config.strategy == "segment" and generator is not None:
        within = torch.rand(config.num_frames, generator=generator, dtype=torch.float64).tolist()
    part_ns = shown_ns / config.num_frames
    return np.array([start_ns + int((i + x) * part_ns) for i, x in enumerate(within)], np.int64)


def _start_ns(
    times_ns: Int[np.ndarray, " n"], config: SamplingConfig, generator: torch.Generator | None
) -> int:
    first_ns, jitter_ns = int(times_ns[0]), to_ns(config.jitter_s)
    latest_ns = max(first_ns, int(times_ns[-1]) - config.rate.tick_ns(config.num_frames - 1))
    middle_ns = (first_ns + latest_ns) // 2
    if config.strategy == "full":
        usual_ns, low_ns, high_ns = first_ns, first_ns, min(first_ns + jitter_ns, int(times_ns[-1]))
    elif config.strategy == "dense":
        usual_ns = middle_ns
        low_ns, high_ns = max(first_ns, usual_ns - jitter_ns), min(latest_ns, usual_ns + jitter_ns)
    elif generator is None:
        raise ValueError("the random strategy needs a generator; 'dense' takes the middle")
    else:
        usual_ns, low_ns, high_ns = middle_ns, first_ns, latest_ns
    if generator is None:
        return usual_ns
    drawn = float(torch.rand(1, generator=generator, dtype=torch.float64))
    return low_ns + int(drawn * (high_ns - low_ns))
