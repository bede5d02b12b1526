"""One face between two looks of the detector, alone or close to others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import UInt8

from emotemporal.faces import motion as mo
from emotemporal.faces.appearance import Appearance
from emotemporal.faces.match import Seen
from emotemporal.faces.motion import Motion
from emotemporal.faces.refine import Pattern, find_pattern
from emotemporal.types import Box, Track

_CLOSE = 1.1  # face heights between two centres: their boxes touch
_COAST_S = 0.8
_COURSE_S = 0.25  # over which a velocity is averaged


@dataclass(frozen=True)
class Course:
    """Where the detector saw a face go: unsmoothed, for guessing where it comes up again."""

    x: float
    y: float
    vx: float
    vy: float
    time_s: float

    def at(self, time_s: float) -> tuple[float, float]:
        """Return where it leads; people slow down, or turn, within about a second."""
        way_s = _COAST_S * (1 - math.exp(-(time_s - self.time_s) / _COAST_S))
        return self.x + self.vx * way_s, self.y + self.vy * way_s


def start_course(box: Box, time_s: float) -> Course:
    """Begin at rest."""
    return Course((box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2, 0.0, 0.0, time_s)


def go_on(course: Course, box: Box, time_s: float) -> Course:
    """Go on to where it is seen now."""
    x, y = (box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2
    since_s = max(time_s - course.time_s, 1e-3)
    follow = 1 - math.exp(-since_s / _COURSE_S)
    vx = course.vx + follow * ((x - course.x) / since_s - course.vx)
    vy = course.vy + follow * ((y - course.y) / since_s - course.vy)
    return Course(x, y, vx, vy, time_s)


@dataclass(frozen=True, eq=False)
class Followed:
    """All that is known of one face; a value, each step gives a new one."""

    id: int | None
    """None while it may be somebody who was only hidden."""
    born_s: float
    motion: Motion
    course: Course
    score: float
    pattern: Pattern | None
    """What it looked like when it was last seen alone; None where the image is not asked."""
    appearance: Appearance
    is_detected: bool = True
    """The last look found it."""
    is_unsure: bool = False
    """Likeness does not find it, or cannot be trusted."""
    is_off: bool = False
    """Its place is a guess by its course: it is close to somebody, or was when it was missed."""

    @property
    def seen(self) -> Seen:
        """What boxes are matched against."""
        unseen_s = self.motion.time_s - self.motion.look_s
        expected = self.motion
        if self.is_off:
            expected = mo.move_to(expected, *self.course.at(self.motion.time_s))
        return Seen(expected, self.appearance, unseen_s, not self.is_detected)

    def to_track(self, track_id: int, time_s: float) -> Track:
        """Return it as others know it."""
        box = mo.to_box(self.motion, self.score)
        return Track(track_id, box, time_s - self.born_s, self.is_detected)


def move(
    face: Followed, luma: UInt8[np.ndarray, "h w"], time_s: float, is_crowded: bool
) -> Followed:
    """Move a face on to a frame: to where it looks like itself or, in a crowd, as it went.

    Close to another face, likeness would follow whoever is in front.
    """
    moved = mo.predict(face.motion, time_s)
    if is_crowded or (face.is_off and not face.is_detected):
        way = _difference(face.course.at(time_s), face.course.at(face.motion.time_s))
        went_on = mo.move_to(moved, face.motion.x + way[0], face.motion.y + way[1])
        return replace(face, motion=went_on, is_unsure=True, is_off=True)
    if face.pattern is None:
        return replace(face, motion=moved)
    found = find_pattern(luma, face.pattern, moved.x, moved.y, moved.height)
    if found is not None:
        moved = mo.move_to(moved, *found)
    return replace(face, motion=moved, is_unsure=found is None, is_off=False)


def miss(face: Followed, others: Sequence[Followed]) -> Followed:
    """Note that a look did not find a face; beside another one, it is behind that."""
    if face.is_off and not face.is_detected:
        return face
    is_off = any(_apart(face, other) < _CLOSE for other in others if other is not face)
    return replace(face, is_detected=False, is_off=is_off)


def is_close(face: Followed, other: Followed) -> bool:
    """Tell whether two faces touch."""
    return _apart(face, other) < _CLOSE


def _apart(one: Followed, other: Followed) -> float:
    dx, dy = one.motion.x - other.motion.x, one.motion.y - other.motion.y
    return float(math.hypot(dx, dy) / ((one.motion.height + other.motion.height) / 2))


def _difference(to: tuple[float, float], of: tuple[float, float]) -> tuple[float, float]:
    return to[0] - of[0], to[1] - of[1]
