"""What muscles press into the skin: soft folds in its shading, and sharp wrinkles on top."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from jaxtyping import Float

from emotemporal.synthetic.expressions import ACTION_UNITS, Actions
from emotemporal.synthetic.head import Points, Pose
from emotemporal.synthetic.identity import Identity, mix_colours, scale_colour
from emotemporal.synthetic.paint import Mask, Picture, dot, oval, taper

_FAINT = 0.02  # weaker folds cannot be seen


def soft_folds(
    size_hw: tuple[int, int], lines: Mapping[str, Points], actions: Actions, unit_px: float
) -> Mask:
    """Return how much each spot is darkened by folds; 255 is not at all."""
    folds = np.full(size_hw, 255, dtype=np.uint8)
    au = dict.fromkeys(ACTION_UNITS, 0.0) | dict(actions)

    def crease(name: str, strength: float, width: float) -> None:
        if strength > _FAINT:
            grey = round(255 * (1 - min(strength, 0.75)))
            taper(folds, lines[name], grey, _bulge(len(lines[name])) * width * unit_px)

    for name, side in (("left", "L"), ("right", "R")):
        pull, dimple = au[f"AU12{side}"], au[f"AU14{side}"]
        fold = 0.1 + 0.3 * max(pull, au["AU9"], 0.8 * au["AU10"]) + 0.12 * dimple
        crease(f"fold_{name}", fold, 0.06)
        crease(f"bag_{name}", 0.12 + 0.3 * au["AU6"] + 0.12 * au["AU9"], 0.05)
        crease(f"dimple_{name}", 0.4 * dimple + 0.16 * pull + 0.16 * au["AU15"], 0.06)
    crease("chin_crease", 0.14 + 0.34 * au["AU17"], 0.07)
    if au["AU17"] > _FAINT:
        for dx, dy in ((-0.1, 0.0), (0.0, 0.05), (0.1, 0.0), (-0.05, -0.05), (0.06, -0.04)):
            spot = lines["chin_ball"] + np.array([[dx, dy]]) * unit_px
            dot(folds, spot, 0.02 * unit_px, round(255 * (1 - 0.28 * au["AU17"])))
    under_nose = lines["nose_under"].mean(axis=0, keepdims=True)
    oval(folds, under_nose, (0.15 * unit_px, 0.045 * unit_px), 0.0, 165)
    return np.asarray(cv2.GaussianBlur(folds, (0, 0), max(0.4, 0.022 * unit_px)), dtype=np.uint8)


def paint_wrinkles(
    picture: Picture,
    lines: Mapping[str, Points],
    identity: Identity,
    actions: Actions,
    pose: Pose,
) -> None:
    """Paint the lines on forehead, between the brows, on the nose and at the eyes, in place."""
    au = dict.fromkeys(ACTION_UNITS, 0.0) | dict(actions)
    unit = pose.unit_px

    def wrinkle(points: Points, strength: float, width: float) -> None:
        if strength > _FAINT:
            colour = mix_colours(identity.skin, scale_colour(identity.skin, 0.5), min(1, strength))
            taper(picture, points, colour, _bulge(len(points)) * width * unit * strength**0.5)

    raised = max(au["AU2"], 0.8 * au["AU1"])
    for i in range(3):
        wrinkle(lines[f"forehead_{i}"], 0.42 * raised, 0.05)
    for name in ("left", "right"):
        wrinkle(lines[f"furrow_{name}"], 0.62 * max(au["AU4"], 0.7 * au["AU9"]), 0.045)
        for start in (0, 3):
            wrinkle(lines[f"wrinkle_{name}"][start : start + 3], 0.6 * au["AU9"], 0.042)
        feet, tips = lines[f"feet_{name}"], lines[f"feet_tips_{name}"]
        for foot, tip in zip(feet, tips, strict=True):
            wrinkle(np.stack([foot, (foot + tip) / 2, tip]), 0.4 * au["AU6"], 0.04)


def _bulge(count: int) -> Float[np.ndarray, " n"]:
    return np.sin(np.pi * np.linspace(0.08, 0.92, count))
