"""Frames in, followed faces out: the one path that prepare, predict and live go through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np

from emotemporal.faces.crop import CropConfig, crop_face
from emotemporal.faces.detect import DetectorConfig, FaceDetector, OneAtATime, build_detector
from emotemporal.faces.look import Look, Looker
from emotemporal.faces.track import FaceTracker, TrackerConfig
from emotemporal.types import FaceClip, FaceView, Frame, Target, Track


@dataclass(frozen=True)
class FollowConfig:
    """How faces are found, followed and cut out."""

    detector: DetectorConfig = field(default_factory=DetectorConfig)
    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    crop: CropConfig = field(default_factory=CropConfig)
    """Live, the checkpoint's own takes its place."""
    min_face_px: float = 24.0
    """Faces whose height in the picture is less are followed, but marked as too small to judge: the
    network that ships loses most of its accuracy from there down."""

    def __post_init__(self) -> None:
        if not self.min_face_px >= 0:
            raise ValueError(f"min_face_px is {self.min_face_px}; it is 0 or more")


class NoFaceError(ValueError):
    """A video in which no face was found, or too rarely."""


@runtime_checkable
class Follows(Protocol):
    """What finds and follows faces: a `Follower`, or one wrapped."""

    def step(self, frame: Frame) -> list[FaceView]:
        """Return the faces of the next frame."""


class Follower:
    """Follows the faces of one stream, a frame at a time.

    What it gives for a frame depends on that frame and those before. Several streams have a
    follower each, and may share a detector: on several threads, one in `OneAtATime`.

    Raises:
        ValueError: The crop config has no map for the detector's boxes.
    """

    def __init__(self, config: FollowConfig, detector: FaceDetector | None = None) -> None:
        found = build_detector(config.detector) if detector is None else detector
        # Looking may run ahead, in another thread, while following looks again.
        self._detector = OneAtATime(found)
        self._map = config.crop.map_of(self._detector.name)
        self._size_px = config.crop.size_px
        self._looker = Looker(self._detector, config.tracker.detect_every_s)
        self._tracker = FaceTracker(config.tracker)
        self.max_unseen_s = config.tracker.max_unseen_s
        """Between two views of one face there is no more, but where it was out of sight."""
        self._min_face_px = config.min_face_px
        self._usable: set[int] = set()

    @property
    def detector_name(self) -> str:
        """Which detector draws the boxes."""
        return self._detector.name

    def step(self, frame: Frame) -> list[FaceView]:
        """Return the faces of the next frame, each as the tracker knows it."""
        return self.follow(self.look(frame))

    def look(self, frame: Frame) -> Look:
        """Do the half of a step that needs no faces; frames in order, ahead of `follow` or not."""
        return self._looker.step(frame)

    def follow(self, look: Look) -> list[FaceView]:
        """Do the other half: return the faces of the frame that was looked at."""
        frame = look.frame
        if look.is_cut:
            self._tracker.end_all()
        tracks = self._tracker.step(
            frame.image, look.luma, look.boxes, frame.time_s, lambda: self._detector(frame.image)
        )
        self._usable = {track.id for track in tracks if self._is_usable(track)}
        return [
            FaceView(
                track,
                crop_face(frame.image, track.box, self._map, self._size_px),
                frame.time_s,
                track.id in self._usable,
            )
            for track in tracks
        ]

    def _is_usable(self, track: Track) -> bool:
        # Some slack for one that was: a face at the limit must not come and go with its box.
        slack = 0.9 if track.id in self._usable else 1.0
        return bool(track.box.height_px >= slack * self._min_face_px)


def follow(frames: Iterable[Frame], follower: Follower) -> Iterator[tuple[Frame, list[FaceView]]]:
    """Give each frame with its faces, as they come."""
    for frame in frames:
        yield frame, follower.step(frame)


def gather_tracks(frames: Iterable[Frame], follower: Follower) -> list[list[FaceView]]:
    """Follow to the end; return the views of each face, in the order in which the faces came.

    A face that was out of sight for a while makes two: what it did meanwhile is not known. Keeps
    crops, not frames.
    """
    tracks: list[list[FaceView]] = []
    open_tracks: dict[int, list[FaceView]] = {}
    for _, views in follow(frames, follower):
        for view in views:
            track = open_tracks.get(view.track.id)
            if track is None or view.time_s - track[-1].time_s > follower.max_unseen_s:
                track = open_tracks[view.track.id] = []
                tracks.append(track)
            track.append(view)
    return tracks


def gather_clips(
    frames: Iterable[Frame],
    follower: Follower,
    source: str,
    subject: str = "",
    targets: Sequence[Target] = (),
) -> list[FaceClip]:
    """Follow to the end; return one clip a face. A face out of sight for a while makes two."""
    tracks = gather_tracks(frames, follower)
    return [to_clip(views, source, subject, targets) for views in tracks]


def to_clip(
    views: Sequence[FaceView], source: str, subject: str = "", targets: Sequence[Target] = ()
) -> FaceClip:
    """Join one face's views."""
    crops = np.stack([view.crop for view in views])
    times_s = np.array([view.time_s for view in views])
    return FaceClip(crops, times_s, tuple(targets), subject, source)


def without_tail(views: Sequence[FaceView]) -> Sequence[FaceView]:
    """Leave out the end that the detector no longer confirmed: the face may have gone by then."""
    seen = [i for i, view in enumerate(views) if view.track.is_detected]
    return views[: seen[-1] + 1] if seen else views[:0]


def main_track(tracks: Sequence[Sequence[FaceView]]) -> Sequence[FaceView]:
    """Return the face that a video of one person is about: large, and there for long.

    Raises:
        NoFaceError: No face at all.
    """
    if not tracks:
        raise NoFaceError("no face was found; look at the video, or try the other detector")
    return max(tracks, key=lambda views: sum(view.track.box.height_px for view in views))
