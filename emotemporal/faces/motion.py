"""Where a face is between two looks of the detector, and how a look corrects it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from emotemporal.types import Box

# A detector's boxes shake by a few percent of the face from look to look, its size more than its
# place; these let the crop follow a head that really moves and not the shaking.
PLACE_TIME_CONSTANT_S = 0.3
SIZE_TIME_CONSTANT_S = 0.6
VELOCITY_TIME_CONSTANT_S = 0.25
COAST_TIME_CONSTANT_S = 0.2  # unseen, a head goes on for a moment, then it is taken to stand


@dataclass(frozen=True)
class Motion:
    """Place, size and velocity of one face; a value, each function gives a new one."""

    x: float
    y: float
    width: float
    height: float
    vx: float
    vy: float
    time_s: float
    num_looks: int
    look_s: float
    """When the detector last found it."""
    look_x: float
    look_y: float
    """Where it was then, after correction; the velocity is counted from there."""


def start(box: Box, time_s: float) -> Motion:
    """Begin with a detector's box, at rest."""
    x, y = (box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2
    return Motion(x, y, box.width_px, box.height_px, 0, 0, time_s, 1, time_s, x, y)


def predict(motion: Motion, time_s: float) -> Motion:
    """Move on to `time_s`: with the velocity it had, which fades.

    Two steps give what one of the same length gives, so the frame rate does not matter.
    """
    elapsed_s = time_s - motion.time_s
    fade = math.exp(-elapsed_s / COAST_TIME_CONSTANT_S)
    way_s = COAST_TIME_CONSTANT_S * (1 - fade)
    return replace(
        motion,
        x=motion.x + motion.vx * way_s,
        y=motion.y + motion.vy * way_s,
        vx=motion.vx * fade,
        vy=motion.vy * fade,
        time_s=time_s,
    )


def move_to(motion: Motion, x: float, y: float) -> Motion:
    """Put the face where the image shows it, at the motion's own time."""
    return replace(motion, x=x, y=y)


def correct(motion: Motion, box: Box) -> Motion:
    """Draw a motion, already at the box's time, towards what the detector sees.

    The first looks are averaged; later ones count by the time since the look before. A place that
    is off by a good part of the face is no shaking and is followed at once; a size is not, for
    heads do not grow within a look, but detectors now and then take half a face for one.
    """
    since_s = max(motion.time_s - motion.look_s, 1e-3)
    x, y = (box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2
    off = math.hypot(x - motion.x, y - motion.y) / motion.height
    usual = _gain(since_s, PLACE_TIME_CONSTANT_S, motion.num_looks)
    place = min(1.0, max(usual, off / 0.4))
    size = _gain(since_s, SIZE_TIME_CONSTANT_S, motion.num_looks)
    new_x, new_y = motion.x + place * (x - motion.x), motion.y + place * (y - motion.y)
    follow = 1 - math.exp(-since_s / VELOCITY_TIME_CONSTANT_S)
    vx, vy = (new_x - motion.look_x) / since_s, (new_y - motion.look_y) / since_s
    return replace(
        motion,
        x=new_x,
        y=new_y,
        width=motion.width * (box.width_px / motion.width) ** size,
        height=motion.height * (box.height_px / motion.height) ** size,
        vx=motion.vx + follow * (vx - motion.vx),
        vy=motion.vy + follow * (vy - motion.vy),
        num_looks=motion.num_looks + 1,
        look_s=motion.time_s,
        look_x=new_x,
        look_y=new_y,
    )


def to_box(motion: Motion, score: float) -> Box:
    """Return the face's box."""
    half_w, half_h = motion.width / 2, motion.height / 2
    return Box(motion.x - half_w, motion.y - half_h, motion.x + half_w, motion.y + half_h, score)


def gap(one: Motion, other: Motion) -> float:
    """Return how far apart two faces are: in face heights, size counted in."""
    mean_height = (one.height + other.height) / 2
    off = math.hypot(one.x - other.x, one.y - other.y) / mean_height
    return float(off + abs(math.log(one.height / other.height)))


def _gain(since_s: float, time_constant_s: float, num_looks: int) -> float:
    return max(1 / (num_looks + 1), 1 - math.exp(-since_s / time_constant_s))
