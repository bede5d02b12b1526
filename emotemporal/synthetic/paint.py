"""Filled shapes, lines and soft shadows on an RGB picture, with sub-pixel ends."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from emotemporal.synthetic.head import Points
from emotemporal.synthetic.identity import Colour

Picture = UInt8[np.ndarray, "_ _ 3"]
Mask = UInt8[np.ndarray, "_ _"]
_SHIFT = 4  # OpenCV's fixed point: sixteenths of a pixel, else slow movements jump


def fill(picture: Picture | Mask, points: Points, colour: Colour | int) -> None:
    """Fill a polygon, in place."""
    cv2.fillPoly(picture, [_fixed(points)], _scalar(colour), cv2.LINE_AA, _SHIFT)


def stroke(
    picture: Picture | Mask,
    points: Points,
    colour: Colour | int,
    width_px: float,
    closed: bool = False,
) -> None:
    """Draw a line of even width, in place."""
    thickness = max(1, round(width_px))
    cv2.polylines(
        picture, [_fixed(points)], closed, _scalar(colour), thickness, cv2.LINE_AA, _SHIFT
    )


def taper(
    picture: Picture | Mask,
    points: Points,
    colour: Colour | int,
    widths_px: Float[np.ndarray, " n"],
) -> None:
    """Draw a line that swells and thins, in place. A width is the whole, across."""
    fill(picture, ribbon(points, widths_px), colour)


def ribbon(points: Points, widths_px: Float[np.ndarray, " n"]) -> Points:
    """Return the outline of a line with a width at each of its points."""
    ends = np.concatenate([points[:1], points, points[-1:]])
    along = ends[2:] - ends[:-2]
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    across /= np.hypot(along[:, 0], along[:, 1])[:, None] + 1e-9
    half = across * (widths_px / 2)[:, None]
    return np.concatenate([points + half, (points - half)[::-1]])


def dot(picture: Picture | Mask, centre: Points, radius_px: float, colour: Colour | int) -> None:
    """Fill a circle, in place."""
    x, y = (round(float(value) * (1 << _SHIFT)) for value in centre[0])
    radius = max(1, round(radius_px * (1 << _SHIFT)))
    cv2.circle(picture, (x, y), radius, _scalar(colour), -1, cv2.LINE_AA, _SHIFT)


def oval(
    picture: Picture | Mask,
    centre: Points,
    radii_px: tuple[float, float],
    angle_deg: float,
    colour: Colour | int,
) -> None:
    """Fill an ellipse, in place."""
    x, y = (round(float(value) * (1 << _SHIFT)) for value in centre[0])
    width, height = (max(1, round(radius * (1 << _SHIFT))) for radius in radii_px)
    cv2.ellipse(
        picture,
        (x, y),
        (width, height),
        angle_deg,
        0,
        360,
        _scalar(colour),
        -1,
        cv2.LINE_AA,
        _SHIFT,
    )


def window(picture: Picture, points: Points, margin_px: int) -> tuple[slice, slice]:
    """Return the rows and columns around the points, within the picture (empty if outside)."""
    height, width = picture.shape[:2]
    x1, y1 = np.floor(points.min(axis=0)).astype(int) - margin_px
    x2, y2 = np.ceil(points.max(axis=0)).astype(int) + margin_px + 1
    rows = slice(int(np.clip(y1, 0, height)), int(np.clip(y2, 0, height)))
    return rows, slice(int(np.clip(x1, 0, width)), int(np.clip(x2, 0, width)))


def _fixed(points: Points) -> np.ndarray:
    return np.rint(points * (1 << _SHIFT)).astype(np.int32)


def _scalar(colour: Colour | int) -> tuple[int, ...]:
    return (colour,) if isinstance(colour, int) else colour
