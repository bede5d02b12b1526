"""Expressions of every face in a video, in Python: typed judgements, or a pandas frame.

>>> from emotemporal.live import recognise                       # doctest: +SKIP
>>> for judgement in recognise("film.mp4"):                      # doctest: +SKIP
...     print(judgement.time_s, judgement.track_id, judgement.shown)
>>> recognise("film.mp4").to_frame().groupby("shown").size()     # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from emotemporal.faces.choose import Nearest
from emotemporal.faces.detect import DetectorConfig, FaceDetector, build_detector
from emotemporal.faces.follow import FollowConfig, Follower, Follows
from emotemporal.faces.track import TrackerConfig
from emotemporal.inference.caution import Caution, find_caution
from emotemporal.inference.load import EngineChoice, LoadedModel, load_model
from emotemporal.inference.pick import describe, pick_smoothing, refuse_both
from emotemporal.inference.predictor import Judgement, StreamConfig, StreamPredictor
from emotemporal.inference.prior import wanted_prior
from emotemporal.inference.smoothing import SmoothingConfig
from emotemporal.labels import LabelSpace
from emotemporal.live.frames import Source, check_pixels, is_still, open_frames
from emotemporal.live.sinks.tables import columns, to_row
from emotemporal.live.stages import Nowhere, Stages

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RecogniseConfig:
    """Which model judges, and how. What the network sees is the checkpoint's."""

    checkpoint: str | None = None
    """From pretrain, finetune or export; none takes the one that ships with the package."""
    engine: EngineChoice = "auto"
    """`auto`: what the checkpoint's file is for; of the model that ships, the fastest installed."""
    device: str = "cpu"
    """Where the network runs: `cpu`, `cuda`, `cuda:1` or `mps`."""
    num_threads: int = 1
    """Of the network on a CPU."""
    prior: str = StreamConfig.prior
    """How often emotions are taken to occur: `training`, `uniform`, or a JSON file of shares."""
    smoothing: SmoothingConfig = field(default_factory=SmoothingConfig)
    max_lag: float | None = None
    """In place of `smoothing`: the steadiest setting of the checkpoint's smoothing card whose
    median lag in seconds is at most this."""
    warm_up_s: float = StreamConfig.warm_up_s
    """A head with memory says nothing for this long at a video's start; of an image it does."""
    min_probability: float | None = StreamConfig.min_probability
    """Below this top probability a judgement is uncertain; None as the checkpoint says."""
    hidden: str | None = StreamConfig.hidden
    """Emotions that are not shown by name, with commas; None as the checkpoint says."""
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    faces: Literal["all", "nearest"] = "all"
    """`nearest`: only the largest face, until another is larger by a quarter for a while."""
    max_faces: int = 64
    """At most so many are judged: those followed longest. The others wait."""
    min_face_px: float = FollowConfig.min_face_px
    """Faces whose height in the picture is less are followed and not judged."""
    neutral_s: float = StreamConfig.neutral_s
    """For this long after its warm-up each face should look neutral; what it is mistaken for then
    is taken off its answers. 0 learns nothing."""

    def __post_init__(self) -> None:
        if self.num_threads < 1 or self.max_faces < 1:
            raise ValueError(
                f"num_threads is {self.num_threads} and max_faces is {self.max_faces}; each is at "
                "least 1"
            )
        refuse_both(self.smoothing, self.max_lag)
        self.stream_config()

    @classmethod
    def taken_from(cls, options: object) -> RecogniseConfig:
        """Return what a command's own config, which has all of these fields, says of them."""
        return cls(**{field.name: getattr(options, field.name) for field in fields(cls)})

    def stream_config(self) -> StreamConfig:
        """Return how streams are judged; a face the tracker gave up is a new stream."""
        return StreamConfig(
            self.prior,
            self.smoothing,
            self.warm_up_s,
            self.tracker.max_unseen_s,
            self.min_probability,
            self.hidden,
            self.neutral_s,
        )


