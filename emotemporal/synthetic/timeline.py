"""What a face does over time: expression, speech, blinks and the sway of the head.

Every random movement here but the expression's own envelope looks the same in distribution when
time runs backwards: events come at uniform times and rise as they fall, and the sway is a sum of
cosines with uniform phases. So nothing but the envelope tells a clip from its reversal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float

from emotemporal.synthetic.expressions import Actions, at_intensity, combine, vary
from emotemporal.synthetic.head import Pose

Times = Float[np.ndarray, " t"]


@dataclass(frozen=True)
class MovementConfig:
    """How much a filmed person moves besides showing an emotion. All zero-able.

    Raises:
        ValueError: A negative amount.
    """

    yaw_deg: float = 12.0
    """Largest turn to the side of the whole clip; within it the head sways by a third of this."""
    pitch_deg: float = 6.0
    roll_deg: float = 7.0
    shift: float = 0.12
    """Largest distance from the middle, in face units (half the width of a face)."""
    zoom: float = 0.06
    """Largest change of size."""
    speech_share: float = 0.7
    """How many of the clips have a speaking mouth."""
    syllables_hz: float = 3.5
    blinks_hz: float = 0.3

    def __post_init__(self) -> None:
        negative = [f.name for f in fields(self) if getattr(self, f.name) < 0]
        if negative or self.speech_share > 1:
            raise ValueError(
                f"movements cannot be negative, and speech_share is at most 1: check "
                f"{', '.join(negative) or 'speech_share'} in {self}"
            )


@dataclass(frozen=True)
class Envelope:
    """How an expression comes and goes: nothing, onset, apex, offset, nothing."""

    start_s: float
    onset_s: float
    apex_s: float
    offset_s: float
    peak: float = 1.0

    def __call__(self, times_s: Times) -> Times:
        """Return the intensity, 0 to `peak`, at each time."""
        rise = ease((times_s - self.start_s) / self.onset_s)
        fall = ease((self.end_s - times_s) / self.offset_s)
        return self.peak * np.minimum(rise, fall)

    @property
    def end_s(self) -> float:
        """When the face is at rest again."""
        return self.start_s + self.onset_s + self.apex_s + self.offset_s


def sample_envelope(
    duration_s: float, asymmetry: float, generator: np.random.Generator
) -> Envelope:
    """Draw how an expression fills a clip.

    Args:
        duration_s: From the clip's first frame to its last.
        asymmetry: 0: onset and offset are drawn alike, and the clip played backwards is as likely
            as the clip. 1: onset takes about an eighth of the time that the offset takes.
        generator: Source of chance.
    """
    slow = 1 + 0.78 * asymmetry
    quick = 1 - 0.78 * asymmetry
    shares = np.array(
        [
            generator.uniform(0.06, 0.14),
            quick * generator.uniform(0.24, 0.32),
            generator.uniform(0.14, 0.26),
            slow * generator.uniform(0.24, 0.32),
            generator.uniform(0.06, 0.14),
        ]
    )
    start, onset, apex, offset, _ = shares / shares.sum() * duration_s
    peak = generator.uniform(0.75, 1.0)
    return Envelope(float(start), float(onset), float(apex), float(offset), float(peak))


@dataclass(frozen=True, eq=False)
class Performance:
    """What one person does, frame by frame. All arrays are as long as the clip."""

    times_s: Times
    intensity: Times
    actions: Mapping[str, Times]
    speech: Times
    yaw_deg: Times
    pitch_deg: Times
    roll_deg: Times
    shift_x: Times
    """In face units, as `shift_y`."""
    shift_y: Times
    zoom: Times
    gaze_x: Times
    gaze_y: Times

    def __len__(self) -> int:
        return len(self.times_s)

    def actions_at(self, index: int) -> Actions:
        """Return the action units of one frame."""
        return {unit: float(values[index]) for unit, values in self.actions.items()}

    def pose_at(self, index: int, centre_px: tuple[float, float], unit_px: float) -> Pose:
        """Return how the head is held in one frame of a picture."""
        size = unit_px * float(self.zoom[index])
        return Pose(
            centre_px[0] + unit_px * float(self.shift_x[index]),
            centre_px[1] + unit_px * float(self.shift_y[index]),
            size,
            float(self.yaw_deg[index]),
            float(self.pitch_deg[index]),
            float(self.roll_deg[index]),
        )

    def gaze_at(self, index: int) -> tuple[float, float]:
        """Return where the eyes look in one frame."""
        return float(self.gaze_x[index]), float(self.gaze_y[index])


def perform(
    times_s: Times,
    shown: list[tuple[Actions, Times]],
    config: MovementConfig,
    generator: np.random.Generator,
) -> Performance:
    """Let a person show expressions, talk, blink and move.

    Args:
        times_s: Of the frames.
        shown: Expressions at full strength, each with its intensity at every frame.
        config: How much else moves.
        generator: Source of chance.
    """
    duration_s = float(times_s[-1] - times_s[0])
    speech = _speak(times_s, config, generator)
    blink = np.zeros_like(times_s)
    for at_s in generator.uniform(0, duration_s, generator.poisson(config.blinks_hz * duration_s)):
        blink = np.maximum(blink, _bump(times_s, at_s, generator.uniform(0.1, 0.16)))
    frames = [
        combine(
            *(at_intensity(strengths, float(envelope[i])) for strengths, envelope in shown),
            {unit: float(values[i]) for unit, values in speech.items()},
            {"AU45": float(blink[i])},
        )
        for i in range(len(times_s))
    ]
    units = sorted({unit for frame in frames for unit in frame})
    intensity = np.max([envelope for _, envelope in shown], axis=0) if shown else blink * 0

    def sway(whole: float, within: float) -> Times:
        return generator.uniform(-whole, whole) + _wander(times_s, within, generator)

    return Performance(
        times_s=times_s,
        intensity=intensity,
        actions={unit: np.array([frame.get(unit, 0.0) for frame in frames]) for unit in units},
        speech=speech["AU25"],
        yaw_deg=sway(config.yaw_deg * 0.67, config.yaw_deg * 0.33),
        pitch_deg=sway(config.pitch_deg * 0.6, config.pitch_deg * 0.4),
        roll_deg=sway(config.roll_deg * 0.6, config.roll_deg * 0.4),
        shift_x=sway(config.shift * 0.6, config.shift * 0.4),
        shift_y=sway(config.shift * 0.6, config.shift * 0.4),
        zoom=1 + sway(config.zoom * 0.6, config.zoom * 0.4),
        gaze_x=sway(0.25, 0.25),
        gaze_y=sway(0.15, 0.15),
    )


def _speak(
    times_s: Times, config: MovementConfig, generator: np.random.Generator
) -> dict[str, Times]:
    """Open, spread and round the mouth, as syllables do."""
    mouth = {unit: np.zeros_like(times_s) for unit in ("AU18", "AU25", "AU26")}
    duration_s = float(times_s[-1] - times_s[0])
    if generator.random() >= config.speech_share:
        return mouth
    for at_s in generator.uniform(
        0, duration_s, generator.poisson(config.syllables_hz * duration_s)
    ):
        bump = _bump(times_s, at_s, generator.uniform(0.08, 0.15))
        syllable = vary({"AU25": 0.55, "AU26": 0.22, "AU18": 0.3}, generator)
        syllable["AU26"] *= generator.uniform(0.3, 1.3)
        syllable["AU18"] *= generator.uniform(0, 1.5)
        for unit, strength in syllable.items():
            mouth[unit] = np.maximum(mouth[unit], strength * bump)
    return mouth


def ease(share: Times) -> Times:
    """Go from 0 to 1 without a jerk; the way up is the mirror image of the way down."""
    share = np.clip(share, 0, 1)
    return np.asarray(share * share * (3 - 2 * share))


def _bump(times_s: Times, at_s: float, half_s: float) -> Times:
    return ease(1 - np.abs(times_s - at_s) / half_s)


def _wander(times_s: Times, largest: float, generator: np.random.Generator) -> Times:
    """Sway slowly, by at most `largest`."""
    frequencies_hz = generator.uniform(0.1, 0.8, 3)
    phases = generator.uniform(0, 2 * np.pi, 3)
    waves = np.cos(2 * np.pi * frequencies_hz * times_s[:, None] + phases)
    return np.asarray(largest * waves.mean(axis=1))
