"""When a stream's frames are taken, and what a camera, a lamp and a detector do to them.

Everything goes on over time as it would if nothing were cut: it knows nothing of segments, so it
says nothing of them. Each effect draws from a generator of its own: one switched off leaves the
others as they were.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float

from emotemporal.data.streams.plan import stream_generator

_WAVES = 4  # sines that make a smooth process: enough that it does not repeat within a stream
_MOST_GAP_S = 0.45  # a longer one ends a track in live use (`max_gap_s` 0.5)
_LIMITS = {
    "frame_rate_hz": 120.0,
    "motion_s": 60.0,
    "wobble_every_s": 5.0,
    "missing_s": _MOST_GAP_S,
    "occlusion_s": 10.0,
    "roll_deg": 45.0,
    "noise": 64.0,
    "jpeg_quality": 90.0,
    "missing_hz": 2.0,
    "light_steps_hz": 2.0,
    "occlusion_hz": 2.0,
}


@dataclass(frozen=True)
class CameraConfig:
    """How restless a stream is. An amount is the greatest; each stream draws its own up to it.

    Raises:
        ValueError: A value below 0 or above what can be.
    """

    frame_rate_hz: float = 15.0
    time_jitter_s: float = 0.005
    """Standard deviation of frames' times around the camera's clock."""
    missing_share: float = 0.02
    """Of frames, how many never come, one by one."""
    missing_hz: float = 0.05
    """How often per second several in a row do not come: the face is lost, time goes on."""
    missing_s: float = 0.4
    """The longest such gap."""
    motion_s: float = 2.0
    """How slowly face and light move: about the time of one sway."""
    roll_deg: float = 15.0
    scale: float = 0.12
    """0.12 is from 1/1.12 to 1.12 times the size, about."""
    shift: float = 0.05
    """Share of the crop's side, along x and along y."""
    wobble: float = 0.015
    """How far the detector's boxes differ from look to look, in size and place."""
    wobble_every_s: float = 0.2
    """From look to look; boxes go evenly from one to the next."""
    jitter: float = 0.004
    """Of the crop's place from frame to frame, a share of its side."""
    brightness: float = 0.12
    contrast: float = 0.25
    side_light: float = 0.3
    """How much brighter one side of the face is, from a direction that moves."""
    light_steps_hz: float = 0.04
    """How often per second a lamp goes on or off."""
    low_light_share: float = 0.1
    """Of streams, how many are dark: 0.6 to 0.2 of the light."""
    blur: float = 0.02
    """Standard deviation of the focus's blur, a share of the crop's side; comes and goes."""
    small_share: float = 0.3
    """Of streams, how many show a face far away."""
    small: float = 0.45
    """How many pixels such a face has at least, as a share of the crop's side."""
    noise: float = 8.0
    """Standard deviation, of 255."""
    jpeg_share: float = 0.7
    """Of streams, how many are compressed."""
    jpeg_quality: float = 30.0
    """The worst; the best drawn is 90."""
    occlusion_hz: float = 0.06
    """How often per second something comes before the face."""
    occlusion_s: float = 2.0
    """How long it stays at most."""
    occlusion: float = 0.3
    """Share of the crop's area that it hides at most."""

    def __post_init__(self) -> None:
        for one in fields(self):
            value, limit = getattr(self, one.name), _LIMITS.get(one.name, 1.0)
            if not 0 <= value <= limit:
                raise ValueError(f"{one.name} is {value}; it can be 0 to {limit:g}")
        if min(self.frame_rate_hz, self.motion_s, self.wobble_every_s, self.jpeg_quality) <= 0:
            raise ValueError("frame_rate_hz, motion_s, wobble_every_s, jpeg_quality are above 0")
        if not self.small > 0:
            raise ValueError(f"small is {self.small}; a face has some pixels")


STILL_CAMERA = CameraConfig(
    **{
        one.name: 0.0
        for one in fields(CameraConfig)
        if one.name not in {"frame_rate_hz", "motion_s", "wobble_every_s", "small", "jpeg_quality"}
    }
)
"""Shows each still as it is, at every tick of the camera's clock."""


def frame_times(
    duration_s: float, config: CameraConfig, seed: int, index: int
) -> Float[np.ndarray, " t"]:
    """Return when the frames of stream `index` come; the first at 0, missing ones left out."""
    generator = stream_generator(seed, index, 1)
    count = max(1, int(duration_s * config.frame_rate_hz))
    jitter = np.clip(config.time_jitter_s * generator.standard_normal(count), -1, 1)
    period_s = 1 / config.frame_rate_hz
    times_s = np.arange(count) * period_s + np.clip(jitter, -period_s / 3, period_s / 3)
    is_missing = generator.uniform(size=count) < config.missing_share
    for start_s, length in events(duration_s, config.missing_hz, generator):
        gap_s = config.missing_s * length
        is_missing |= (times_s >= start_s) & (times_s < start_s + gap_s)
    times_s[0], is_missing[0] = 0.0, False
    kept: list[int] = []
    for i, is_lost in enumerate(is_missing):
        # Gaps may meet; a longer one would be another track in live use, not a gap.
        is_due = bool(kept) and times_s[min(i + 1, count - 1)] - times_s[kept[-1]] > _MOST_GAP_S
        if is_due or not is_lost:
            kept.append(i)
    return np.round(times_s[kept], 6)


def events(
    duration_s: float, rate_hz: float, generator: np.random.Generator
) -> list[tuple[float, float]]:
    """Return when something happens that happens `rate_hz` times a second, and a number 0 to 1."""
    count = int(generator.poisson(duration_s * rate_hz))
    drawn = generator.uniform(size=(count, 2))
    return [(float(when * duration_s), float(how)) for when, how in drawn]


def smooth_process(
    times_s: Float[np.ndarray, " t"], motion_s: float, generator: np.random.Generator
) -> Float[np.ndarray, " t"]:
    """Return a random movement: smooth, of mean 0 and deviation 1, at most 2.8 either way.

    A sum of sines: a function of time, not of how often it is looked at, so that another frame
    rate sees the same movement.
    """
    periods_s = motion_s * np.exp(generator.uniform(-0.7, 1.1, size=(_WAVES, 1)))
    phases = generator.uniform(0, 2 * np.pi, size=(_WAVES, 1))
    waves = np.sin(2 * np.pi * times_s[None] / periods_s + phases)
    return np.asarray(np.sqrt(2 / _WAVES) * waves.sum(axis=0))


def stepping_process(
    times_s: Float[np.ndarray, " t"], every_s: float, generator: np.random.Generator
) -> Float[np.ndarray, " t"]:
    """Return values drawn anew every so often, and gone between evenly: a detector's looks."""
    count = int(times_s[-1] / every_s) + 2
    looks = generator.standard_normal(count)
    return np.interp(times_s, np.arange(count) * every_s, looks)