class Recogniser:
    """A network that is ready, for any number of videos, one after the other.

    Raises:
        FileNotFoundError: There is no such checkpoint.
        CheckpointError: The checkpoint cannot be used.
        CardError: `max_lag` is given, and its smoothing card cannot be used or has nothing as fast.
    """

    def __init__(self, config: RecogniseConfig | None = None) -> None:
        self.config = config or RecogniseConfig()
        known = (self.config.checkpoint, self.config.engine, self.config.device)
        self.model: LoadedModel = load_model(*known, self.config.num_threads)
        meta = self.model.meta
        asked = self.config.stream_config()
        self.stream = pick_smoothing(asked, self.config.max_lag, self.model.path, meta)
        """How streams are judged, with the smoothing that was picked."""
        self.detector: FaceDetector = build_detector(self.config.detector)
        self.prior = wanted_prior(self.config.prior, meta)
        self.caution: Caution = find_caution(
            meta, self.prior, self.config.min_probability, self.config.hidden
        )

    @property
    def labels(self) -> LabelSpace:
        """What the network tells apart, in the order of every judgement's probabilities."""
        return self.model.meta.labels

    @property
    def told(self) -> str:
        """What judges, in one line; with the smoothing, where picking it has not told that."""
        is_told = self.stream.smoothing != self.config.smoothing
        smoothing = "" if is_told else f"; smoothing {describe(self.stream.smoothing)}"
        return f"{self.model}{smoothing}"

    def __call__(self, source: Source, frame_rate_hz: float | None = None) -> Recognition:
        """Return the judgements of a source; see `recognise`."""
        return Recognition(self, source, frame_rate_hz)

    def new_follower(self) -> Follower:
        """Return what finds and follows all faces of one source."""
        config, crop = self.config, self.model.meta.crop
        following = FollowConfig(config.detector, config.tracker, crop, config.min_face_px)
        return Follower(following, self.detector)

    def new_chooser(self, follower: Follows | None = None) -> Follows:
        """Return what follows the faces of one source that are to be judged.

        Args:
            follower: Of all its faces, where there is one already.
        """
        all_faces = self.new_follower() if follower is None else follower
        return Nearest(all_faces) if self.config.faces == "nearest" else all_faces

    def new_predictor(self, is_still: bool = False) -> StreamPredictor:
        """Return what judges one source; a still has no start to wait for."""
        stream = replace(self.stream, warm_up_s=0.0) if is_still else self.stream
        return StreamPredictor(self.model.engine, self.model.meta, stream)


class Recognition:
    """The judgements of one source: iterate over them, or take them all as a pandas frame.

    Nothing is decoded before, and nothing kept. Iterated again, it starts anew (but for frames from
    an iterator, which are used up).
    """

    def __init__(
        self, recogniser: Recogniser, source: Source, frame_rate_hz: float | None = None
    ) -> None:
        if isinstance(source, np.ndarray):
            check_pixels(source, frame_rate_hz)
        elif frame_rate_hz is not None:
            raise ValueError("frame_rate_hz is for pixels; a video and frames have their own times")
        self.recogniser = recogniser
        self._source, self._frame_rate_hz = source, frame_rate_hz

    @property
    def labels(self) -> LabelSpace:
        """The order of every judgement's probabilities."""
        return self.recogniser.labels

    def __iter__(self) -> Iterator[Judgement]:
        predictor = self.recogniser.new_predictor(is_still(self._source))
        config = self.recogniser.config
        stages = Stages(self.recogniser.new_chooser(), predictor, Nowhere(), config.max_faces)
        with open_frames(self._source, self._frame_rate_hz) as frames:
            for frame in frames:
                yield from stages.judge(stages.follow(frame), frame.time_s)
        yield from predictor.finish()

    def to_frame(self) -> pd.DataFrame:
        """Judge to the end; return one row a face and tick, with the columns of every table."""
        import pandas as pd

        rows = [to_row(judgement) for judgement in self]
        return pd.DataFrame(rows, columns=pd.Index(columns(self.labels)))


def recognise(
    source: Source, config: RecogniseConfig | None = None, frame_rate_hz: float | None = None
) -> Recognition:
    """Judge the expression of every face in a video, an image or frames.

    The numbers are those that `live` and `predict` give for the same video. Loads the network each
    time; for many sources keep a `Recogniser`.

    Args:
        source: A video's or image's path, RGB pixels 0 to 255 as `t h w 3` or, of one image,
            `h w 3`, or frames in time order.
        config: Which model, and how; without one, the model that ships.
        frame_rate_hz: Of pixels `t h w 3`.

    Raises:
        ValueError: Pixels of another shape or kind, or no frame rate for them.
        VideoError: The video cannot be read whole; raised when it is found, while iterating.
    """
    return Recogniser(config)(source, frame_rate_hz)
