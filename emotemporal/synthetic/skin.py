"""Skin: its form in the light and its colour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from emotemporal.synthetic.expressions import Actions
from emotemporal.synthetic.folds import soft_folds
from emotemporal.synthetic.head import Curve, Points, Pose, project, surface
from emotemporal.synthetic.identity import Identity
from emotemporal.synthetic.lower_face import NOSE_Y
from emotemporal.synthetic.paint import Mask, Picture, fill, oval, window

_UNLIT = 200  # the grey that leaves a colour as it is; 255 brightens by a quarter
_SHRINK = 4  # shadows are soft: drawn at a quarter of the size, they cost a sixteenth


@dataclass(frozen=True)
class Light:
    """Where the light comes from and how hard it is."""

    x: float = -0.4
    """From the viewer's left (-1) to the right (1)."""
    y: float = -0.5
    """From above (-1) to below (1)."""
    hardness: float = 0.5
    """0 is a cloudy day, 1 a lamp."""


def paint_skin(
    picture: Picture,
    lines: Mapping[str, Points],
    identity: Identity,
    actions: Actions,
    light: Light,
    pose: Pose,
) -> None:
    """Paint the face's front, without eyes, brows and mouth, in place."""
    rows, columns = window(picture, lines["outline"], 2)
    target = picture[rows, columns]
    if target.size == 0:
        return
    origin = np.array([columns.start, rows.start], dtype=float)
    # One row and column more than fit, so that the enlarged patch is never short of the target.
    size_hw = (target.shape[0] // _SHRINK + 1, target.shape[1] // _SHRINK + 1)
    small_lines = {name: (points - origin) / _SHRINK for name, points in lines.items()}
    form = _warp_relief(identity, light, pose, origin, size_hw)
    folds = soft_folds(size_hw, small_lines, actions, pose.unit_px / _SHRINK)
    shade = cv2.multiply(form, folds, scale=1 / 255)
    small = np.dstack([cv2.LUT(shade, ramp) for ramp in _ramps(identity)])
    _tint(small, small_lines, identity, pose.unit_px / _SHRINK)
    large = cv2.resize(small, None, fx=_SHRINK, fy=_SHRINK, interpolation=cv2.INTER_LINEAR)
    mask = np.zeros(target.shape[:2], dtype=np.uint8)
    fill(mask, lines["outline"] - origin, 255)
    cv2.copyTo(large[: target.shape[0], : target.shape[1]], mask, target)


_RELIEF_X = np.linspace(-1.3, 1.3, 105)
_RELIEF_Y = np.linspace(-1.6, 1.6, 129)
_PX_PER_UNIT = 40.0


@lru_cache(maxsize=64)
def _relief(identity: Identity, light: Light) -> UInt8[np.ndarray, "h w"]:
    """Light a face without features: a height field, shaded by its normals."""
    x, y = np.meshgrid(_RELIEF_X, _RELIEF_Y)
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    height = surface(points).reshape(x.shape) * 0.9

    def bump(centre_x: float, centre_y: float, wide: float, tall: float) -> np.ndarray:
        return np.exp(-(((x - centre_x) / wide) ** 2) - ((y - centre_y) / tall) ** 2)

    ridge = np.clip((y + 0.3) / (NOSE_Y * identity.nose_length + 0.3), 0, 1)
    below = np.where(y > NOSE_Y * identity.nose_length, np.exp(-(((y - NOSE_Y) / 0.07) ** 2)), 1.0)
    nose_wide = (0.075 + 0.075 * ridge) * identity.nose_width
    height += (0.02 + 0.24 * ridge) * (y > -0.4) * below * np.exp(-((x / nose_wide) ** 2))
    for side in (-1.0, 1.0):
        height += 0.06 * bump(side * 0.15 * identity.nose_width, NOSE_Y - 0.02, 0.07, 0.07)
        height -= 0.13 * bump(side * identity.eye_spacing, -0.15, 0.23, 0.13)
        height += 0.05 * bump(side * 0.42, -0.47, 0.28, 0.09)
        height += 0.09 * bump(side * 0.56, 0.22, 0.26, 0.2)
    height += 0.07 * bump(0.0, 0.74, 0.3, 0.16) - 0.05 * bump(0.0, 0.96, 0.25, 0.06)
    height += 0.09 * bump(0.0, 1.12, 0.22, 0.13)
    grade_y, grade_x = np.gradient(height, 1 / _PX_PER_UNIT)
    normal = np.stack([-grade_x, -grade_y, np.full_like(height, 0.75)])
    normal /= np.linalg.norm(normal, axis=0)
    towards = np.array([light.x, light.y, 0.9])
    towards /= np.linalg.norm(towards)
    lit = np.clip(np.einsum("chw,c->hw", normal, towards), 0, 1)
    contrast = 0.32 + 0.3 * light.hardness
    shade = 1 + contrast * (lit - 0.86 * towards[2] - 0.1)
    # Sockets lie in shadow and cheekbones shine; the darker the skin, the more the shine tells.
    shine = 0.05 + 0.27 * identity.darkness
    for side in (-1.0, 1.0):
        shade -= (0.1 + 0.8 * shine) * bump(side * identity.eye_spacing, -0.2, 0.27, 0.17)
        shade += shine * bump(side * 0.5, 0.22, 0.27, 0.2)
    shade += shine * (bump(0.0, -0.12, 0.09, 0.4) + 0.6 * bump(0.0, -0.75, 0.5, 0.25))
    shade = cv2.GaussianBlur(shade.astype(np.float32), (0, 0), 1.5)
    return np.asarray(np.clip(shade * _UNLIT, 70, 250), dtype=np.uint8)


def _warp_relief(
    identity: Identity,
    light: Light,
    pose: Pose,
    origin: Float[np.ndarray, " 2"],
    size_hw: tuple[int, int],
) -> UInt8[np.ndarray, "h w"]:
    anchors = np.array([[-0.6, -0.2], [0.6, -0.2], [0.0, 0.9]])
    source = (anchors - [_RELIEF_X[0], _RELIEF_Y[0]]) * _PX_PER_UNIT
    target = (project({"a": Curve(anchors)}, pose)["a"] - origin) / _SHRINK
    matrix = cv2.getAffineTransform(source.astype(np.float32), target.astype(np.float32))
    return np.asarray(
        cv2.warpAffine(
            _relief(identity, light),
            matrix,
            size_hw[::-1],
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        dtype=np.uint8,
    )


@lru_cache(maxsize=64)
def _ramps(identity: Identity) -> tuple[UInt8[np.ndarray, " 256"], ...]:
    """Return, for each colour channel, skin from shadow to light. Shadows are warm, as blood is."""
    light = np.arange(256) / _UNLIT
    exponents = (0.8, 1.1, 1.2)
    return tuple(
        np.clip(channel * light**exponent, 0, 255).astype(np.uint8)
        for channel, exponent in zip(identity.skin, exponents, strict=True)
    )


def _tint(small: Picture, lines: Mapping[str, Points], identity: Identity, unit_px: float) -> None:
    """Redden cheeks and nose, and darken a shaved beard, in place."""
    blush = np.zeros(small.shape[:2], dtype=np.uint8)
    for name in ("left", "right"):
        oval(blush, lines[f"apple_{name}"], (0.24 * unit_px, 0.17 * unit_px), 0.0, 120)
    oval(blush, lines["nose_tip"], (0.12 * unit_px, 0.1 * unit_px), 0.0, 90)
    _blend(small, blush, (214, 98, 84), 0.1 * unit_px, 0.4)
    if identity.stubble > 0:
        beard = np.zeros(small.shape[:2], dtype=np.uint8)
        fill(beard, _beard(lines), 200)
        oval(
            beard,
            lines["philtrum"].mean(axis=0, keepdims=True),
            (0.3 * unit_px, 0.08 * unit_px),
            0.0,
            200,
        )
        _blend(small, beard, identity.hair, 0.09 * unit_px, 0.5 * identity.stubble)


def _beard(lines: Mapping[str, Points]) -> Points:
    outline = lines["outline"]
    chin = outline[20:47]
    inner = np.stack(
        [
            lines["lip_bottom"][0],
            lines["lip_bottom"][8],
            lines["lip_bottom"][16],
        ]
    )
    return np.concatenate([chin, inner])


def _blend(
    small: Picture, mask: Mask, colour: tuple[int, int, int], blur_px: float, share: float
) -> None:
    soft = cv2.GaussianBlur(mask, (0, 0), max(0.5, blur_px)).astype(np.float32) * (share / 255)
    small[:] = small + soft[:, :, None] * (np.array(colour, dtype=np.float32) - small)
