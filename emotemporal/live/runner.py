"""`live`: a camera or a video in; every face followed, its emotion shown steadily."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from tqdm import tqdm

from emotemporal.faces.detect import DetectorConfig
from emotemporal.faces.follow import FollowConfig, Follower
from emotemporal.faces.track import TrackerConfig
from emotemporal.inference.caution import Caution
from emotemporal.inference.load import EngineChoice, LoadedModel, load_model
from emotemporal.inference.pick import describe, pick_smoothing, refuse_both
from emotemporal.inference.predictor import StreamConfig, StreamPredictor
from emotemporal.inference.smoothing import SmoothingConfig
from emotemporal.live.formats import TableFormat
from emotemporal.live.outputs import Controls, OutputFiles, open_outputs
from emotemporal.live.overlay import Overlay, OverlayConfig
from emotemporal.live.page import PageAbout
from emotemporal.live.smoother_keys import SmootherKeys
from emotemporal.live.stages import Tally, run_stages
from emotemporal.live.window import Window, has_display
from emotemporal.stopping import stop_when_asked
from emotemporal.timing import Clock, monotonic
from emotemporal.types import Frame
from emotemporal.video.camera import Camera
from emotemporal.video.file import VideoFile
from emotemporal.video.source import VideoError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LiveConfig:
    """What to look at, with which model, and where results go.

    Size, mean and clip rate are the checkpoint's and no option. Nothing is recorded unless asked.
    """

    source: str
    """A video file, or the number of a camera."""
    checkpoint: str | None = None
    """From pretrain, finetune or export; none takes the one that ships with the package."""
    engine: EngineChoice = "auto"
    """`auto`: what the checkpoint's file is for; of the model that ships, the fastest installed."""
    output: str | None = None
    """Labelled video, `.mp4`, `.webm` or `.avi`."""
    csv: str | None = None
    """Table of all judgements, a row a face and tick of the model's clock; see docs/tables.md."""
    jsonl: str | None = None
    """The same rows as JSON lines."""
    parquet: str | None = None
    """The same rows as Parquet."""
    eaf: str | None = None
    """What was shown, as annotations for ELAN (`.eaf`): two tiers a face."""
    html: str | None = None
    """A page of its own that plays every face's timeline in step with the video."""
    captures: str = "."
    """The folder for what keys of the window keep: screenshots and recordings."""
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
    """A head with memory says nothing for this long at a stream's start."""
    min_probability: float | None = StreamConfig.min_probability
    """Below this top probability a judgement is uncertain, and the last label stays. Not given:
    what `calibrate` found for the checkpoint or, where it has not, 0.35."""
    hidden: str | None = StreamConfig.hidden
    """Emotions that are not shown by name, with commas; empty hides none. Not given: as the
    checkpoint says. The table has their probabilities all the same, and the others' are not raised
    to make up for it: a face that shows a hidden emotion is uncertain, not the runner-up."""
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    max_faces: int = 8
    """The faces followed longest are judged; others wait."""
    overlay: OverlayConfig = field(default_factory=OverlayConfig)
    window: Literal["auto", "yes", "no"] = "auto"
    """`auto` opens one if there is a display."""

    def __post_init__(self) -> None:
        if self.num_threads < 1:
            raise ValueError(f"num_threads is {self.num_threads}; at least 1 does the work")
        if self.max_faces < 1:
            raise ValueError(f"max_faces is {self.max_faces}; at least 1 is judged")
        paths = [Path(self.source), *self.output_files().paths]
        if len({path.resolve() for path in paths}) < len(paths):
            raise ValueError("source, output and tables must be different files")
        refuse_both(self.smoothing, self.max_lag)
        self.stream_config()

    def output_files(self) -> OutputFiles:
        """Return where results go."""
        tables = {
            name: Path(path) for name in get_args(TableFormat) if (path := getattr(self, name))
        }
        return OutputFiles(tables, Path(self.output) if self.output else None, Path(self.captures))

    @property
    def camera_index(self) -> int | None:
        """Which camera the source is; None for a file."""
        return int(self.source) if self.source.isdecimal() else None

    def stream_config(self) -> StreamConfig:
        """Return how streams are judged; a face the tracker gave up is a new stream."""
        return StreamConfig(
            self.prior,
            self.smoothing,
            self.warm_up_s,
            self.tracker.max_gap_s,
            self.min_probability,
            self.hidden,
        )


