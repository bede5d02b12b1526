"""Clips as features, made up: each emotion has its direction, so a head can learn it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emotemporal.labels import Emotion
from emotemporal.train.features import ClipFeatures
from emotemporal.types import Target

PAIR = (Emotion.FEAR, Emotion.SURPRISE)


def make_clips(
    emotions: Sequence[Emotion] = PAIR,
    subjects: Sequence[str] = ("AA", "BB", "CC"),
    num_each: int = 4,
    num_frames: int = 6,
    feature_dim: int = 8,
    seed: int = 0,
) -> list[ClipFeatures]:
    generator = np.random.default_rng(seed)
    directions = generator.normal(size=(len(emotions), feature_dim)) * 2
    clips = []
    for subject in subjects:
        for e, emotion in enumerate(emotions):
            for number in range(num_each):
                noise = generator.normal(size=(2, num_frames, feature_dim)) * 0.5
                times_s = np.arange(num_frames) / 10
                clips.append(
                    ClipFeatures(
                        views=(directions[e] + noise).astype(np.float32),
                        times_s=times_s,
                        targets=(Target(0.0, 1.0, emotion),),
                        emotion=emotion,
                        subject=subject,
                        take=f"{emotion.value}{number}",
                        source=f"{subject}/{emotion.value}{number}",
                    )
                )
    return clips
