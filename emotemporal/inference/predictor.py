"""Faces in, judgements out: one track's stream as it comes, or a whole clip at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

import numpy as np
from jaxtyping import Float, UInt8

from emotemporal.inference.caution import find_caution, without_hidden
from emotemporal.inference.engine import Engine, EngineState, require_causal, require_same_labels
from emotemporal.inference.prior import to_probabilities, wanted_prior
from emotemporal.inference.smoothing import (
    LabelState,
    SmootherState,
    SmoothingConfig,
    build_label_rule,
    build_smoother,
)
from emotemporal.labels import Emotion, LabelSpace
from emotemporal.models.meta import CheckpointMeta, ModelConfig
from emotemporal.preprocess import preprocess
from emotemporal.timing import ClipRate, FrameBuffer, hold_indices, tick_times_ns, to_ns
from emotemporal.types import Box, ClipPrediction, FaceClip, FaceView, StreamPrediction


@dataclass(frozen=True)
class StreamConfig:
    """How a running stream is judged. What the network sees is for the checkpoint to say."""

    prior: str = "training"
    """How often emotions are taken to occur: `training`, `uniform`, or a JSON file of shares."""
    smoothing: SmoothingConfig = field(default_factory=SmoothingConfig)
    warm_up_s: float = 0.5
    """A head with memory says nothing for this long at a stream's start; a frame head speaks."""
    max_gap_s: float = 0.5
    """A face away for longer starts anew: its memory may be another person's."""
    min_probability: float | None = None
    """Below this top probability a judgement is uncertain, and the last label stays. None takes
    what `calibrate` found for the checkpoint or, where it has not, 0.35."""
    hidden: str | None = None
    """Emotions that are never the label on show, with commas; empty hides none. None takes the
    checkpoint's. Their probabilities stay as they are, and so do the others'."""

    def __post_init__(self) -> None:
        if self.warm_up_s < 0 or self.max_gap_s <= 0:
            raise ValueError(
                f"warm_up_s is {self.warm_up_s} and max_gap_s {self.max_gap_s}; "
                "no less than 0, and more than 0"
            )
        if self.min_probability is not None and not 0 <= self.min_probability < 1:
            raise ValueError(f"min_probability is {self.min_probability}; it is 0 up to 1")


@dataclass(frozen=True, eq=False)
class Judgement:
    """What is said of one face at one tick of the model's clock. Probabilities as `labels` go."""

    time_s: float
    track_id: int
    box: Box
    raw: Float[np.ndarray, " k"]
    """Before smoothing; calibrated, and under the prior that was asked for."""
    smoothed: Float[np.ndarray, " k"]
    shown: Emotion | None
    """Held while uncertain; None while warming up, and until first certain."""
    is_warm_up: bool
    is_uncertain: bool
    labels: LabelSpace


@dataclass
class _Stream:
    """All that is remembered of one track."""

    track_id: int
    buffer: FrameBuffer[FaceView]
    started_s: float
    last_seen_s: float
    engine_state: EngineState | None = None
    smoother_state: SmootherState | None = None
    label_state: LabelState | None = None


_Due = tuple[_Stream, FaceView, float]


