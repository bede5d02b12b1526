"""`predict`: tables of videos and images, in one file or in a folder that can be resumed."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Literal, get_args

from emotemporal.faces.detect import DetectorConfig
from emotemporal.faces.follow import FollowConfig
from emotemporal.faces.track import TrackerConfig
from emotemporal.inference.caution import Caution
from emotemporal.inference.load import EngineChoice
from emotemporal.inference.predictor import StreamConfig
from emotemporal.inference.smoothing import SmoothingConfig
from emotemporal.live.batch import BatchConfig, run_batch
from emotemporal.live.inputs import Input, list_inputs
from emotemporal.live.one_table import judge_into
from emotemporal.live.recogniser import RecogniseConfig, Recogniser
from emotemporal.live.sinks.files import TextOut, growing_file
from emotemporal.live.sinks.formats import TableFormat
from emotemporal.live.sinks.tables import CsvTable
from emotemporal.stopping import stop_when_asked
from emotemporal.video.image import ImageError
from emotemporal.video.source import IMAGE_SUFFIXES, VIDEO_SUFFIXES, VideoError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PredictConfig:
    """Which files to judge, with which model. What the network sees is the checkpoint's."""

    paths: list[str]
    """Videos, images, and folders of them."""
    checkpoint: str | None = None
    """From pretrain, finetune or export; none takes the one that ships with the package."""
    engine: EngineChoice = "auto"
    """`auto`: what the checkpoint's file is for; of the model that ships, the fastest installed."""
    csv: str | None = None
    """One table of all files; without, and without `out`, it goes to standard output."""
    out: str | None = None
    """In place of `csv`, a folder: a table a file, `summary.csv`, `failures.csv`. The same command
    goes on where it was killed; it belongs to one config."""
    formats: str = "csv"
    """Of the tables in `out`: csv, jsonl, parquet, eaf, html, with commas; see docs/tables.md."""
    annotate: bool = False
    """Into `out`, a labelled copy of every file too."""
    workers: int = 1
    """For `out`: processes, each with a file. 0 works in this one; a crashing decoder ends it."""
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
    """A head with memory says nothing for this long at a video's start; images do not wait."""
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
    max_faces: int = 64
    """At most so many are judged: those followed longest. The others wait."""
    min_face_px: float = FollowConfig.min_face_px
    """Faces whose height in the picture is less are followed and not judged."""
    neutral_s: float = StreamConfig.neutral_s
    """As in `live`: how long each face looks neutral at first. 0 learns nothing."""

    def __post_init__(self) -> None:
        if not self.paths:
            raise ValueError("name at least one video, image or folder")
        if self.csv and Path(self.csv).resolve() in {Path(p).resolve() for p in self.paths}:
            raise ValueError(f"csv is {self.csv}, which is also one of the files to judge")
        if self.csv and self.out:
            raise ValueError(f"csv is {self.csv} and out {self.out}; results go to one of them")
        if self.out is None and (self.workers, self.formats, self.annotate) != (1, "csv", False):
            raise ValueError(
                "workers, formats and annotate need a folder for their files: --out DIR"
            )
        if self.workers < 0:
            raise ValueError(f"workers is {self.workers}; it is 0 or more")
        self.table_formats()
        self.recognition()

    def recognition(self) -> RecogniseConfig:
        """Return which model judges, and how."""
        return RecogniseConfig.taken_from(self)

    def table_formats(self) -> tuple[TableFormat, ...]:
        """Return the kinds of table that `out` gets.

        Raises:
            ValueError: There is no such kind, or none is named.
        """
        known: tuple[TableFormat, ...] = get_args(TableFormat)
        wanted = {name.strip() for name in self.formats.split(",")}
        if not wanted <= set(known):
            raise ValueError(f"formats is {self.formats!r}; known are {', '.join(known)}")
        return tuple(name for name in known if name in wanted)


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
    """Files that cannot be judged whole, with the reason; they have no rows."""
    detector: str
    caution: Caution
    """Which answers are to be taken with doubt."""
    num_resumed: int = 0
    """Files that an earlier run had done."""
    num_left: int = 0
    """Files not judged, because the run was asked to stop."""
    folder: str | None = None
    """Where the results are."""

    @property
    def is_complete(self) -> bool:
        """Whether every file was judged."""
        return not self.failures and not self.num_left

    def __str__(self) -> str:
        lines = [
            f"{self.num_files} file{'s' * (self.num_files != 1)}, {self.num_frames} frames: "
            f"{self.num_faces} faces (by {self.detector}), {self.num_ticks} judgements"
        ]
        lines.append(str(self.caution))
        if self.folder is not None:
            before = f", {self.num_resumed} of them done before" if self.num_resumed else ""
            lines.append(f"results in {self.folder}{before}")
        lines += [f"no face found: {path}" for path in self.without_face]
        lines += [f"cannot be judged: {failure}" for failure in self.failures]
        if self.num_left:
            lines.append(f"stopped: {self.num_left} files were not judged and have no rows")
        return "\n".join(lines)


