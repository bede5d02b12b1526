"""Judging prepared clips, one after the other, each as live would at its last frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from tqdm import tqdm

from emotemporal.data.prepared import PreparedSet
from emotemporal.inference.engine import Engine
from emotemporal.inference.predictor import judge_clip
from emotemporal.models.meta import CheckpointMeta
from emotemporal.types import ClipPrediction, FaceClip


def judge_clips(
    prepared: PreparedSet,
    clips: Sequence[int],
    engine: Engine,
    meta: CheckpointMeta,
    prior: str,
    with_mirror: bool = False,
) -> list[ClipPrediction]:
    """Judge some clips, each with an emotion, showing progress.

    Args:
        prepared: What `prepare` made.
        clips: Rows of it.
        engine: The network.
        meta: The checkpoint's.
        prior: How often each emotion is assumed to occur: training, uniform, or a JSON file.
        with_mirror: Average the probabilities with those of the mirrored clip.

    Raises:
        ValueError: A clip's file is missing or damaged, or the prior cannot be had.
    """
    return [
        _judge(prepared.load(i), engine, meta, prior, with_mirror)
        for i in tqdm(clips, desc="judging", unit="clip", leave=False, disable=None)
    ]


def _judge(
    clip: FaceClip, engine: Engine, meta: CheckpointMeta, prior: str, with_mirror: bool
) -> ClipPrediction:
    found = judge_clip(engine, meta, clip, prior)
    if not with_mirror:
        return found
    mirrored = replace(clip, crops=np.ascontiguousarray(clip.crops[:, :, ::-1]))
    other = judge_clip(engine, meta, mirrored, prior)
    return replace(found, probabilities=(found.probabilities + other.probabilities) / 2)
