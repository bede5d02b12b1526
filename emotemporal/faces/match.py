"""Whose box is whose: by place and size, by what is known of how people look, all together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from emotemporal.faces import motion as mo
from emotemporal.faces.appearance import Appearance, unlikeness
from emotemporal.faces.motion import Motion
from emotemporal.types import Box

_SOON_S = 0.2  # found again within this, a face was not away
_AT_PLACE = 0.3  # face heights: detectors' boxes shake by a tenth
_NEVER = 1e6


@dataclass(frozen=True)
class MatchConfig:
    """How far a face may be from where it was expected, and how different it may look."""

    max_distance: float = 0.8
    """How far from where it was expected a face may be that the last look found, in face heights; a
    change of size counts as distance."""
    reach_per_s: float = 3.0
    """How much farther one may be for each second that it was not seen: people walk."""
    max_unlikeness: float = 0.12
    """A face that was lost is known again only if it looks like it. Measured on nine real clips:
    99 % of faces are within 0.05 of themselves a second before, half of the pairs of people are
    beyond 0.12; see faces/appearance.py."""
    looks_weight: float = 8.0
    """What a whole unlikeness weighs against a face height of distance."""

    def __post_init__(self) -> None:
        if self.max_distance <= 0 or self.reach_per_s < 0 or self.looks_weight < 0:
            raise ValueError(
                f"max_distance is {self.max_distance}, reach_per_s {self.reach_per_s}, "
                f"looks_weight {self.looks_weight}; the first above 0, the others at least 0"
            )
        if not 0 < self.max_unlikeness <= 1:
            raise ValueError(f"max_unlikeness is {self.max_unlikeness}; it is above 0, at most 1")


@dataclass(frozen=True, eq=False)
class Seen:
    """What is known of one face when boxes are matched."""

    motion: Motion
    appearance: Appearance
    unseen_s: float
    is_lost: bool
    """The last look missed it."""


def is_in_reach(face: Seen, other: Motion, config: MatchConfig) -> bool:
    """Tell whether a face can have come to where another is."""
    return mo.gap(face.motion, other) < _gate(face, config)


def cost_of(face: Seen, other: Motion, look: Appearance, config: MatchConfig) -> float:
    """Return how unlikely it is that a face is what is seen; infinite where it cannot be."""
    gap, gate = mo.gap(face.motion, other), _gate(face, config)
    if gap >= gate:
        return math.inf
    unlike = unlikeness(face.appearance, look)
    cost = gap + config.looks_weight * unlike
    if face.is_lost:
        return cost if unlike <= config.max_unlikeness else math.inf
    # Where it was expected, a face may change its looks at once, as when a light goes on; what is
    # neither there nor like it is somebody else.
    return cost if gap < _AT_PLACE or cost < 1.5 * gate else math.inf


def _gate(face: Seen, config: MatchConfig) -> float:
    return config.max_distance + config.reach_per_s * max(0.0, face.unseen_s - _SOON_S)


def assign(
    faces: Sequence[Seen],
    boxes: Sequence[Box],
    looks: Sequence[Appearance],
    config: MatchConfig,
) -> dict[int, int]:
    """Return which box each face takes, so that all are as near and as like as can be together."""
    if not faces or not boxes:
        return {}
    places = [mo.start(box, 0.0) for box in boxes]
    cost = np.array(
        [
            [cost_of(face, place, look, config) for place, look in zip(places, looks, strict=True)]
            for face in faces
        ]
    )
    # What cannot be costs the same everywhere: else one impossible pair could cost two good ones.
    rows, columns = linear_sum_assignment(np.minimum(cost, _NEVER))
    return {int(i): int(j) for i, j in zip(rows, columns, strict=True) if np.isfinite(cost[i, j])}


def is_alone(box: Box, boxes: Sequence[Box]) -> bool:
    """Tell whether no other box covers a part of this one, or of what it is described by."""
    return not any(_is_near(box, other) for other in boxes if other is not box)


def _is_near(one: Box, other: Box) -> bool:
    across = abs(one.x1 + one.x2 - other.x1 - other.x2) < one.width_px + other.width_px
    along = abs(one.y1 + one.y2 - other.y1 - other.y2) < one.height_px + other.height_px
    return bool(across and along)
