"""A head in space: how it is held, and where its points come to lie in a picture.

Face units: the origin lies between the eyes' height and the nose, x to the viewer's right, y down,
z towards the viewer; 1 is half the width of an average face.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Points = Float[np.ndarray, "_ 2"]
_DEPTH = 0.8  # of the face's front above the ears' plane: flatter than a ball, as heads are


@dataclass(frozen=True)
class Pose:
    """How the head is held and where it is, in pixels of the picture that is drawn on."""

    x_px: float
    y_px: float
    unit_px: float
    """Length of one face unit."""
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    """Positive looks down."""
    roll_deg: float = 0.0


@dataclass(frozen=True, eq=False)
class Curve:
    """Points on the head, and how far they stand out from its surface (None: z is 0)."""

    points: Points
    lift: float | None = 0.0


Curves = Mapping[str, Curve]


def project(curves: Curves, pose: Pose) -> dict[str, Points]:
    """Turn the head, and return every curve in pixels."""
    xy = np.concatenate([curve.points for curve in curves.values()])
    lengths = [len(curve.points) for curve in curves.values()]
    lifts = np.repeat([np.nan if c.lift is None else c.lift for c in curves.values()], lengths)
    z = np.where(np.isnan(lifts), 0.0, surface(xy) + np.nan_to_num(lifts))
    placed = _place(xy[:, 0], xy[:, 1], z, pose)
    return dict(zip(curves, np.split(placed, np.cumsum(lengths)[:-1]), strict=True))


def surface(points: Points) -> Float[np.ndarray, " n"]:
    """Return how far towards the viewer the face's surface lies at each point."""
    inside = 1 - (points[:, 0] / 1.06) ** 2 - ((points[:, 1] + 0.1) / 1.62) ** 2
    return np.asarray(_DEPTH * np.sqrt(np.clip(inside, 0, None)))


def _place(
    x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], z: Float[np.ndarray, " n"], pose: Pose
) -> Points:
    yaw, pitch, roll = np.deg2rad([pose.yaw_deg, pose.pitch_deg, pose.roll_deg])
    x, z = x * np.cos(yaw) + z * np.sin(yaw), z * np.cos(yaw) - x * np.sin(yaw)
    y, z = y * np.cos(pitch) + z * np.sin(pitch), z * np.cos(pitch) - y * np.sin(pitch)
    x, y = x * np.cos(roll) - y * np.sin(roll), x * np.sin(roll) + y * np.cos(roll)
    nearness = pose.unit_px * (1 + 0.05 * z)
    return np.stack([pose.x_px + x * nearness, pose.y_px + y * nearness], axis=1)


def smooth(points: Points, count: int) -> Points:
    """Return `count` points along a Catmull-Rom spline through the points given."""
    at = np.linspace(0, len(points) - 1, count)
    i = np.minimum(at.astype(int), len(points) - 2)
    t = (at - i)[:, None]
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    a, b, c, d = (padded[i + k] for k in range(4))
    squared = 2 * a - 5 * b + 4 * c - d
    return np.asarray(0.5 * (2 * b + (c - a) * t + squared * t**2 + (3 * b - a - 3 * c + d) * t**3))
