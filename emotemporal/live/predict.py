"""`predict`: the table of videos and images, without drawing."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from emotemporal.faces.detect import DetectorConfig, FaceDetector, build_detector
from emotemporal.faces.follow import FollowConfig, Follower
from emotemporal.faces.track import TrackerConfig
from emotemporal.inference.engine import Engine, load_engine
from emotemporal.inference.predictor import Judgement, StreamConfig, StreamPredictor
from emotemporal.inference.smoothing import SmoothingConfig
from emotemporal.live.sinks import JudgementTable, growing_file
from emotemporal.live.stages import Moment, Tally, run_stages
from emotemporal.models.meta import CheckpointMeta
from emotemporal.types import Frame
from emotemporal.video.file import VideoFile
from emotemporal.video.image import read_image

_log = logging.getLogger(__name__)

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


@dataclass(frozen=True)
class PredictConfig:
    """Which files to judge, with which model. What the network sees is the checkpoint's."""

    checkpoint: str
    inputs: list[str]
    """Videos and images."""
    csv: str | None = None
    """Where the table goes; without, to standard output."""
    device: str = "cpu"
    prior: str = StreamConfig.prior
    """How often emotions are taken to occur: `training`, `uniform`, or a JSON file of shares."""
    smoothing: SmoothingConfig = field(default_factory=SmoothingConfig)
    warm_up_s: float = StreamConfig.warm_up_s
    """A head with memory says nothing for this long at a video's start; of an image it does."""
    min_probability: float = StreamConfig.min_probability
    """Below this top probability a judgement is uncertain, and the last label stays."""
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    max_faces: int = 64

    def __post_init__(self) -> None:
        if not self.inputs:
            raise ValueError("name at least one video or image")
        if self.csv and Path(self.csv).resolve() in {Path(p).resolve() for p in self.inputs}:
            raise ValueError(f"csv is {self.csv}, which is also an input")

    def stream_config(self) -> StreamConfig:
        """Return how videos' streams are judged."""
        return StreamConfig(
            self.prior,
            self.smoothing,
            self.warm_up_s,
            self.tracker.max_gap_s,
            self.min_probability,
        )


@dataclass(frozen=True)
class PredictSummary:
    """What a run did."""

    num_files: int
    num_frames: int
    num_faces: int
    num_ticks: int
    without_face: tuple[str, ...]
    """Files in which nobody was found; they have no rows."""
    detector: str


def run_predict(config: PredictConfig, out: TextIO) -> PredictSummary:
    """Judge every face in every file.

    Args:
        config: Files, model, options.
        out: Gets the table, unless `config.csv` names a file.

    Raises:
        FileNotFoundError: An input, the checkpoint or the table's folder is missing.
        ImageError: An image cannot be read whole.
        VideoError: A video cannot be read whole.
    """
    engine, meta = load_engine(config.checkpoint, config.device)
    detector = build_detector(config.detector)
    tallies = []
    with ExitStack() as stack:
        if config.csv is not None:
            out = stack.enter_context(growing_file(Path(config.csv)))
        table = JudgementTable(out, meta.labels, has_source=True)
        for path in config.inputs:
            sink = _TableSink(table, path)
            tallies.append(_judge_file(Path(path), config, engine, meta, detector, sink))
    without = [p for p, t in zip(config.inputs, tallies, strict=True) if not t.track_ids]
    for path in without:
        _log.warning("%s: no face found by %s", path, detector.name)
    return PredictSummary(
        num_files=len(tallies),
        num_frames=sum(tally.num_frames for tally in tallies),
        num_faces=sum(len(tally.track_ids) for tally in tallies),
        num_ticks=sum(tally.num_ticks for tally in tallies),
        without_face=tuple(without),
        detector=detector.name,
    )


def _judge_file(
    path: Path,
    config: PredictConfig,
    engine: Engine,
    meta: CheckpointMeta,
    detector: FaceDetector,
    sink: _TableSink,
) -> Tally:
    follower = Follower(FollowConfig(config.detector, config.tracker, meta.crop), detector)
    stream = config.stream_config()
    if path.suffix.lower() in IMAGE_SUFFIXES:
        # A still has no start to wait for: it is judged as it is.
        predictor = StreamPredictor(engine, meta, replace(stream, warm_up_s=0.0))
        still: Iterable[Frame] = [Frame(read_image(path), 0.0, 0)]
        return run_stages(still, follower, predictor, sink, config.max_faces)
    predictor = StreamPredictor(engine, meta, stream)
    with (
        VideoFile(path) as video,
        tqdm(video, path.name, video.info.num_frames, unit="frame", disable=None) as frames,
    ):
        return run_stages(frames, follower, predictor, sink, config.max_faces)


class _TableSink:
    """A `Sink` that keeps the judgements of one file."""

    is_closed = False

    def __init__(self, table: JudgementTable, source: str) -> None:
        self._table, self._source = table, source

    def write(self, moment: Moment) -> None:
        self._table.write(moment.judgements, self._source)

    def finish(self, judgements: Sequence[Judgement]) -> None:
        self._table.write(judgements, self._source)
