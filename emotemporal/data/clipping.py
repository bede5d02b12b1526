"""One video of a data set, or a part of it, to face clips on disk."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from emotemporal.data.prepared import write_clip
from emotemporal.data.table import DatasetTable
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
from emotemporal.faces.steady import steady_views
from emotemporal.storage import digest, write_json
from emotemporal.types import FaceView, Frame
from emotemporal.video.file import Backend
from emotemporal.video.isolated import IsolatedVideo, VideoProcess
from emotemporal.video.source import VideoError


@dataclass(frozen=True)
class PrepareConfig:
    """How a video data set becomes face clips."""

    follow: FollowConfig = field(default_factory=FollowConfig)
    faces: Literal["main", "all"] = "main"
    """`main` keeps the one face that a video of one person is about; `all` keeps each."""
    boxes: Literal["followed", "steady"] = "followed"
    """`followed` cuts out as live does; `steady` by one box a video, the median of all looks: for
    short clips of one person, where crops must not tell the order of frames."""
    min_detected_share: float = 0.5
    """A face that the detector confirmed in a smaller share of the video's frames is a failure."""
    max_bad_share: float = 0.02
    """Of the videos; more failures than this fail the whole."""
    backend: Backend = "auto"
    """Who decodes."""
    stall_s: float = 60.0
    """A video whose decoder gives no frame for this long is a failure."""

    def __post_init__(self) -> None:
        if not self.stall_s > 0:
            raise ValueError(f"stall_s is {self.stall_s}; it must be positive")
        if not (0 <= self.min_detected_share <= 1 and 0 <= self.max_bad_share <= 1):
            raise ValueError(
                f"min_detected_share is {self.min_detected_share}, max_bad_share "
                f"{self.max_bad_share}; both are shares, 0 to 1"
            )
        if self.boxes == "steady" and self.faces == "all":
            raise ValueError("boxes 'steady' are of one face; with faces 'all' use 'followed'")


@dataclass(frozen=True)
class VideoJob:
    """One row of the table, as a worker gets it; the times are NaN for the whole video."""

    path: Path
    key: str
    source: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class VideoDone:
    """What came of it: a record a clip, or the reason why there is none."""

    key: str
    clips: Sequence[dict[str, Any]]
    reason: str = ""


def video_jobs(table: DatasetTable) -> Iterator[VideoJob]:
    """Give a job a row, with a key that is a file name and no other row's."""
    has_times = "start_s" in table.rows.columns
    for row in table.rows.to_dict("records"):
        source = str(row["path"])
        start_s = float(row["start_s"]) if has_times else float("nan")
        end_s = float(row["end_s"]) if has_times else float("nan")
        name = digest(f"{source} {start_s} {end_s}".encode())[:8]
        stem = re.sub(r"[^A-Za-z0-9-]+", "_", source.rsplit(".", 1)[0])[-60:]
        yield VideoJob(table.root / source, f"{stem}-{name}", source, start_s, end_s)


@functools.lru_cache(maxsize=1)
def _detector(config: DetectorConfig) -> FaceDetector:
    return build_detector(config)


@functools.lru_cache(maxsize=1)
def _decoder(backend: Backend, stall_s: float) -> VideoProcess:
    return VideoProcess(backend, stall_s)


def _open(job: VideoJob, config: PrepareConfig) -> IsolatedVideo:
    return _decoder(config.backend, config.stall_s).open(job.path)


def end_decoder(config: PrepareConfig) -> None:
    """End the process that decodes this one's videos."""
    _decoder(config.backend, config.stall_s).close()


def clip_video(job: VideoJob, out: Path, config: PrepareConfig) -> VideoDone:
    """Follow, cut out and write; the record in rows/ is written last and says that all is there.

    The video is decoded in a process of its own: one that crashes or hangs its decoder is told as
    a failure, like any other.
    """
    try:
        kept = _steady(job, config) if config.boxes == "steady" else _followed(job, config)
        clips = [
            _write_clip(views, share, job, out, number, config)
            for number, (views, share) in enumerate(kept)
        ]
    except (VideoError, NoFaceError, FileNotFoundError) as error:
        return VideoDone(job.key, [], str(error))
    write_json(out / "rows" / f"{job.key}.json", clips)
    return VideoDone(job.key, clips)


def _followed(job: VideoJob, config: PrepareConfig) -> list[tuple[Sequence[FaceView], float]]:
    """Return each face's views, and the share of the video's frames in which it was confirmed."""
    with _open(job, config) as video:
        follower = Follower(config.follow, _detector(config.follow.detector))
        counter = _Counter()
        tracks = gather_tracks(counter.count(_within(video, job)), follower)
    largest = main_track(tracks)  # of `all`, too, a video without a face is told as a failure
    kept = [largest] if config.faces == "main" else tracks
    return [
        (without_tail(views), sum(view.track.is_detected for view in views) / counter.num_frames)
        for views in kept
    ]


def _steady(job: VideoJob, config: PrepareConfig) -> list[tuple[Sequence[FaceView], float]]:
    detector = _detector(config.follow.detector)
    look_every_s = config.follow.tracker.detect_every_s
    with _open(job, config) as video:
        return [steady_views(_within(video, job), detector, config.follow.crop, look_every_s)]


class _Counter:
    """Counts the frames that pass."""

    num_frames = 0

    def count(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        for frame in frames:
            self.num_frames += 1
            yield frame


def _within(video: IsolatedVideo, job: VideoJob) -> Iterator[Frame]:
    for frame in video:
        if frame.time_s > job.end_s:  # never, where it is not a number
            return
        if not frame.time_s < job.start_s:
            yield frame


def _write_clip(
    views: Sequence[FaceView],
    share: float,
    job: VideoJob,
    out: Path,
    number: int,
    config: PrepareConfig,
) -> dict[str, Any]:
    if config.faces == "main" and share < config.min_detected_share:
        raise NoFaceError(
            f"a face in {share:.0%} of the frames, at least {config.min_detected_share:.0%} are "
            "wanted (min_detected_share)"
        )
    clip = to_clip(views, job.source)
    file = f"clips/{job.key}-{number}.npz"
    content = write_clip(out, file, clip, with_targets=False)
    return {
        "file": file,
        "num_frames": len(clip.crops),
        "duration_s": round(float(clip.times_s[-1] - clip.times_s[0]), 6),
        "detected_share": round(share, 4),
        "digest": content,
    }
