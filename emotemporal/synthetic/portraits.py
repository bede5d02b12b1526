"""Single pictures of many people, each with an expression at some intensity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float

from emotemporal.labels import AFFECTNET_8, Emotion
from emotemporal.synthetic.expressions import Actions, sample_expression
from emotemporal.synthetic.faces import draw_face, face_box
from emotemporal.synthetic.identity import sample_identity
from emotemporal.synthetic.landmarks import landmarks_68
from emotemporal.synthetic.paint import Picture
from emotemporal.synthetic.scenery import SUPERSAMPLING, develop, sample_scenery
from emotemporal.synthetic.timeline import MovementConfig, perform
from emotemporal.types import Box

CIRCUMPLEX: Mapping[Emotion, tuple[float, float]] = {
    Emotion.NEUTRAL: (0.0, 0.0),
    Emotion.HAPPINESS: (0.8, 0.35),
    Emotion.SADNESS: (-0.7, -0.35),
    Emotion.SURPRISE: (0.2, 0.8),
    Emotion.FEAR: (-0.35, 0.8),
    Emotion.DISGUST: (-0.7, 0.4),
    Emotion.ANGER: (-0.6, 0.75),
    Emotion.CONTEMPT: (-0.55, 0.3),
}
"""Valence and arousal at full intensity: the quadrants of J. A. Russell, "A circumplex model of
affect", 1980; the numbers are ours."""


@dataclass(frozen=True)
class SyntheticAffectNetConfig:
    """What a drawn AffectNet holds. Emotions are equally frequent.

    Raises:
        ValueError: Too few or too small pictures, or intensities out of order.
    """

    num_images: int = 2000
    """For training."""
    num_validation: int = 400
    layout: Literal["csv", "npy"] = "csv"
    image_px: int = 192
    """Side of a picture. In the npy layout the picture is the face; AffectNet's is 224."""
    min_intensity: float = 0.3
    """The weakest expression drawn; the strongest is 1. A neutral face goes up to a tenth."""
    max_noise_std: float = 6.0
    """Of the camera's noise, in grey levels."""
    movement: MovementConfig = field(
        default_factory=lambda: MovementConfig(
            yaw_deg=18.0, pitch_deg=9.0, roll_deg=12.0, shift=0.25, zoom=0.15, speech_share=0.35
        )
    )
    seed: int = 0

    def __post_init__(self) -> None:
        if self.num_images < 1 or self.num_validation < 0:
            raise ValueError(
                f"num_images is {self.num_images} and num_validation {self.num_validation}; "
                "at least 1 and 0"
            )
        if not 64 <= self.image_px <= 640:
            raise ValueError(f"image_px is {self.image_px}; 64 to 640 can be drawn")
        if not 0.1 < self.min_intensity <= 1:
            raise ValueError(
                f"min_intensity is {self.min_intensity}; more than 0.1, which a neutral face "
                "reaches, and at most 1"
            )


@dataclass(frozen=True, eq=False)
class DrawnImage:
    """One picture and everything that is true of it."""

    picture: Picture
    emotion: Emotion
    intensity: float
    actions: Actions
    box: Box
    landmarks: Float[np.ndarray, "68 2"]

    @property
    def valence_arousal(self) -> tuple[float, float]:
        """How pleasant and how aroused the expression looks, each -1 to 1."""
        valence, arousal = CIRCUMPLEX[self.emotion]
        return valence * self.intensity, arousal * self.intensity


def draw_image(
    config: SyntheticAffectNetConfig, split: Literal["train", "validation"], index: int
) -> DrawnImage:
    """Draw one picture of the set; it depends on nothing but these arguments."""
    generator = np.random.default_rng([config.seed, 1, int(split == "validation"), index])
    emotion = AFFECTNET_8.emotions[index % len(AFFECTNET_8)]
    is_neutral = emotion is Emotion.NEUTRAL
    intensity = float(
        generator.uniform(0, 0.1) if is_neutral else generator.uniform(config.min_intensity, 1)
    )
    identity = sample_identity(generator)
    # A neutral face shows a trace of anything: what tells it from the others is how little.
    shown = Emotion(str(generator.choice(list(AFFECTNET_8.names[1:])))) if is_neutral else emotion
    strengths = sample_expression(shown, generator)
    moment = np.array([0.0, 0.5, 1.0])
    performance = perform(moment, [(strengths, np.full(3, intensity))], config.movement, generator)
    size = config.image_px
    scenery = sample_scenery((size, size), config.max_noise_std, generator)
    canvas = scenery.background.copy()
    fit = 0.29 if config.layout == "csv" else 0.39
    centre = SUPERSAMPLING * size * (0.5 if config.layout == "csv" else 0.46)
    pose = performance.pose_at(1, (SUPERSAMPLING * size * 0.5, centre), SUPERSAMPLING * size * fit)
    actions = performance.actions_at(1)
    lines = draw_face(canvas, identity, actions, pose, scenery.light, performance.gaze_at(1))
    box = face_box(pose, 1 / SUPERSAMPLING)
    return DrawnImage(
        picture=develop(canvas, scenery, generator),
        emotion=emotion,
        intensity=0.0 if is_neutral else intensity,
        actions=actions,
        box=box,
        landmarks=landmarks_68(lines) / SUPERSAMPLING,
    )
