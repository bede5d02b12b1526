"""A whole clip at once: what the stream predictor says of it frame by frame, unsmoothed."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8

from emotemporal.inference.engine import Engine, require_causal, require_same_labels
from emotemporal.inference.prior import to_probabilities, wanted_prior
from emotemporal.models.meta import CheckpointMeta, ModelConfig
from emotemporal.preprocess import preprocess
from emotemporal.timing import ClipRate, hold_indices, tick_times_ns
from emotemporal.types import ClipPrediction, FaceClip, StreamPrediction


def predict_clip(
    engine: Engine, meta: CheckpointMeta, clip: FaceClip, prior: str = "training"
) -> StreamPrediction:
    """Judge a whole clip on the model's clock, unsmoothed: what the stream predictor calls raw.

    Raises:
        CheckpointError: The head looks ahead, or the engine and the description disagree.
        ValueError: Crops of another size than the checkpoint's.
    """
    require_causal(meta)
    return _judge_whole(engine, meta, clip, prior)


def _judge_whole(
    engine: Engine, meta: CheckpointMeta, clip: FaceClip, prior: str
) -> StreamPrediction:
    require_same_labels(engine, meta)
    require_crop_size(clip.crops[0], meta)
    rate = ClipRate(meta.clip_rate_hz)
    held = hold_indices(clip.times_s, rate)
    ticks_ns = tick_times_ns(float(clip.times_s[0]), float(clip.times_s[-1]), rate)
    logits = engine.run(preprocess(clip.crops[held], meta.preprocess))
    probabilities = to_probabilities(logits, meta, wanted_prior(prior, meta))
    return StreamPrediction(0, ticks_ns / 1e9, probabilities, meta.labels, clip.targets)


def clip_answer(
    probabilities: Float[np.ndarray, "t k"], model: ModelConfig
) -> Float[np.ndarray, " k"]:
    """Return the one answer to a whole clip, from the probabilities after each of its frames.

    A head with memory has seen everything at its last frame; a frame head has not, one that follows
    changes has moved on, and one that looks ahead has seen everything at each: their frames are
    averaged.
    """
    return probabilities.mean(axis=0) if model.answers_by_mean else probabilities[-1]


def judge_clip(
    engine: Engine, meta: CheckpointMeta, clip: FaceClip, prior: str = "training"
) -> ClipPrediction:
    """Judge a clip of one known emotion: a row of an evaluation table. The head may look ahead.

    Raises:
        ValueError: The clip has no target, or targets of several emotions.
    """
    emotions = {target.emotion for target in clip.targets}
    if len(emotions) != 1:
        raise ValueError(
            f"{clip.source}: its targets name {len(emotions)} emotions; a clip is judged against 1"
        )
    prediction = _judge_whole(engine, meta, clip, prior)
    probabilities = clip_answer(prediction.probabilities, meta.model)
    return ClipPrediction(clip.source, clip.subject, emotions.pop(), probabilities, meta.labels)


def require_crop_size(crop: UInt8[np.ndarray, "s s 3"], meta: CheckpointMeta) -> None:
    """Refuse a crop of another size than the checkpoint's.

    Raises:
        ValueError: It has another; both are named.
    """
    size = meta.crop.size_px
    if crop.shape != (size, size, 3):
        raise ValueError(
            f"a face crop is {crop.shape[1]}x{crop.shape[0]} px; the checkpoint was trained on "
            f"{size}x{size}. Cut the faces with the checkpoint's crop config (`meta.crop`)"
        )