class StreamPredictor:
    """Judges every face of a running video on the model's clock.

    One stream a track: a buffer, the network's memory, the smoother's. Streams whose face has been
    away for `max_gap_s` end and are dropped, so memory is bounded by the faces in view.

    Raises:
        CheckpointError: The head looks ahead, or the engine and the description disagree.
    """

    def __init__(
        self, engine: Engine, meta: CheckpointMeta, config: StreamConfig | None = None
    ) -> None:
        require_causal(meta)
        require_same_labels(engine, meta)
        self._engine, self._meta = engine, meta
        self._config = config or StreamConfig()
        self._prior = wanted_prior(self._config.prior, meta)
        self.caution = find_caution(
            meta, self._prior, self._config.min_probability, self._config.hidden
        )
        """What the judgements are to be taken with."""
        self._rate = ClipRate(meta.clip_rate_hz)
        self._smoother = build_smoother(self._config.smoothing)
        self._label_rule = build_label_rule(self._config.smoothing)
        has_memory = meta.model.head != "frame"
        self._warm_up_ns = to_ns(self._config.warm_up_s) if has_memory else 0
        self._streams: dict[int, _Stream] = {}

    @property
    def num_streams(self) -> int:
        """How many tracks are remembered now."""
        return len(self._streams)

    def step(self, views: Sequence[FaceView], time_s: float) -> list[Judgement]:
        """Take the faces of one frame; give back the judgements now due, oldest first.

        A tick is due once a later frame has come, so the answer lags by up to one frame.

        Raises:
            ValueError: Crops of another size than the checkpoint's, or times that do not grow.
        """
        ended = [s for s in self._streams.values() if self._is_over(s, time_s)]
        due = [self._end(stream) for stream in ended]
        due += [self._push(view) for view in views]
        return self._judge(due)

    def finish(self) -> list[Judgement]:
        """End all streams; give back what was still due."""
        return self._judge([self._end(stream) for stream in list(self._streams.values())])

    def _is_over(self, stream: _Stream, time_s: float) -> bool:
        return to_ns(time_s - stream.last_seen_s) > to_ns(self._config.max_gap_s)

    def _end(self, stream: _Stream) -> list[_Due]:
        del self._streams[stream.track_id]
        return [(stream, view, tick_s) for view, tick_s in stream.buffer.flush()]

    def _push(self, view: FaceView) -> list[_Due]:
        _require_crop_size(view.crop, self._meta)
        stream = self._streams.get(view.track.id)
        if stream is None:
            buffer: FrameBuffer[FaceView] = FrameBuffer(self._rate)
            stream = _Stream(view.track.id, buffer, view.time_s, view.time_s)
            self._streams[view.track.id] = stream
        stream.last_seen_s = view.time_s
        return [(stream, held, tick_s) for held, tick_s in stream.buffer.push(view, view.time_s)]

    def _judge(self, due: Sequence[Sequence[_Due]]) -> list[Judgement]:
        judgements = []
        # A slow camera leaves several ticks due a stream: first ticks together, then second ones.
        for row in zip_longest(*due):
            together = [item for item in row if item is not None]
            judgements += list(self._judge_together(together))
        return sorted(judgements, key=lambda judgement: (judgement.time_s, judgement.track_id))

    def _judge_together(self, due: Sequence[_Due]) -> Iterator[Judgement]:
        crops = np.stack([view.crop for _, view, _ in due])
        states = [stream.engine_state for stream, _, _ in due]
        logits, after = self._engine.step(preprocess(crops, self._meta.preprocess), states)
        raw = to_probabilities(logits, self._meta, self._prior)
        for (stream, view, tick_s), state, row in zip(due, after, raw, strict=True):
            stream.engine_state = state
            yield self._say(stream, view.track.box, tick_s, row)

    def _say(
        self, stream: _Stream, box: Box, tick_s: float, raw: Float[np.ndarray, " k"]
    ) -> Judgement:
        smoothed, stream.smoother_state = self._smoother.step(raw, tick_s, stream.smoother_state)
        is_warm_up = to_ns(tick_s - stream.started_s) < self._warm_up_ns
        labels = self._meta.labels
        confidence = float(self.caution.confidence(smoothed, labels))
        is_uncertain = confidence < self.caution.uncertain_below
        if not (is_warm_up or is_uncertain):
            may_show = without_hidden(smoothed, labels, self.caution.hidden)
            _, stream.label_state = self._label_rule.step(may_show, tick_s, stream.label_state)
        state = stream.label_state
        shown = None if state is None else labels.emotions[state.shown]
        return Judgement(
            tick_s, stream.track_id, box, raw, smoothed, shown, is_warm_up, is_uncertain, labels
        )


def predict_clip(
    engine: Engine, meta: CheckpointMeta, clip: FaceClip, prior: str = "training"
) -> StreamPrediction:
    """Judge a whole clip on the model's clock, unsmoothed: what the stream predictor calls raw.

    Raises:
        CheckpointError: The head looks ahead, or the engine and the description disagree.
        ValueError: Crops of another size than the checkpoint's.
    """
    require_causal(meta)
    require_same_labels(engine, meta)
    _require_crop_size(clip.crops[0], meta)
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

    A head with memory has seen everything at its last frame; a frame head has not, and one that
    follows changes has moved on, so their frames are averaged.
    """
    is_mean = model.head == "frame" or model.answer == "mean"
    return probabilities.mean(axis=0) if is_mean else probabilities[-1]


def judge_clip(
    engine: Engine, meta: CheckpointMeta, clip: FaceClip, prior: str = "training"
) -> ClipPrediction:
    """Judge a clip of one known emotion: a row of an evaluation table.

    Raises:
        ValueError: The clip has no target, or targets of several emotions.
    """
    emotions = {target.emotion for target in clip.targets}
    if len(emotions) != 1:
        raise ValueError(
            f"{clip.source}: its targets name {len(emotions)} emotions; a clip is judged against 1"
        )
    prediction = predict_clip(engine, meta, clip, prior)
    probabilities = clip_answer(prediction.probabilities, meta.model)
    return ClipPrediction(clip.source, clip.subject, emotions.pop(), probabilities, meta.labels)


def _require_crop_size(crop: UInt8[np.ndarray, "s s 3"], meta: CheckpointMeta) -> None:
    size = meta.crop.size_px
    if crop.shape != (size, size, 3):
        raise ValueError(
            f"a face crop is {crop.shape[1]}x{crop.shape[0]} px; the checkpoint was trained on "
            f"{size}x{size}. Cut the faces with the checkpoint's crop config (`meta.crop`)"
        )
