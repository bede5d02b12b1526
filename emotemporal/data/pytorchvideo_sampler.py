"""Use any of pytorchvideo's clip samplers as a pure function.

They count the clips of a video in themselves and draw from Python's global generator. Here each
video gets a sampler of its own, and the global generators are put back as they were.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Int

from emotemporal.data.sampling import Times, duration_ns
from emotemporal.timing import NS_PER_S, ClipRate, hold_at, ticks_between_ns, to_growing_ns

MAX_CLIPS = 10_000  # a sampler that never says which clip is the last one would run for ever


@runtime_checkable
class ClipSampler(Protocol):
    """What `pytorchvideo.data.clip_sampling.ClipSampler` promises."""

    def __call__(self, last_clip_time: Any, video_duration: Any, annotation: dict[str, Any]) -> Any:
        """Return start, end, clip index, augmentation index, and whether this clip is the last."""

    def reset(self) -> None:
        """Forget the video before."""


def sample_clips(
    sampler: ClipSampler, times_s: Times, rate: ClipRate, generator: torch.Generator
) -> list[Int[np.ndarray, " t"]]:
    """Return the frames of every clip that `sampler` chooses from a video.

    pytorchvideo's clips leave out their end: one of 0.5 s has five ticks at 10 Hz. One that
    reaches over the end of the video has the ticks up to its last frame.

    Args:
        sampler: Asked until it says that a clip is the last one. Not changed.
        times_s: When each frame of the video is shown; they grow.
        rate: The model's clock.
        generator: What random samplers draw from.

    Raises:
        ValueError: No frames, times that do not grow, a clip outside the video, or a sampler that
            does not come to an end.
    """
    times_ns = to_growing_ns(times_s)
    duration_s = Fraction(duration_ns(times_ns), NS_PER_S)
    seed = int(torch.randint(2**62, (1,), generator=generator))
    with _seeded_globals(seed):
        spans = _ask(copy.deepcopy(sampler), duration_s)
    return [_frames_between(start, end, times_ns, rate) for start, end in spans]


@contextmanager
def _seeded_globals(seed: int) -> Iterator[None]:
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng(devices=[]):
        try:
            random.seed(seed)
            np.random.seed(seed % 2**32)  # noqa: NPY002
            torch.manual_seed(seed)
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)  # noqa: NPY002


def _ask(sampler: ClipSampler, duration_s: Fraction) -> list[tuple[Fraction, Fraction]]:
    sampler.reset()
    spans: list[tuple[Fraction, Fraction]] = []
    end: Fraction = Fraction(0)
    while len(spans) < MAX_CLIPS:
        start_or_starts, end_or_ends, _, _, is_last = sampler(end, duration_s, {})
        if isinstance(start_or_starts, list):  # the "multi" samplers give all clips at once
            return list(zip(start_or_starts, end_or_ends, strict=True))
        end = end_or_ends
        spans.append((start_or_starts, end))
        if is_last:
            return spans
    raise ValueError(
        f"{type(sampler).__name__} gave {MAX_CLIPS} clips of a video of {float(duration_s):g} s "
        "and no last one"
    )


def _frames_between(
    start_s: Fraction, end_s: Fraction, times_ns: Int[np.ndarray, " n"], rate: ClipRate
) -> Int[np.ndarray, " t"]:
    first_ns, last_ns = int(times_ns[0]), int(times_ns[-1])
    start_ns = first_ns + round(start_s * NS_PER_S)
    if not first_ns <= start_ns <= last_ns:
        raise ValueError(
            f"the sampler's clip starts at {float(start_s):g} s, outside the video of "
            f"{(last_ns - first_ns) / NS_PER_S:g} s"
        )
    ticks_ns = ticks_between_ns(start_ns, last_ns, rate)
    return hold_at(times_ns, ticks_ns[ticks_ns < first_ns + round(end_s * NS_PER_S)])
