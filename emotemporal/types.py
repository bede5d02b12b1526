"""The things that are passed from room to room. numpy only; shapes in one set of letters.

Images are RGB uint8, channels last. Times are seconds. Those that hold arrays compare by identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from emotemporal.labels import Emotion, LabelSpace


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture and when it was taken."""

    image: UInt8[np.ndarray, "h w 3"]
    time_s: float
    index: int


@dataclass(frozen=True)
class Box:
    """A face, in pixels of its frame; x grows to the right, y downwards.

    Raises:
        ValueError: Empty or inverted.
    """

    x1: float
    y1: float
    x2: float
    y2: float
    score: float

    def __post_init__(self) -> None:
        if not (self.x1 < self.x2 and self.y1 < self.y2):
            raise ValueError(f"box is empty or inverted: {self}")

    @property
    def width_px(self) -> float:
        """From the left edge to the right."""
        return self.x2 - self.x1

    @property
    def height_px(self) -> float:
        """From the upper edge to the lower."""
        return self.y2 - self.y1


@dataclass(frozen=True)
class Track:
    """A face that has been followed. `id` is unique within its tracker.

    `is_detected` is false from a look of the detector that misses the face to one that finds it
    again; its box is carried on meanwhile.
    """

    id: int
    box: Box
    age_s: float
    is_detected: bool = True


@dataclass(frozen=True, eq=False)
class FaceView:
    """One followed face in one frame: what `faces.follow` gives and the live path consumes.

    One that is not usable is too small to show an expression: followed and drawn, not judged.
    """

    track: Track
    crop: UInt8[np.ndarray, "s s 3"]
    time_s: float
    is_usable: bool = True


@dataclass(frozen=True)
class Target:
    """What is shown, from when to when; a clip with one label has one."""

    start_s: float
    end_s: float
    emotion: Emotion

    def __post_init__(self) -> None:
        if not self.start_s < self.end_s:
            raise ValueError(f"target ends before it starts: {self}")


@dataclass(frozen=True, eq=False)
class Clip:
    """A stretch of video, whole frames."""

    frames: UInt8[np.ndarray, "t h w 3"]
    times_s: Float[np.ndarray, " t"]
    source: str


@dataclass(frozen=True, eq=False)
class FaceClip:
    """One person's face over time: what a data set gives and what a model judges.

    `targets` is empty when nobody knows, as in live use.

    Raises:
        ValueError: No frames, as many times as crops not given, or times that do not grow.
    """

    crops: UInt8[np.ndarray, "t s s 3"]
    times_s: Float[np.ndarray, " t"]
    targets: Sequence[Target]
    subject: str
    source: str

    def __post_init__(self) -> None:
        if len(self.crops) == 0 or len(self.crops) != len(self.times_s):
            raise ValueError(
                f"{self.source}: {len(self.crops)} crops and {len(self.times_s)} times; "
                "a clip has one time a crop, and at least one"
            )
        # Asked so that "not a number" is refused too: no comparison with it is true.
        if not (np.all(np.isfinite(self.times_s)) and np.all(np.diff(self.times_s) > 0)):
            raise ValueError(f"{self.source}: times do not grow from frame to frame")


@dataclass(frozen=True, eq=False)
class StreamPrediction:
    """One track's probabilities over time, before or after smoothing, with the truth if known.

    Raises:
        ValueError: Not one row of probabilities a time, and one column a label.
    """

    track_id: int
    times_s: Float[np.ndarray, " t"]
    probabilities: Float[np.ndarray, "t k"]
    labels: LabelSpace
    truth: Sequence[Target]

    def __post_init__(self) -> None:
        expected = (len(self.times_s), len(self.labels))
        if self.probabilities.shape != expected:
            raise ValueError(
                f"track {self.track_id}: probabilities are {self.probabilities.shape}; "
                f"{len(self.times_s)} times and {len(self.labels)} labels make {expected}"
            )


@dataclass(frozen=True, eq=False)
class ClipPrediction:
    """One row of every evaluation table, whatever made it: a frame vote, a GRU, a 3-D network.

    Raises:
        ValueError: Not one probability a label.
    """

    source: str
    subject: str
    target: Emotion
    probabilities: Float[np.ndarray, " k"]
    labels: LabelSpace

    def __post_init__(self) -> None:
        if self.probabilities.shape != (len(self.labels),):
            raise ValueError(
                f"{self.source}: {self.probabilities.size} probabilities for "
                f"{len(self.labels)} labels"
            )
