"""Takes that `record` wrote: a stream each, whose truth is what was asked for at each moment."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from emotemporal.config import config_digest
from emotemporal.data.prepared import frame_period_s
from emotemporal.evaluation.stability.replay import Piece
from emotemporal.faces.crop import CropConfig
from emotemporal.faces.detect import DetectorConfig, FaceDetector, build_detector
from emotemporal.faces.follow import (
    FollowConfig,
    Follower,
    NoFaceError,
    gather_tracks,
    main_track,
    to_clip,
    without_tail,
)
from emotemporal.labels import LabelSpace, parse_emotion
from emotemporal.storage import file_digest
from emotemporal.types import FaceClip, Target
from emotemporal.video.file import VideoFile

TRUTH_FILE = "truth.csv"
_COLUMNS = ("source", "start_s", "end_s", "emotion")


@dataclass(frozen=True, eq=False)
class OwnTakes:
    """A `StreamSource` of recorded takes. Each goes from neutral to an emotion and back.

    The truth changes when the person is told to: a lag holds the person's own.

    Args:
        folder: What `record` filled.
        labels: Takes that show another emotion are left out.
        crop: How faces are cut out: the checkpoint's.
        detector: Who finds them.

    Raises:
        ValueError: The truth table is none, or no take is left.
    """

    folder: Path
    labels: LabelSpace
    crop: CropConfig
    detector: DetectorConfig = field(default_factory=DetectorConfig)

    def __post_init__(self) -> None:
        if not self._takes:
            raise ValueError(
                f"{self.folder / TRUTH_FILE}: no take of {', '.join(self.labels.names)} alone; "
                "record some, or name other --labels"
            )

    @property
    def name(self) -> str:
        """The folder's name."""
        return f"{self.folder.name} takes"

    @cached_property
    def fingerprint(self) -> str:
        """Of the truth and of every video."""
        videos = {source: file_digest(self.folder / source) for source in self._takes}
        truth = file_digest(self.folder / TRUTH_FILE)
        faces = [self._detector.name, self.crop.to_json()]
        return config_digest([truth, videos, faces, list(self.labels.names)])

    @property
    def num_left_out(self) -> int:
        """Takes of other emotions."""
        return len(self._told) - len(self._takes)

    def __len__(self) -> int:
        return len(self._takes)

    def load(self, i: int) -> tuple[FaceClip, Sequence[Piece]]:
        """Follow the face of take number `i`.

        Raises:
            NoFaceError: None is found.
            VideoError: The video cannot be read whole.
        """
        source, targets = list(self._takes.items())[i]
        follower = Follower(FollowConfig(crop=self.crop), self._detector)
        try:
            with VideoFile(self.folder / source) as video:
                views = without_tail(main_track(gather_tracks(video, follower)))
        except NoFaceError as error:
            raise NoFaceError(f"{self.folder / source}: {error}") from error
        clip = to_clip(views, source, PurePosixPath(source).parts[0])
        first_s = float(clip.times_s[0])
        last_s = float(clip.times_s[-1]) + frame_period_s(clip.times_s)
        seen = [
            Target(max(target.start_s, first_s), min(target.end_s, last_s), target.emotion)
            for target in targets
            if target.start_s < last_s and target.end_s > first_s
        ]
        pieces = [Piece(target.start_s, target.end_s, (source,)) for target in seen]
        return FaceClip(clip.crops, clip.times_s, seen, clip.subject, source), pieces

    @cached_property
    def _detector(self) -> FaceDetector:
        return build_detector(self.detector)

    @cached_property
    def _takes(self) -> dict[str, list[Target]]:
        return {
            source: targets
            for source, targets in self._told.items()
            if all(target.emotion in self.labels for target in targets)
        }

    @cached_property
    def _told(self) -> dict[str, list[Target]]:
        path = self.folder / TRUTH_FILE
        takes: dict[str, list[Target]] = {}
        with path.open(newline="", encoding="utf-8") as lines:
            reader = csv.DictReader(lines)
            if tuple(reader.fieldnames or ()) != _COLUMNS:
                raise ValueError(
                    f"{path}: its columns are {reader.fieldnames}; 'record' writes "
                    f"{', '.join(_COLUMNS)}"
                )
            for row in reader:
                times = float(row["start_s"]), float(row["end_s"])
                takes.setdefault(row["source"], []).append(
                    Target(*times, parse_emotion(row["emotion"]))
                )
        return takes