@dataclass(frozen=True)
class LiveSummary:
    """What a run did. Times are means a frame, on this machine now; results do not need them."""

    num_frames: int
    num_faces: int
    num_ticks: int
    follow_ms: float
    judge_ms: float
    write_ms: float
    """Drawing, encoding, showing, and the table."""
    detector: str
    was_stopped: bool
    """By ctrl-C, SIGTERM or the window, before the source ended."""
    outputs: tuple[str, ...]
    caution: Caution
    """Which answers are to be taken with doubt."""

    @property
    def ms_per_frame(self) -> float:
        """All stages together; reading the source is not counted."""
        return self.follow_ms + self.judge_ms + self.write_ms

    def __str__(self) -> str:
        end = ", stopped before the end" if self.was_stopped else ""
        lines = [
            f"{self.num_frames} frames{end}: {self.num_faces} faces (by {self.detector}), "
            f"{self.num_ticks} judgements",
            f"{self.ms_per_frame:.1f} ms a frame: follow {self.follow_ms:.1f}, "
            f"judge {self.judge_ms:.1f}, draw and write {self.write_ms:.1f}",
            str(self.caution),
            *(f"wrote {path}" for path in self.outputs),
        ]
        return "\n".join(lines)


def run_live(config: LiveConfig, clock: Clock = monotonic) -> LiveSummary:
    """Run until the source ends, the window is closed or ctrl-C is pressed; finish the outputs.

    A file drops no frame and gives the same table every time.

    Raises:
        FileNotFoundError: Checkpoint, video or an output's folder is missing.
        CheckpointError: The checkpoint cannot be used.
        CardError: `max_lag` is given, and its smoothing card cannot be used or has nothing as fast.
        VideoError: The source fails. A camera's outputs so far are finished then; a file's are
            not kept.
    """
    model = load_model(config.checkpoint, config.engine, config.device, config.num_threads)
    engine, meta = model.engine, model.meta
    follower = Follower(FollowConfig(config.detector, config.tracker, meta.crop))
    stream = pick_smoothing(config.stream_config(), config.max_lag, model.path, meta)
    _log.info("%s; smoothing %s", model, describe(stream.smoothing))
    predictor = StreamPredictor(engine, meta, stream)
    lost: list[VideoError] = []
    with ExitStack() as stack:
        frames, rate_hz = _open_source(config, lost, stack)
        overlay = Overlay(meta.labels, config.overlay, predictor.caution)
        about = _about(config, model, predictor)
        asked = stack.enter_context(stop_when_asked())
        controls = Controls(SmootherKeys(predictor, stream.smoothing), asked)
        files, window = config.output_files(), _window(config)
        outputs = open_outputs(files, overlay, about, rate_hz, window, controls, stack)
        tally = run_stages(frames, follower, predictor, outputs, config.max_faces, clock, asked)
    if lost:
        raise lost[0]
    return _summarise(config, tally, follower.detector_name, predictor.caution)


def _open_source(
    config: LiveConfig, lost: list[VideoError], stack: ExitStack
) -> tuple[Iterable[Frame], float | None]:
    """Return the frames, and their rate where it is known beforehand: a file's."""
    if config.camera_index is not None:
        camera = stack.enter_context(Camera(config.camera_index))
        return _until_lost(camera, lost), None
    video = stack.enter_context(VideoFile(Path(config.source)))
    frames = tqdm(
        video,
        desc=Path(config.source).name,
        total=video.info.num_frames,
        unit="frame",
        disable=None,  # where nobody watches
    )
    stack.enter_context(frames)
    return frames, video.info.frame_rate_hz


def _until_lost(camera: Iterable[Frame], lost: list[VideoError]) -> Iterator[Frame]:
    """Give frames until the camera fails; then end, so that outputs are finished, and tell."""
    try:
        yield from camera
    except VideoError as error:
        lost.append(error)


def _about(config: LiveConfig, model: LoadedModel, predictor: StreamPredictor) -> PageAbout:
    # A camera's pictures are in the labelled video, if anywhere.
    video = config.output if config.camera_index is not None else config.source
    return PageAbout(
        Path(video).name if video else "live",
        model.meta.labels,
        predictor.caution,
        predictor.period_s,
        Path(video) if video else None,
        str(model),
    )


def _window(config: LiveConfig) -> Window | None:
    is_wanted = config.window == "yes" or (config.window == "auto" and has_display())
    return Window("emotemporal") if is_wanted else None


def _summarise(config: LiveConfig, tally: Tally, detector: str, caution: Caution) -> LiveSummary:
    per_frame = 1000 / max(tally.num_frames, 1)
    return LiveSummary(
        tally.num_frames,
        len(tally.track_ids),
        tally.num_ticks,
        tally.follow_s * per_frame,
        tally.judge_s * per_frame,
        tally.write_s * per_frame,
        detector,
        tally.was_stopped,
        tuple(str(path) for path in config.output_files().paths),
        caution,
    )
