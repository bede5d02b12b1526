"""`predict`: the table of videos and images, without drawing."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from tqdm import tqdm

from emotemporal.faces.detect import DetectorConfig, FaceDetector, build_detector
from emotemporal.faces.follow import FollowConfig, Follower
from emotemporal.faces.track import TrackerConfig
from emotemporal.inference.caution import Caution, find_caution
from emotemporal.inference.load import EngineChoice, LoadedModel, load_model
from emotemporal.inference.pick import describe, pick_smoothing, refuse_both
from emotemporal.inference.predictor import Judgement, StreamConfig, StreamPredictor
from emotemporal.inference.prior import wanted_prior
from emotemporal.inference.smoothing import SmoothingConfig
from emotemporal.live.files import TextOut, growing_file
from emotemporal.live.stages import Moment, Tally, run_stages
from emotemporal.live.tables import CsvTable
from emotemporal.types import Frame
from emotemporal.video.file import VideoFile
from emotemporal.video.image import ImageError, read_image
from emotemporal.video.source import VideoError

_log = logging.getLogger(__name__)

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


@dataclass(frozen=True)
class PredictConfig:
    """Which files to judge, with which model. What the network sees is the checkpoint's."""

    paths: list[str]
    """Videos and images."""
    checkpoint: str | None = None
    """From pretrain, finetune or export; none takes the one that ships with the package."""
    engine: EngineChoice = "auto"
    """`auto`: what the checkpoint's file is for; of the model that ships, the fastest installed."""
    csv: str | None = None
    """Where the table goes; without, to standard output."""
    device: str = "cpu"
    num_threads: int = 1
    """Of the network on a CPU. One frame is too little work for several, which wait for each other
    where other programs run."""
    prior: str = StreamConfig.prior
    """How often emotions are taken to occur: `training`, `uniform`, or a JSON file of shares."""
    smoothing: SmoothingConfig = field(default_factory=SmoothingConfig)
    max_lag: float | None = None
    """In place of `smoothing`: the steadiest setting of the checkpoint's smoothing card whose
    median lag in seconds is at most this."""
    warm_up_s: float = StreamConfig.warm_up_s
    """A head with memory says nothing for this long at a video's start; of an image it does."""
    min_probability: float | None = StreamConfig.min_probability
    """Below this top probability a judgement is uncertain, and the last label stays. Not given:
    what `calibrate` found for the checkpoint or, where it has not, 0.35."""
    hidden: str | None = StreamConfig.hidden
    """Emotions that are not shown by name, with commas; empty hides none. Not given: as the
    checkpoint says. The table has their probabilities all the same, and the others' are not raised
    to make up for it: a face that shows a hidden emotion is uncertain, not the runner-up."""
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    max_faces: int = 64

    def __post_init__(self) -> None:
        if self.num_threads < 1:
            raise ValueError(f"num_threads is {self.num_threads}; at least 1 does the work")
        if not self.paths:
            raise ValueError("name at least one video or image")
        if self.csv and Path(self.csv).resolve() in {Path(p).resolve() for p in self.paths}:
            raise ValueError(f"csv is {self.csv}, which is also one of the files to judge")
        refuse_both(self.smoothing, self.max_lag)
        self.stream_config()

    def stream_config(self) -> StreamConfig:
        """Return how videos' streams are judged."""
        return StreamConfig(
            self.prior,
            self.smoothing,
            self.warm_up_s,
            self.tracker.max_gap_s,
            self.min_probability,
            self.hidden,
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
    failures: tuple[str, ...]
    """Files that cannot be read whole, with the reason; they have no rows."""
    detector: str
    caution: Caution
    """Which answers are to be taken with doubt."""

    @property
    def is_complete(self) -> bool:
        """Whether every file could be read."""
        return not self.failures

    def __str__(self) -> str:
        lines = [
            f"{self.num_files} file{'s' * (self.num_files != 1)}, {self.num_frames} frames: "
            f"{self.num_faces} faces (by {self.detector}), {self.num_ticks} judgements"
        ]
        lines.append(str(self.caution))
        lines += [f"no face found: {path}" for path in self.without_face]
        lines += [f"cannot be read: {failure}" for failure in self.failures]
        return "\n".join(lines)


def predict(config: PredictConfig, out: TextOut | None = None) -> PredictSummary:
    """Judge every face in every file; a file that cannot be read is named and has no rows.

    Args:
        config: Files, model, options.
        out: Gets the table where `config.csv` names no file; standard output if None.

    Raises:
        FileNotFoundError: The checkpoint or the table's folder is missing.
        CheckpointError: The checkpoint cannot be used.
        CardError: `max_lag` is given, and its smoothing card cannot be used or has nothing as fast.
    """
    model = load_model(config.checkpoint, config.engine, config.device, config.num_threads)
    meta = model.meta
    wanted = wanted_prior(config.prior, meta)
    caution = find_caution(meta, wanted, config.min_probability, config.hidden)
    stream = pick_smoothing(config.stream_config(), config.max_lag, model.path, meta)
    _log.info("%s; smoothing %s", model, describe(stream.smoothing))
    detector = build_detector(config.detector)
    tallies, without_face, failures = [], [], []
    with ExitStack() as stack:
        if config.csv is not None:
            out = stack.enter_context(growing_file(Path(config.csv)))
        table = CsvTable(sys.stdout if out is None else out, meta.labels, has_source=True)
        for path in config.paths:
            rows = _Rows()
            try:
                tally = _judge_file(Path(path), config, stream, model, detector, rows)
            except (FileNotFoundError, ImageError, VideoError) as error:
                failures.append(str(error))
                continue
            table.write(rows.judgements, path)
            tallies.append(tally)
            if not tally.track_ids:
                without_face.append(path)
    return PredictSummary(
        num_files=len(tallies),
        num_frames=sum(tally.num_frames for tally in tallies),
        num_faces=sum(len(tally.track_ids) for tally in tallies),
        num_ticks=sum(tally.num_ticks for tally in tallies),
        without_face=tuple(without_face),
        failures=tuple(failures),
        detector=detector.name,
        caution=caution,
    )


def _judge_file(
    path: Path,
    config: PredictConfig,
    stream: StreamConfig,
    model: LoadedModel,
    detector: FaceDetector,
    rows: _Rows,
) -> Tally:
    engine, meta = model.engine, model.meta
    follower = Follower(FollowConfig(config.detector, config.tracker, meta.crop), detector)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        # A still has no start to wait for: it is judged as it is.
        predictor = StreamPredictor(engine, meta, replace(stream, warm_up_s=0.0))
        still: Iterable[Frame] = [Frame(read_image(path), 0.0, 0)]
        return run_stages(still, follower, predictor, rows, config.max_faces)
    predictor = StreamPredictor(engine, meta, stream)
    with (
        VideoFile(path) as video,
        tqdm(video, path.name, video.info.num_frames, unit="frame", disable=None) as frames,
    ):
        return run_stages(frames, follower, predictor, rows, config.max_faces)


class _Rows:
    """A `Sink` that keeps one file's judgements until it is known to be whole."""

    is_closed = False

    def __init__(self) -> None:
        self.judgements: list[Judgement] = []

    def write(self, moment: Moment) -> None:
        self.judgements.extend(moment.judgements)

    def finish(self, judgements: Sequence[Judgement]) -> None:
        self.judgements.extend(judgements)
