"""`live`: a camera or a video in; every face followed, its emotion shown steadily."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from emotemporal.faces.ahead import AheadFollower
from emotemporal.faces.detect import DetectorConfig
from emotemporal.faces.follow import FollowConfig, Follows
from emotemporal.faces.track import TrackerConfig
from emotemporal.inference.load import EngineChoice, LoadedModel
from emotemporal.inference.pick import measured_lag_s
from emotemporal.inference.predictor import StreamConfig, StreamPredictor
from emotemporal.inference.smoothing import SmoothingConfig
from emotemporal.live.keep_up import run_live_stages
from emotemporal.live.outputs import Controls, OutputFiles, open_outputs
from emotemporal.live.overlay.draw import Overlay, OverlayConfig
from emotemporal.live.recogniser import RecogniseConfig, Recogniser
from emotemporal.live.sinks.formats import TableFormat
from emotemporal.live.sinks.page import PageAbout
from emotemporal.live.smoother_keys import SmootherKeys
from emotemporal.live.sources import (
    OpenCapture,
    kind_of,
    open_live,
    open_recorded,
    require_recorded,
)
from emotemporal.live.stages import Stages, run_recorded
from emotemporal.live.summary import LiveSummary, summarise
from emotemporal.live.window import Window, has_display
from emotemporal.stopping import stop_when_asked
from emotemporal.timing import Clock, monotonic
from emotemporal.video.capture import CameraConfig, open_capture
from emotemporal.video.folder import ImageFolderConfig

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LiveConfig:
    """What to look at, with which model, and where results go.

    Size, mean and clip rate are the checkpoint's and no option. Nothing is recorded unless asked.
    """

    source: str
    """A video file, a folder of images, the number of a camera, or the URL of a stream."""
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
    """The folder for screenshots and recordings made with the window's keys."""
    device: str = "cpu"
    """Where the network runs: `cpu`, `cuda`, `cuda:1` or `mps`."""
    num_threads: int = 1
    """Threads of the network on a CPU. One frame is too little work for several, which wait for
    each other where other programs run."""
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
    faces: Literal["all", "nearest"] = "all"
    """`nearest`: only the largest face, until another is larger by a quarter for a while."""
    max_faces: int = 8
    """At most so many are judged: those followed longest. The others wait."""
    min_face_px: float = FollowConfig.min_face_px
    """Faces whose height in the picture is less are followed and not judged."""
    neutral_s: float = StreamConfig.neutral_s
    """For this long after its warm-up each face should look neutral; what it is mistaken for then
    is taken off its answers. 0 learns nothing."""
    camera: CameraConfig = field(default_factory=CameraConfig)
    """How long is waited for a camera or a stream."""
    images: ImageFolderConfig = field(default_factory=ImageFolderConfig)
    """When the images of a folder were taken."""
    overlay: OverlayConfig = field(default_factory=OverlayConfig)
    window: Literal["auto", "yes", "no"] = "auto"
    """`auto` opens one if there is a display."""

    def __post_init__(self) -> None:
        paths = [Path(self.source), *self.output_files().paths]
        if len({path.resolve() for path in paths}) < len(paths):
            raise ValueError("source, output and tables must be different files")
        self.recognition()

    def output_files(self) -> OutputFiles:
        """Return where results go."""
        tables = {
            name: Path(path) for name in get_args(TableFormat) if (path := getattr(self, name))
        }
        return OutputFiles(tables, Path(self.output) if self.output else None, Path(self.captures))

    @property
    def is_live(self) -> bool:
        """Whether the source goes on while nobody looks: a camera or a stream."""
        return kind_of(self.source) in ("camera", "stream")

    def recognition(self) -> RecogniseConfig:
        """Return which model judges, and how."""
        return RecogniseConfig.taken_from(self)


def run_live(
    config: LiveConfig, clock: Clock = monotonic, open_with: OpenCapture = open_capture
) -> LiveSummary:
    """Run until the source ends, the window is closed or ctrl-C is pressed; finish the outputs.

    A file drops no frame and gives the same table every time. Of a camera or a stream the newest
    frame is taken; where the model cannot keep up, its ticks are left out and counted.

    Args:
        config: What to look at, and how.
        clock: Measures stages, and stamps the frames of a live source.
        open_with: Opens a camera or a stream.

    Raises:
        FileNotFoundError: Checkpoint, video or an output's folder is missing.
        CheckpointError: The checkpoint cannot be used.
        CardError: `max_lag` is given, and its smoothing card cannot be used or has nothing as fast.
        ImageError: An image of a folder cannot be read.
        VideoError: The source fails. A live one's outputs so far are finished then; a recorded
            one's are not kept.
    """
    _refuse_what_is_not_there(config)
    recogniser = Recogniser(config.recognition())
    model, smoothing = recogniser.model, recogniser.stream.smoothing
    _log.info("%s", recogniser.told)
    follower, predictor = recogniser.new_follower(), recogniser.new_predictor()
    lag_s = measured_lag_s(smoothing, model.path, model.meta)
    lost, camera, rate_hz = None, None, None
    with ExitStack() as stack:
        following: Follows = follower
        if config.is_live:
            camera = open_live(config.source, config.camera, clock, stack, open_with)
        else:
            frames, rate_hz = open_recorded(config.source, config.images, stack)
            frames = following = stack.enter_context(AheadFollower(frames, follower))
        overlay = Overlay(model.meta.labels, config.overlay, predictor.caution)
        about = _about(config, model, predictor)
        asked = stack.enter_context(stop_when_asked())
        controls = Controls(SmootherKeys(predictor, smoothing), asked)
        files, window = config.output_files(), _window(config)
        outputs = open_outputs(files, overlay, about, rate_hz, window, controls, stack)
        chosen = recogniser.new_chooser(following)
        stages = Stages(chosen, predictor, outputs, config.max_faces, clock)
        if camera is None:
            tally = run_recorded(frames, stages, asked)
        else:
            tally, lost = run_live_stages(camera, stages, asked, lag_s)
    if lost is not None:
        raise lost
    told = tuple(str(path) for path in files.paths)
    status = None if camera is None else camera.status
    detector, caution = follower.detector_name, predictor.caution
    return summarise(tally, detector, caution, told, status, lag_s)


def _about(config: LiveConfig, model: LoadedModel, predictor: StreamPredictor) -> PageAbout:
    # Only a file plays in a page; the pictures of others are in the labelled video, if anywhere.
    video = config.source if kind_of(config.source) == "file" else config.output
    return PageAbout(
        Path(video).name if video else "live",
        model.meta.labels,
        predictor.caution,
        predictor.period_s,
        Path(video) if video else None,
        str(model),
    )


def _refuse_what_is_not_there(config: LiveConfig) -> None:
    """Tell at once what would end the run after the network is loaded, or leave it unseen."""
    if not config.is_live:
        require_recorded(Path(config.source))
    if config.window == "yes" and not has_display():
        raise ValueError("window is yes, and there is no display here; leave it out, or say no")
    is_shown = config.window != "no" and has_display()
    if not (is_shown or config.output_files().paths):
        _log.info("there is no window, and no output is named: only a summary will be told")


def _window(config: LiveConfig) -> Window | None:
    is_wanted = config.window == "yes" or (config.window == "auto" and has_display())
    return Window("emotemporal") if is_wanted else None
