"""Eyes, brows, nose and mouth: the sharp lines that carry an expression."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from emotemporal.synthetic.head import Points, Pose
from emotemporal.synthetic.identity import Colour, Identity, mix_colours, scale_colour
from emotemporal.synthetic.paint import Picture, dot, fill, oval, ribbon, stroke, taper, window

_INK: Colour = (46, 28, 26)
_TAPER = np.sin(np.pi * np.linspace(0.12, 0.95, 17)) ** 0.6


def paint_eyes(
    picture: Picture,
    lines: Mapping[str, Points],
    identity: Identity,
    pose: Pose,
    gaze: tuple[float, float],
) -> None:
    """Paint eyeballs, lids and lashes, in place.

    Args:
        picture: RGB.
        lines: Of the face, in pixels.
        identity: Who it is.
        pose: For the scale.
        gaze: Where the eyes look, right and down, 1 being as far as eyes turn.
    """
    unit = pose.unit_px
    crease = scale_colour(identity.skin, 0.7)
    for name in ("left", "right"):
        upper, lower = lines[f"upper_lid_{name}"], lines[f"lower_lid_{name}"]
        _paint_eyeball(picture, lines, name, identity, pose, gaze)
        taper(picture, lines[f"crease_{name}"], crease, _TAPER * 0.026 * unit)
        taper(picture, lower, mix_colours(identity.skin, _INK, 0.5), _TAPER * 0.018 * unit)
        weight = 0.052 if identity.hair_style in ("long", "bun") else 0.042
        lash = np.linspace(0.35, 1.0, 17) * weight * unit
        taper(picture, upper, _INK, lash)


def _paint_eyeball(
    picture: Picture,
    lines: Mapping[str, Points],
    name: str,
    identity: Identity,
    pose: Pose,
    gaze: tuple[float, float],
) -> None:
    unit = pose.unit_px
    almond = np.concatenate([lines[f"upper_lid_{name}"], lines[f"lower_lid_{name}"][::-1]])
    rows, columns = window(picture, almond, 2)
    target = picture[rows, columns]
    if target.size == 0:
        return
    origin = np.array([columns.start, rows.start], dtype=float)
    ball = np.empty_like(target)
    ball[:] = mix_colours((240, 237, 233), identity.skin, 0.14 + 0.16 * identity.darkness)
    size = identity.eye_size * unit
    pupil = lines[f"pupil_{name}"] - origin + np.array([gaze]) * [0.07 * size, 0.045 * size]
    dot(ball, pupil, 0.112 * size, scale_colour(identity.iris, 0.55))
    dot(ball, pupil, 0.096 * size, identity.iris)
    oval(
        ball,
        pupil + np.array([[0, 0.03 * size]]),
        (0.07 * size, 0.05 * size),
        0.0,
        scale_colour(identity.iris, 1.35),
    )
    dot(ball, pupil, 0.05 * size, (18, 14, 16))
    # The lid's shadow: without it an eye stares, and a wide one does not look wide.
    lid = lines[f"upper_lid_{name}"] - origin
    veil = ball.copy()
    fill(veil, ribbon(lid, np.full(len(lid), 0.1 * unit)), (150, 136, 134))
    cv2.addWeighted(ball, 0.55, veil, 0.45, 0, dst=ball)
    dot(ball, pupil + np.array([[-0.035 * size, -0.04 * size]]), 0.026 * size, (255, 255, 255))
    mask = np.zeros(target.shape[:2], dtype=np.uint8)
    fill(mask, almond - origin, 255)
    cv2.copyTo(ball, mask, target)


def paint_brows(
    picture: Picture, lines: Mapping[str, Points], identity: Identity, pose: Pose
) -> None:
    """Paint both brows, in place."""
    t = np.linspace(0, 1, 11)
    widths = (
        0.105 * np.clip(1.02 - t, 0, 1) ** 0.6 * np.minimum(0.45 + 2.6 * t, 1)
    ) * identity.brow_weight
    # A brow that is lighter than its forehead would show no movement.
    is_light = sum(identity.hair) > 330
    hair = scale_colour(identity.hair, 0.72) if is_light else identity.hair
    if sum(hair) > 0.8 * sum(identity.skin):
        hair = scale_colour(identity.skin, 0.45)
    colour = mix_colours(hair, identity.skin, 0.08)
    for name in ("left", "right"):
        taper(picture, lines[f"brow_{name}"], colour, widths * pose.unit_px)


def paint_nose(
    picture: Picture, lines: Mapping[str, Points], identity: Identity, pose: Pose
) -> None:
    """Paint nostrils and the edges of the nose, in place."""
    unit = pose.unit_px
    dark = scale_colour(identity.skin, 0.42)
    soft = scale_colour(identity.skin, 0.66)
    for name, angle in (("left", -18.0), ("right", 18.0)):
        ala = lines[f"ala_{name}"]
        taper(picture, ala, soft, np.sin(np.pi * np.linspace(0.1, 0.9, len(ala))) * 0.035 * unit)
        oval(picture, lines[f"nostril_{name}"], (0.046 * unit, 0.022 * unit), angle, dark)
    taper(picture, lines["nose_under"], soft, _TAPER * 0.02 * unit)


def paint_mouth(
    picture: Picture, lines: Mapping[str, Points], identity: Identity, pose: Pose
) -> None:
    """Paint lips, and teeth and tongue where the lips part, in place."""
    unit = pose.unit_px
    top, bottom = lines["lip_inner_top"], lines["lip_inner_bottom"]
    upper_lip = mix_colours(scale_colour(identity.skin, 0.68), (158, 58, 62), 0.42)
    lower_lip = mix_colours(scale_colour(identity.skin, 0.82), (196, 84, 84), 0.42)
    _paint_inside(picture, lines, unit)
    fill(picture, np.concatenate([lines["lip_bottom"], bottom[::-1]]), lower_lip)
    fill(picture, np.concatenate([lines["lip_top"], top[::-1]]), upper_lip)
    shine = 0.5 * (lines["lip_bottom"][5:12] + bottom[5:12])
    thickness = float(np.linalg.norm(lines["lip_bottom"][8] - bottom[8]))
    taper(
        picture,
        shine,
        mix_colours(lower_lip, (255, 236, 228), 0.3),
        np.sin(np.pi * np.linspace(0.1, 0.9, 7)) * thickness * 0.3,
    )
    line = mix_colours(_INK, upper_lip, 0.25)
    widths = (0.5 + 0.5 * np.abs(np.linspace(-1, 1, 17))) * 0.034 * unit
    taper(picture, top, line, widths)
    under = lines["lip_bottom"][3:14]
    stroke(picture, under, scale_colour(lower_lip, 0.86), 0.015 * unit)


def _paint_inside(picture: Picture, lines: Mapping[str, Points], unit: float) -> None:
    top, bottom = lines["lip_inner_top"], lines["lip_inner_bottom"]
    gap = float(np.linalg.norm(top[8] - bottom[8]))
    hole = np.concatenate([top, bottom[::-1]])
    rows, columns = window(picture, hole, 2)
    target = picture[rows, columns]
    if gap < 0.01 * unit or target.size == 0:
        return
    origin = np.array([columns.start, rows.start], dtype=float)
    down = (bottom[8] - top[8]) / gap
    inside = np.empty_like(target)
    inside[:] = (84, 28, 34)
    tongue = (bottom[8] - 0.02 * unit * down - origin)[None]
    oval(inside, tongue, (0.2 * unit, min(0.5 * gap, 0.13 * unit)), 0.0, (186, 84, 88))
    edge = top + down * min(0.115 * unit, 0.75 * gap) * np.clip(_TAPER * 1.2, 0, 1)[:, None]
    fill(inside, np.concatenate([top - down * unit * 0.05, edge[::-1]]) - origin, (244, 240, 232))
    mask = np.zeros(target.shape[:2], dtype=np.uint8)
    fill(mask, hole - origin, 255)
    cv2.copyTo(inside, mask, target)


def paint_glasses(
    picture: Picture, lines: Mapping[str, Points], identity: Identity, pose: Pose
) -> None:
    """Paint spectacles, in place, if the person wears any."""
    if identity.glasses == "none":
        return
    unit = pose.unit_px
    frame = (52, 44, 46)
    t = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    power = 1.0 if identity.glasses == "round" else 0.55
    ring = np.stack(
        [
            0.29 * np.sign(np.cos(t)) * np.abs(np.cos(t)) ** power,
            0.235 * np.sign(np.sin(t)) * np.abs(np.sin(t)) ** power,
        ],
        axis=1,
    )
    roll = np.deg2rad(pose.roll_deg)
    turn = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    squeeze = np.array([np.cos(np.deg2rad(pose.yaw_deg)), 1.0])
    ring = np.einsum("np,pq->nq", ring * squeeze, turn) * unit
    centres = {name: lines[f"pupil_{name}"][0] + [0, 0.06 * unit] for name in ("left", "right")}
    for name, side in (("left", -1), ("right", 1)):
        stroke(picture, centres[name] + ring, frame, 0.04 * unit, closed=True)
        hinge = centres[name] + ring[14 if side < 0 else 0]
        ear = lines[f"ear_{name}"].mean(axis=0) + np.array([-side * 0.06, -0.12]) * unit
        stroke(picture, np.stack([hinge, ear]), frame, 0.04 * unit)
    bridge = np.stack(
        [centres["left"] + ring[0], lines["nose_root"][0], centres["right"] + ring[14]]
    )
    stroke(picture, bridge, frame, 0.04 * unit)
