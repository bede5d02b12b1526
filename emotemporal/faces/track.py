"""Faces over time: which box is whom, where everybody is between looks, who has come and gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import UInt8
from scipy.optimize import linear_sum_assignment

from emotemporal.faces import motion as mo
from emotemporal.faces.motion import Motion
from emotemporal.faces.refine import Pattern, cut_pattern, find_pattern
from emotemporal.timing import to_ns
from emotemporal.types import Box, Track


@dataclass(frozen=True)
class TrackerConfig:
    """How often faces are looked for, and how long one that is not found is waited for."""

    detect_every_s: float = 0.2
    """Between, faces are followed by motion and likeness; 0 detects on every frame."""
    max_gap_s: float = 0.5
    """Not found for longer, a face has gone; whoever comes then is somebody new."""
    max_distance: float = 0.8
    """How far, in face heights, a box may be from where a face was expected."""
    start_score: float = 0.7
    """A box with less goes on with a face, but begins none."""
    follow_image: bool = True
    """Refine the place on every frame by likeness; else by the motion alone."""

    def __post_init__(self) -> None:
        if self.detect_every_s < 0 or self.max_gap_s <= 0 or self.max_distance <= 0:
            raise ValueError(
                f"detect_every_s is {self.detect_every_s}, max_gap_s {self.max_gap_s}, "
                f"max_distance {self.max_distance}; the first at least 0, the others above"
            )
        if self.max_gap_s <= self.detect_every_s:
            raise ValueError(
                f"max_gap_s {self.max_gap_s} must be longer than detect_every_s "
                f"{self.detect_every_s}, or every face is lost between two looks"
            )


@dataclass(frozen=True, eq=False)
class _Followed:
    id: int
    born_s: float
    motion: Motion
    score: float
    is_detected: bool
    pattern: Pattern | None

    def to_track(self, time_s: float) -> Track:
        box = mo.to_box(self.motion, self.score)
        return Track(self.id, box, time_s - self.born_s, self.is_detected)


class FaceTracker:
    """Follows the faces of one stream. Depends on times and pixels alone, never on a clock.

    Ids count up from 0 and are never given twice. A face that was seen but once is dropped at the
    first look that misses it: most are none.
    """

    def __init__(self, config: TrackerConfig) -> None:
        self._config = config
        self._followed: list[_Followed] = []
        self._next_id = 0
        self._last_s: float | None = None

    def end_all(self) -> None:
        """Forget every face, as at a scene cut."""
        self._followed = []

    def step(
        self, luma: UInt8[np.ndarray, "h w"], boxes: Sequence[Box] | None, time_s: float
    ) -> list[Track]:
        """Move on to a frame; `boxes` is None where the detector did not look.

        Raises:
            ValueError: The frame is not later than the one before.
        """
        if self._last_s is not None and to_ns(time_s) <= to_ns(self._last_s):
            raise ValueError(f"frame at {time_s:.6f} s after one at {self._last_s:.6f} s")
        if self._last_s is not None and self._is_gap(time_s - self._last_s):
            self._followed = []  # nobody watched meanwhile: whoever is there now may be another
        self._last_s = time_s
        self._followed = [self._move(face, luma, time_s) for face in self._followed]
        if boxes is not None:
            self._look(luma, boxes, time_s)
        self._followed = [face for face in self._followed if self._is_there(face, time_s)]
        return [face.to_track(time_s) for face in self._followed]

    def _move(self, face: _Followed, luma: UInt8[np.ndarray, "h w"], time_s: float) -> _Followed:
        moved = mo.predict(face.motion, time_s)
        if face.pattern is not None:
            found = find_pattern(luma, face.pattern, moved.x, moved.y, moved.height)
            if found is not None:
                moved = mo.move_to(moved, *found)
        return replace(face, motion=moved)

    def _look(self, luma: UInt8[np.ndarray, "h w"], boxes: Sequence[Box], time_s: float) -> None:
        matches = _assign([face.motion for face in self._followed], boxes, self._config)
        self._followed = [
            self._found(face, luma, boxes[matches[i]])
            if i in matches
            else replace(face, is_detected=False)
            for i, face in enumerate(self._followed)
        ]
        left = sorted(set(range(len(boxes))) - set(matches.values()))
        for i in left:
            if boxes[i].score >= self._config.start_score:
                self._begin(luma, boxes[i], time_s)

    def _begin(self, luma: UInt8[np.ndarray, "h w"], box: Box, time_s: float) -> None:
        motion = mo.start(box, time_s)
        pattern = self._pattern(luma, motion)
        self._followed.append(_Followed(self._next_id, time_s, motion, box.score, True, pattern))
        self._next_id += 1

    def _found(self, face: _Followed, luma: UInt8[np.ndarray, "h w"], box: Box) -> _Followed:
        corrected = mo.correct(face.motion, box)
        return replace(
            face,
            motion=corrected,
            score=box.score,
            is_detected=True,
            pattern=self._pattern(luma, corrected),
        )

    def _pattern(self, luma: UInt8[np.ndarray, "h w"], motion: Motion) -> Pattern | None:
        if not self._config.follow_image:
            return None
        return cut_pattern(luma, motion.x, motion.y, motion.height)

    def _is_there(self, face: _Followed, time_s: float) -> bool:
        if not face.is_detected and face.motion.num_looks == 1:
            return False
        return not self._is_gap(time_s - face.motion.look_s)

    def _is_gap(self, elapsed_s: float) -> bool:
        return to_ns(elapsed_s) > to_ns(self._config.max_gap_s)


def _assign(
    motions: Sequence[Motion], boxes: Sequence[Box], config: TrackerConfig
) -> dict[int, int]:
    """Return which box each face takes, so that all are as near as can be together."""
    if not motions or not boxes:
        return {}
    cost = np.array([[mo.distance(motion, box) for box in boxes] for motion in motions])
    # Beyond reach all are equally wrong: else one impossible pair could cost two good ones.
    rows, columns = linear_sum_assignment(np.minimum(cost, config.max_distance))
    return {
        int(i): int(j)
        for i, j in zip(rows, columns, strict=True)
        if cost[i, j] < config.max_distance
    }
