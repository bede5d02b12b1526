"""Faces in, judgements out, as they come; `clip` does the same with a whole clip at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

import numpy as np
from jaxtyping import Float

from emotemporal.inference.caution import find_caution, without_hidden
from emotemporal.inference.clip import clip_answer, judge_clip, predict_clip, require_crop_size
from emotemporal.inference.engine import Engine, EngineState, require_causal, require_same_labels
from emotemporal.inference.neutral import Baseline, NeutralRule
from emotemporal.inference.prior import to_probabilities, wanted_prior
from emotemporal.inference.smoothing import (
    LabelState,
    SmootherState,
    SmoothingConfig,
    build_label_rule,
    build_smoother,
)
from emotemporal.labels import Emotion, LabelSpace
from emotemporal.models.meta import CheckpointMeta
from emotemporal.preprocess import preprocess
from emotemporal.timing import ClipRate, FrameBuffer, to_ns
from emotemporal.types import Box, FaceView

__all__ = ["StreamPredictor", "clip_answer", "judge_clip", "predict_clip"]
_KEEP_BASELINE_S = 10.0  # longer than any tracker waits for a face: its id never comes back


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
    neutral_s: float = 0.0
    """For this long after its warm-up each face is taken to look neutral; what it is mistaken for
    then is taken off its answers (`inference.neutral` says what that assumes). 0 learns nothing."""

    def __post_init__(self) -> None:
        if self.warm_up_s < 0 or self.max_gap_s <= 0:
            raise ValueError(
                f"warm_up_s is {self.warm_up_s} and max_gap_s {self.max_gap_s}; "
                "no less than 0, and more than 0"
            )
        if not 0 <= self.neutral_s <= 60:
            raise ValueError(f"neutral_s is {self.neutral_s}; it is 0 (off) to 60 s")
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
    is_learning: bool = False
    """The face's neutral look is being learned, and nothing is shown; then `is_warm_up` too."""


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
    baseline: Baseline | None = None


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
        self._warm_up_ns = to_ns(self._config.warm_up_s) if meta.model.has_memory else 0
        self._streams: dict[int, _Stream] = {}
        self._neutral = NeutralRule(meta.labels, self._config.neutral_s)
        self._away: dict[int, Baseline] = {}
        self.num_skipped = 0
        """Ticks left out so far, all faces together, as `step` was told to."""

    @property
    def period_s(self) -> float:
        """From one tick of the model's clock to the next."""
        return self._rate.period_s

    @property
    def num_streams(self) -> int:
        """How many tracks are remembered now."""
        return len(self._streams)

    def step(
        self, views: Sequence[FaceView], time_s: float, max_ticks: int | None = None
    ) -> list[Judgement]:
        """Take the faces of one frame; give back the judgements now due, oldest first.

        A tick is due once a later frame has come, so the answer lags by up to one frame. Faces too
        small to judge (`is_usable`) are passed over.

        Args:
            views: The faces.
            time_s: Of the frame.
            max_ticks: Of each face the newest so many are judged, and the others counted as
                skipped; for live use that falls behind. None judges all.

        Raises:
            ValueError: Crops of another size than the checkpoint's, or times that do not grow.
        """
        ended = [s for s in self._streams.values() if self._is_over(s, time_s)]
        due = [self._end(stream) for stream in ended]
        due += [self._push(view) for view in views if view.is_usable]
        old = [i for i, b in self._away.items() if time_s - b.last_s > _KEEP_BASELINE_S]
        for track_id in old:
            del self._away[track_id]
        if max_ticks is not None:
            self.num_skipped += sum(max(0, len(ticks) - max_ticks) for ticks in due)
            due = [ticks[-max_ticks:] for ticks in due]
        return self._judge(due)

    def smooth_with(self, smoothing: SmoothingConfig) -> None:
        """Go on with another smoother, from here; the network's memory stays."""
        self._smoother = build_smoother(smoothing)
        self._label_rule = build_label_rule(smoothing)
        for stream in self._streams.values():
            stream.smoother_state = stream.label_state = None

    def finish(self) -> list[Judgement]:
        """End all streams; give back what was still due."""
        return self._judge([self._end(stream) for stream in list(self._streams.values())])

    def _is_over(self, stream: _Stream, time_s: float) -> bool:
        return to_ns(time_s - stream.last_seen_s) > to_ns(self._config.max_gap_s)

    def _end(self, stream: _Stream) -> list[_Due]:
        del self._streams[stream.track_id]
        if stream.baseline is not None and not self._neutral.is_learning(stream.baseline):
            self._away[stream.track_id] = replace(stream.baseline, last_s=stream.last_seen_s)
        return [(stream, view, tick_s) for view, tick_s in stream.buffer.flush()]

    def _push(self, view: FaceView) -> list[_Due]:
        require_crop_size(view.crop, self._meta)
        stream = self._streams.get(view.track.id)
        if stream is None:
            buffer: FrameBuffer[FaceView] = FrameBuffer(self._rate)
            stream = _Stream(view.track.id, buffer, view.time_s, view.time_s)
            stream.baseline = self._away.pop(view.track.id, None)
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
        is_warm_up = to_ns(tick_s - stream.started_s) < self._warm_up_ns
        is_learning = self._neutral.is_learning(stream.baseline)
        if is_learning and not is_warm_up:
            self._learn(stream, raw, tick_s)
        elif stream.baseline is not None and not is_learning:
            raw = self._neutral.apply(raw, stream.baseline)
        smoothed, stream.smoother_state = self._smoother.step(raw, tick_s, stream.smoother_state)
        is_warm_up = is_warm_up or is_learning
        labels = self._meta.labels
        confidence = float(self.caution.confidence(smoothed, labels))
        is_uncertain = confidence < self.caution.uncertain_below
        if not (is_warm_up or is_uncertain):
            may_show = without_hidden(smoothed, labels, self.caution.hidden)
            _, stream.label_state = self._label_rule.step(may_show, tick_s, stream.label_state)
        state = stream.label_state
        shown = None if state is None else labels.emotions[state.shown]
        said = (shown, is_warm_up, is_uncertain, labels, is_learning)
        return Judgement(tick_s, stream.track_id, box, raw, smoothed, *said)

    def _learn(self, stream: _Stream, raw: Float[np.ndarray, " k"], tick_s: float) -> None:
        stream.baseline = self._neutral.learn(raw, tick_s, stream.baseline)
        if not self._neutral.is_learning(stream.baseline):
            stream.smoother_state = None  # it holds answers from before the correction
