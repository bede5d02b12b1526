"""The judge that sees no face, as a row of a comparison."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from emotemporal.ablate.material import Material
from emotemporal.baselines.clip_length import fit_clip_length
from emotemporal.evaluation.folds import Fold
from emotemporal.train.features import ClipFeatures


def judge_by_length(material: Material, fold: Fold) -> Float[np.ndarray, "m k"]:
    """Learn how long each emotion's clips are in training, and judge the fold's others by that."""
    train = [material.clips[i] for i in fold.train]
    targets = np.array([material.labels.index(clip.emotion) for clip in train])
    judge = fit_clip_length(_durations_s(train), targets, len(material.labels))
    return judge(_durations_s([material.clips[i] for i in fold.test]))


def _durations_s(clips: Sequence[ClipFeatures]) -> Float[np.ndarray, " n"]:
    # The recording's length, not the number of ticks of the model's clock, which is coarser.
    return np.array([clip.targets[-1].end_s - clip.targets[0].start_s for clip in clips])
