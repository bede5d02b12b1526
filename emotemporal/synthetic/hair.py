"""Hair, ears, neck and clothes: what frames a face."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from emotemporal.synthetic.head import Curve, Points, Pose, project, smooth
from emotemporal.synthetic.identity import Identity, scale_colour
from emotemporal.synthetic.paint import Picture, dot, fill, stroke, taper

_ARC = np.linspace(np.pi, 2 * np.pi, 25)  # from the viewer's left ear over the top to the right


def paint_behind(
    picture: Picture, lines: Mapping[str, Points], identity: Identity, pose: Pose
) -> None:
    """Paint what the face hides: long hair, body, neck and ears, in place."""
    if identity.hair_style == "long":
        dark = scale_colour(identity.hair, 0.72)
        fill(picture, _on_head(_mane(identity), pose, None), dark)
    if identity.hair_style != "bald":
        # The hairline turns with the face, the skull's edge does not: no wall between the two.
        fill(picture, _on_head(_cap(identity)[0], pose, None), scale_colour(identity.hair, 0.9))
    _paint_body(picture, lines, identity, pose)
    if identity.hair_style == "long":
        return
    for name in ("left", "right"):
        fill(picture, lines[f"ear_{name}"], scale_colour(identity.skin, 0.88))
        fill(picture, lines[f"ear_hollow_{name}"], scale_colour(identity.skin, 0.74))


def _mane(identity: Identity) -> Points:
    length, wide = 1.75, 1.2 * identity.width
    top = np.stack([wide * np.cos(_ARC), -0.35 + 1.28 * np.sin(_ARC)], axis=1)
    side = [[wide, -0.35], [wide * 1.06, 0.4], [wide * 1.02, length - 0.3], [wide * 0.75, length]]
    right = smooth(np.array(side), 16)
    return np.concatenate([top, right, right[::-1] * [-1, 1]])


def _paint_body(
    picture: Picture, lines: Mapping[str, Points], identity: Identity, pose: Pose
) -> None:
    unit = pose.unit_px
    # Shoulders stay where they are while the head above them turns; the neck goes half the way.
    chin = lines["outline"][33]
    lean = np.array([0.35 * (chin[0] - pose.x_px), 0.0])
    base = np.array([pose.x_px, pose.y_px])
    side = np.array([[0.5, 0.7], [0.5, 1.4], [0.6, 1.75], [0.6, 2.4]])
    neck = _mirrored(side) * unit + base
    neck[[0, 1, 6, 7]] += lean
    fill(picture, neck, scale_colour(identity.skin, 0.86))
    jaw = lines["outline"][22:45]
    deep = jaw * [1, 0.25] + (jaw + np.array([0, 0.26 * unit])) * [0, 0.75]
    shadow = np.concatenate([jaw, deep[::-1]])
    half = np.array([0.5 * unit, 1e4])
    fill(picture, np.clip(shadow, base + lean - half, base + lean + half), _in_shadow(identity))
    collar = np.array([[0.0, 2.02], [0.34, 1.72], [0.52, 1.4]])
    slope = np.array([[0.52, 1.4], [0.86, 1.6], [1.45, 1.8], [1.88, 2.1], [2.1, 2.7], [2.2, 4.5]])
    body = np.concatenate([collar, smooth(slope, 30)])
    fill(picture, _mirrored(body) * unit + base, identity.clothes)
    neckline = np.concatenate([collar[::-1], collar[1:] * [-1, 1]]) * unit + base
    stroke(picture, neckline, scale_colour(identity.clothes, 0.76), 0.07 * unit)


def _in_shadow(identity: Identity) -> tuple[int, int, int]:
    return scale_colour(identity.skin, 0.68)


def _mirrored(right: Points) -> Points:
    return np.concatenate([right, right[::-1] * [-1, 1]])


def paint_hair(picture: Picture, identity: Identity, pose: Pose) -> None:
    """Paint the hair above and beside the face, in place."""
    if identity.hair_style == "bald":
        return
    unit = pose.unit_px
    if identity.hair_style == "bun":
        dot(
            picture,
            _on_head(np.array([[0.0, -1.66]]), pose, None),
            0.36 * unit,
            scale_colour(identity.hair, 0.85),
        )
    if identity.hair_style == "curly":
        _paint_curls(picture, identity, pose)
    outer, inner = _cap(identity)
    cap = np.concatenate([_on_head(outer, pose, None), _on_head(inner, pose, 0.05)])
    fill(picture, cap, identity.hair)
    _paint_sheen(picture, identity, pose)


def _cap(identity: Identity) -> tuple[Points, Points]:
    """Return the outer edge of the hair, left to right, and the hairline, right to left."""
    style = identity.hair_style
    thick = {"crop": 0.05, "side": 0.12, "fringe": 0.12, "long": 0.14, "curly": 0.2}.get(
        style, 0.06
    )
    wide = identity.width * (1.0 + thick * 0.55)
    top = np.stack([wide * np.cos(_ARC), -0.42 + (1.02 + thick) * np.sin(_ARC)], axis=1)
    ends = {"long": 1.3, "fringe": 0.1, "curly": -0.05}.get(style, -0.12)
    low = 1.1 if style == "long" else 1.01
    outer = np.concatenate([[[-wide * low, ends]], top, [[wide * low, ends]]])
    x = np.linspace(0.9, -0.9, 31) * identity.width
    y = _hairline(identity, x)
    temple = np.array([[0.93 * identity.width, ends], [0.955 * identity.width, -0.3]])
    if style == "long":
        temple = np.array([[0.98, ends], [0.86, 0.7], [0.93, -0.3]]) * [identity.width, 1]
    inner = np.concatenate([temple, np.stack([x, y], axis=1), temple[::-1] * [-1, 1]])
    return outer, inner


def _hairline(identity: Identity, x: np.ndarray) -> np.ndarray:
    part = identity.hair_part
    away = np.abs(x - part)
    side = 0.36 * np.abs(x / 0.9) ** 4
    if identity.hair_style == "fringe":
        return np.asarray(-0.8 + 0.05 * np.sin(x * 17 + part * 9) + 0.25 * np.abs(x / 0.9) ** 4)
    if identity.hair_style == "long":
        return np.asarray(-1.14 + 0.62 * np.clip(away / 1.1, 0, 1) ** 0.8 + 0.5 * side)
    if identity.hair_style == "side":
        return np.asarray(-1.08 + 0.2 * np.clip(away / 0.9, 0, 1) ** 0.6 + side)
    if identity.hair_style == "curly":
        return np.asarray(-0.96 + 0.045 * np.sin(x * 15) + side)
    return np.asarray(-1.06 + 0.04 * np.cos(x * 6) + side)


def _paint_curls(picture: Picture, identity: Identity, pose: Pose) -> None:
    angles = np.linspace(np.pi * 0.94, np.pi * 2.06, 15)
    ring = np.stack([1.08 * identity.width * np.cos(angles), -0.45 + 1.12 * np.sin(angles)], axis=1)
    for i, centre in enumerate(_on_head(ring, pose, None)):
        colour = scale_colour(identity.hair, 0.9 if i % 2 else 1.04)
        dot(picture, centre[None], (0.24 + 0.03 * (i % 3)) * pose.unit_px, colour)


def _paint_sheen(picture: Picture, identity: Identity, pose: Pose) -> None:
    """Strands that follow the skull: light ones where it shines, dark ones at the parting."""
    unit = pose.unit_px
    t = np.linspace(0, 1, 9)
    light, dark = scale_colour(identity.hair, 1.22), scale_colour(identity.hair, 0.8)
    for i, start in enumerate(np.linspace(-0.66, 0.66, 7)):
        x = start * (0.72 + 0.28 * t) + identity.hair_part * 0.12 * (1 - t)
        y = -1.36 + 0.2 * start**2 + (0.24 + 0.12 * abs(start)) * t
        strand = _on_head(np.stack([x, y], axis=1), pose, None)
        widths = np.sin(np.pi * t) * (0.06 if i % 2 else 0.035) * unit
        taper(picture, strand, light if i % 2 else dark, widths + 0.5)


def _on_head(points: Points, pose: Pose, lift: float | None) -> Points:
    return project({"points": Curve(points, lift)}, pose)["points"]
