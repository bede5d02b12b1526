"""Faces over time: which box is whom, where everybody is between looks, who has come and gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import UInt8

from emotemporal.faces import motion as mo
from emotemporal.faces.appearance import Appearance, blend, describe
from emotemporal.faces.match import MatchConfig, Seen, assign, cost_of, is_alone, is_in_reach
from emotemporal.faces.motion import Motion
from emotemporal.faces.refine import Pattern, cut_pattern, find_pattern
from emotemporal.timing import to_ns
from emotemporal.types import Box, Track

_KEEP_LOOKS = 0.25  # weight of what a face looks like now against what it looked like before


@dataclass(frozen=True)
class TrackerConfig:
    """How often faces are looked for, and how long one that is not found is waited for."""

    detect_every_s: float = 0.2
    """Between, faces are followed by motion and likeness; 0 detects on every frame."""
    look_again_s: float = 0.1
    """After a look, before another one for a face that likeness has lost."""
    max_unseen_s: float = 0.5
    """So long a face that is not found is still given, where it should be; the network's memory of
    it ends then."""
    max_gap_s: float = 1.5
    """Not found for longer, a face has gone; whoever comes then is somebody new. Found before, it
    keeps its id."""
    match: MatchConfig = field(default_factory=MatchConfig)
    """Which box is whose."""
    start_score: float = 0.7
    """A box with less goes on with a face, but begins none."""
    follow_image: bool = True
    """Refine the place on every frame by likeness; else by the motion alone."""

    def __post_init__(self) -> None:
        if self.detect_every_s < 0 or self.look_again_s < 0:
            raise ValueError(
                f"detect_every_s is {self.detect_every_s} and look_again_s {self.look_again_s}; "
                "both at least 0"
            )
        if not self.detect_every_s < self.max_unseen_s <= self.max_gap_s:
            raise ValueError(
                f"max_unseen_s {self.max_unseen_s} must be longer than detect_every_s "
                f"{self.detect_every_s}, or every face is lost between two looks; and max_gap_s "
                f"{self.max_gap_s} no shorter than that"
            )


@dataclass(frozen=True, eq=False)
class _Followed:
    id: int | None
    """None while it may be somebody who has only been hidden."""
    born_s: float
    motion: Motion
    found: Motion
    """What the motion was when the detector last found the face."""
    score: float
    is_detected: bool
    is_lost: bool
    """Likeness does not find it either."""
    pattern: Pattern | None
    appearance: Appearance
    is_hidden: bool = False
    """Missed while it was close to somebody else: behind them."""

    @property
    def seen(self) -> Seen:
        unseen_s = self.motion.time_s - self.motion.look_s
        return Seen(self.motion, self.appearance, unseen_s, not self.is_detected)

    def to_track(self, track_id: int, time_s: float) -> Track:
        box = mo.to_box(self.motion, self.score)
        return Track(track_id, box, time_s - self.born_s, self.is_detected)


class FaceTracker:
    """Follows the faces of one stream. Depends on times and pixels alone, never on a clock.

    Ids count up from 0 and are never given twice. A face that was seen but once is dropped at the
    first look that misses it: most are none. One that comes up where somebody was lost is held back
    for a look, to see whether it is them.
    """

    def __init__(self, config: TrackerConfig) -> None:
        self._config = config
        self._followed: list[_Followed] = []
        self._next_id = 0
        self._last_s: float | None = None
        self._look_s = -np.inf

    def end_all(self) -> None:
        """Forget every face, as at a scene cut."""
        self._followed = []

    def step(
        self,
        image: UInt8[np.ndarray, "h w 3"],
        luma: UInt8[np.ndarray, "h w"],
        boxes: Sequence[Box] | None,
        time_s: float,
        look_again: Callable[[], Sequence[Box]] | None = None,
    ) -> list[Track]:
        """Move on to a frame.

        Args:
            image: RGB.
            luma: Of the image.
            boxes: The detector's; None where it did not look.
            time_s: Of the frame.
            look_again: Asked for boxes where there are none and a face is not found by likeness.

        Raises:
            ValueError: The frame is not later than the one before.
        """
        if self._last_s is not None and to_ns(time_s) <= to_ns(self._last_s):
            raise ValueError(f"frame at {time_s:.6f} s after one at {self._last_s:.6f} s")
        if self._last_s is not None and self._is_gap(time_s - self._last_s):
            self._followed = []  # nobody watched meanwhile: whoever is there now may be another
        self._last_s = time_s
        self._followed = [self._move(face, luma, time_s) for face in self._followed]
        if boxes is None and look_again is not None and self._is_unsure(time_s):
            boxes = look_again()
        if boxes is not None:
            self._look_s = time_s
            self._look(image, luma, boxes)
        self._followed = [face for face in self._followed if self._is_kept(face, time_s, image)]
        return [
            face.to_track(face.id, time_s)
            for face in self._followed
            if face.id is not None and not self._is_unseen(face, time_s)
        ]

    def _move(self, face: _Followed, luma: UInt8[np.ndarray, "h w"], time_s: float) -> _Followed:
        if face.is_hidden:
            return replace(face, motion=mo.predict(face.motion, time_s, mo.HIDDEN_TIME_CONSTANT_S))
        moved = mo.predict(face.motion, time_s)
        if face.pattern is None:
            return replace(face, motion=moved)
        found = find_pattern(luma, face.pattern, moved.x, moved.y, moved.height)
        if found is not None:
            moved = mo.move_to(moved, *found)
        return replace(face, motion=moved, is_lost=found is None)

    def _is_unsure(self, time_s: float) -> bool:
        if to_ns(time_s - self._look_s) < to_ns(self._config.look_again_s):
            return False
        return any(face.is_lost and face.is_detected for face in self._followed)

    def _look(
        self,
        image: UInt8[np.ndarray, "h w 3"],
        luma: UInt8[np.ndarray, "h w"],
        boxes: Sequence[Box],
    ) -> None:
        looks = [describe(image, box) for box in boxes]
        matches = assign([f.seen for f in self._followed], boxes, looks, self._config.match)
        before = self._followed
        self._followed = [
            self._found(face, luma, boxes, matches[i], looks[matches[i]])
            if i in matches
            else replace(face, is_detected=False)
            for i, face in enumerate(before)
        ]
        self._followed = [self._hide(face) for face in self._followed]
        self._rejoin()
        for j in sorted(set(range(len(boxes))) - set(matches.values())):
            if boxes[j].score >= self._config.start_score:
                self._begin(luma, boxes[j], looks[j])
        self._name()

    def _found(
        self,
        face: _Followed,
        luma: UInt8[np.ndarray, "h w"],
        boxes: Sequence[Box],
        j: int,
        look: Appearance,
    ) -> _Followed:
        corrected = mo.correct(face.motion, boxes[j])
        appearance = face.appearance
        if is_alone(boxes[j], boxes):  # else it is half of somebody else's
            weight = 1.0 if face.id is None else _KEEP_LOOKS
            appearance = blend(appearance, look, weight)
        return replace(
            face,
            motion=corrected,
            found=corrected,
            score=boxes[j].score,
            is_detected=True,
            is_lost=False,
            is_hidden=False,
            pattern=self._pattern(luma, corrected),
            appearance=appearance,
        )

    def _hide(self, face: _Followed) -> _Followed:
        """Let a face that was missed beside another go on as it went, not with the other's face."""
        if face.is_detected or face.is_hidden:
            return face
        others = [other.motion for other in self._followed if other.is_detected]
        if not any(mo.is_merged(face.motion, other) for other in others):
            return face
        now_s = face.motion.time_s
        went_on = mo.predict(face.found, now_s, mo.HIDDEN_TIME_CONSTANT_S)
        return replace(face, motion=went_on, is_hidden=True)

    def _begin(self, luma: UInt8[np.ndarray, "h w"], box: Box, look: Appearance) -> None:
        motion = mo.start(box, self._look_s)
        pattern = self._pattern(luma, motion)
        self._followed.append(
            _Followed(None, self._look_s, motion, motion, box.score, True, False, pattern, look)
        )

    def _rejoin(self) -> None:
        """Give lost faces what has just come up, where it turns out to be them."""
        for lost in [face for face in self._followed if face.id is not None]:
            new = [face for face in self._followed if face.id is None and face.is_detected]
            if lost.is_detected or not new:
                continue
            costs = [cost_of(lost.seen, f.motion, f.appearance, self._config.match) for f in new]
            best = int(np.argmin(costs))
            if np.isfinite(costs[best]):
                joined = replace(new[best], id=lost.id, born_s=lost.born_s)
                gone = (lost, new[best])
                self._followed = [f for f in self._followed if f not in gone] + [joined]

    def _name(self) -> None:
        """Give ids to those who are nobody that was lost, or could not be."""
        lost = [f.seen for f in self._followed if f.id is not None and not f.is_detected]
        for i, face in enumerate(self._followed):
            if face.id is not None or not face.is_detected:
                continue
            may_be_lost = any(is_in_reach(one, face.motion, self._config.match) for one in lost)
            if face.motion.num_looks > 1 or not may_be_lost:
                self._followed[i] = replace(face, id=self._next_id)
                self._next_id += 1

    def _pattern(self, luma: UInt8[np.ndarray, "h w"], motion: Motion) -> Pattern | None:
        if not self._config.follow_image:
            return None
        return cut_pattern(luma, motion.x, motion.y, motion.height)

    def _is_kept(self, face: _Followed, time_s: float, image: UInt8[np.ndarray, "h w 3"]) -> bool:
        if not face.is_detected and (face.motion.num_looks == 1 or face.id is None):
            return False
        is_outside = not (
            0 <= face.motion.x < image.shape[1] and 0 <= face.motion.y < image.shape[0]
        )
        if is_outside and not face.is_detected:
            return False
        return not self._is_gap(time_s - face.motion.look_s)

    def _is_unseen(self, face: _Followed, time_s: float) -> bool:
        return to_ns(time_s - face.motion.look_s) > to_ns(self._config.max_unseen_s)

    def _is_gap(self, elapsed_s: float) -> bool:
        return to_ns(elapsed_s) > to_ns(self._config.max_gap_s)