def predict(config: PredictConfig, out: TextOut | None = None) -> PredictSummary:
    """Judge every face in every file; a file that cannot be read is named and has no rows.

    Memory does not grow with the files' length.

    Args:
        config: Files, model, options.
        out: Gets the table where neither `config.csv` nor `config.out` says where; standard output
            if None.

    Raises:
        FileNotFoundError: The checkpoint or the table's folder is missing.
        ValueError: There is nothing to judge, or two files would have results of one name.
        CheckpointError: The checkpoint cannot be used.
        CardError: `max_lag` is given, and its smoothing card cannot be used or has nothing as fast.
        RunFolderError: `config.out` belongs to another config, or is in use.
        InterruptedJob: Asked to stop; `config.out` keeps what is done.
    """
    inputs = list_inputs(config.paths, None if config.out is None else Path(config.out))
    if inputs.num_ignored:
        told = ", ".join(f"{count} {kind}" for kind, count in sorted(inputs.num_ignored.items()))
        _log.info("neither video nor image by their names, not looked at: %s", told)
    if not inputs.files:
        known = ", ".join(sorted(VIDEO_SUFFIXES | IMAGE_SUFFIXES))
        raise ValueError(f"no video or image in {', '.join(config.paths)}; names end in {known}")
    with stop_when_asked() as asked:
        if config.out is not None:
            return _fill_folder(config, Path(config.out), inputs.files, asked)
        return _write_table(config, inputs.files, out, asked)


def _fill_folder(
    config: PredictConfig, out: Path, files: Sequence[Input], asked: Event
) -> PredictSummary:
    batch = BatchConfig(out, config.table_formats(), config.annotate, config.workers)
    recogniser = Recogniser(config.recognition())
    _log.info("%s", recogniser.told)
    result = run_batch(files, recogniser, batch, asked)
    return PredictSummary(
        num_files=len(result.done),
        num_frames=sum(row["frames"] for row in result.done),
        num_faces=sum(row["faces"] for row in result.done),
        num_ticks=sum(row["judgements"] for row in result.done),
        without_face=tuple(row["source"] for row in result.done if not row["faces"]),
        failures=tuple(reason for _, reason in result.failures),
        detector=recogniser.detector.name,
        caution=recogniser.caution,
        num_resumed=result.num_resumed,
        folder=str(out),
    )


def _write_table(
    config: PredictConfig, files: Sequence[Input], out: TextOut | None, asked: Event
) -> PredictSummary:
    recogniser = Recogniser(config.recognition())
    _log.info("%s", recogniser.told)
    tallies, without_face, failures = [], [], []
    with ExitStack() as stack:
        if config.csv is not None:
            out = stack.enter_context(growing_file(Path(config.csv)))
        out = sys.stdout if out is None else out
        CsvTable(out, recogniser.labels, has_source=True)  # its head
        for item in files:
            try:
                tally = judge_into(out, item, recogniser, asked)
            except (FileNotFoundError, ImageError, VideoError) as error:
                failures.append(str(error))
                continue
            if tally.was_stopped:
                break
            tallies.append(tally)
            if not tally.track_ids:
                without_face.append(str(item.path))
    return PredictSummary(
        num_files=len(tallies),
        num_frames=sum(tally.num_frames for tally in tallies),
        num_faces=sum(len(tally.track_ids) for tally in tallies),
        num_ticks=sum(tally.num_ticks for tally in tallies),
        without_face=tuple(without_face),
        failures=tuple(failures),
        detector=recogniser.detector.name,
        caution=recogniser.caution,
        num_left=len(files) - len(tallies) - len(failures),
    )
