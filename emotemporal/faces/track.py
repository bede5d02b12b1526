"""Faces over time: which box is whom, where everybody is between looks, who has come and gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import UInt8

from emotemporal.faces import motion as mo
from emotemporal.faces.appearance import Appearance, blend, describe
from emotemporal.faces.followed import Followed, go_on, is_close, miss, move, start_course
from emotemporal.faces.match import MatchConfig, assign, cost_of, is_alone, is_in_reach
from emotemporal.faces.motion import Motion
from emotemporal.faces.refine import Pattern, cut_pattern
from emotemporal.timing import to_ns
from emotemporal.types import Box, Track

_KEEP_LOOKS = 0.25  # weight of what a face looks like now against what it looked like before


@dataclass(frozen=True)
class TrackerConfig:
    """How often faces are looked for, and how long one that is not found is waited for."""

    detect_every_s: float = 0.2
    """How often the detector looks; 0 is at every frame. Between two looks faces are followed by
    motion and likeness."""
    look_again_s: float = 0.1
    """A face whose likeness is lost between two looks is looked for again this long after the last
    look."""
    max_unseen_s: float = 0.5
    """A face that is not found is still given for this long, where it should be by now. Then the
    network's memory of it ends."""
    max_gap_s: float = 1.5
    """A face that is found again within this time keeps its id; whoever comes later is somebody
    new."""
    match: MatchConfig = field(default_factory=MatchConfig)
    """Which box is whose."""
    start_score: float = 0.7
    """A box with a lower score goes on with a face, but begins none."""
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


class FaceTracker:
    """Follows the faces of one stream. Depends on times and pixels alone, never on a clock.

    Ids count up from 0 and are never given twice. A face that was seen but once is not given from
    the first look on that misses it: most are none. One that comes up where somebody was lost is
    held back for a look, to see whether it is them.
    """

    def __init__(self, config: TrackerConfig) -> None:
        self._config = config
        self._followed: list[Followed] = []
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
        self._followed = self._move(luma, time_s)
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

    def _move(self, luma: UInt8[np.ndarray, "h w"], time_s: float) -> list[Followed]:
        faces = self._followed
        return [
            move(
                face,
                luma,
                time_s,
                is_crowded=any(is_close(face, o) for o in faces if o is not face),
            )
            for face in faces
        ]

    def _is_unsure(self, time_s: float) -> bool:
        if to_ns(time_s - self._look_s) < to_ns(self._config.look_again_s):
            return False
        return any(face.is_unsure and face.is_detected for face in self._followed)

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
            else miss(face, before)
            for i, face in enumerate(before)
        ]
        self._rejoin()
        for j in sorted(set(range(len(boxes))) - set(matches.values())):
            if boxes[j].score >= self._config.start_score:
                self._begin(luma, boxes[j], looks[j])
        self._name()

    def _found(
        self,
        face: Followed,
        luma: UInt8[np.ndarray, "h w"],
        boxes: Sequence[Box],
        j: int,
        look: Appearance,
    ) -> Followed:
        corrected = mo.correct(face.motion, boxes[j])
        found = replace(
            face,
            motion=corrected,
            course=go_on(face.course, boxes[j], self._look_s),
            score=boxes[j].score,
            is_detected=True,
            is_unsure=False,
            is_off=False,
        )
        if face.id is None:
            return replace(found, pattern=self._pattern(luma, corrected), appearance=look)
        if not is_alone(boxes[j], boxes):  # what it looks like there is half of somebody else
            return found
        appearance = blend(face.appearance, look, _KEEP_LOOKS)
        return replace(found, pattern=self._pattern(luma, corrected), appearance=appearance)

    def _begin(self, luma: UInt8[np.ndarray, "h w"], box: Box, look: Appearance) -> None:
        motion = mo.start(box, self._look_s)
        pattern, course = self._pattern(luma, motion), start_course(box, self._look_s)
        self._followed.append(
            Followed(None, self._look_s, motion, course, box.score, pattern, look)
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

    def _is_kept(self, face: Followed, time_s: float, image: UInt8[np.ndarray, "h w 3"]) -> bool:
        if not face.is_detected and face.id is None:
            return False
        is_outside = not (
            0 <= face.motion.x < image.shape[1] and 0 <= face.motion.y < image.shape[0]
        )
        if is_outside and not face.is_detected:
            return False
        return not self._is_gap(time_s - face.motion.look_s)

    def _is_unseen(self, face: Followed, time_s: float) -> bool:
        if not face.is_detected and face.motion.num_looks == 1:
            return True  # most were none
        return to_ns(time_s - face.motion.look_s) > to_ns(self._config.max_unseen_s)

    def _is_gap(self, elapsed_s: float) -> bool:
        return to_ns(elapsed_s) > to_ns(self._config.max_gap_s)
