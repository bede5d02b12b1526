"""Where every line of a face runs, given who it is and which action units pull, and how far.

Face units: the origin lies between the eyes' height and the nose, x to the viewer's right, y down,
z towards the viewer; 1 is half the width of an average face. Each action unit moves the lines that
its muscle moves; `project` turns the head and puts it into the picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from emotemporal.synthetic.expressions import Actions
from emotemporal.synthetic.identity import Identity

Points = Float[np.ndarray, "n 2"]

EYE_Y = -0.16
NOSE_Y = 0.34
MOUTH_Y = 0.72
SKULL_Y = -1.42
_DEPTH = 0.8  # of the face's front above the ears' plane: flatter than a ball, as heads are

_S = np.linspace(-1.0, 1.0, 17)
_DOME = 1 - _S**2
_FLAT_DOME = np.sqrt(np.clip(1 - np.abs(_S) ** 3, 0, 1))
_CUPID = (1 - np.abs(_S) ** 2.2) * (1 - 0.24 * np.exp(-((_S / 0.17) ** 2)))
_ROLL_LIP = np.clip(1 - np.abs(_S) ** 2.6, 0, 1) ** 0.8


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


def face_curves(identity: Identity, actions: Actions) -> Curves:
    """Return the face's lines in face units.

    Args:
        identity: Who it is.
        actions: Strengths from 0 to 1; a unit that is missing is at rest.
    """
    au = {unit: 0.0 for unit in _UNITS} | dict(actions)
    curves: dict[str, Curve] = {"outline": Curve(_outline(identity, au), lift=None)}
    for side, name in ((-1.0, "left"), (1.0, "right")):
        curves |= _eye(identity, au, side, name)
        curves[f"brow_{name}"] = Curve(_brow(identity, au, side))
        curves |= _cheek(identity, au, side, name)
        curves |= _ear(identity, side, name)
    return curves | _nose(identity, au) | _mouth(identity, au)


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


_UNITS = (
    "AU1 AU2 AU4 AU5 AU6 AU7 AU9 AU10 AU12L AU12R AU14L AU14R "
    "AU15 AU16 AU17 AU18 AU20 AU23 AU24 AU25 AU26 AU45"
).split()

# Half the outline of a face from the middle of the skull to that of the chin (at y = 1.28).
_OUTLINE_X = np.array([0.0, 0.36, 0.66, 0.87, 0.98, 1.0, 0.975, 0.9, 0.76, 0.55, 0.28, 0.0])
_OUTLINE_Y = np.array([-1.42, -1.36, -1.16, -0.86, -0.5, -0.1, 0.26, 0.6, 0.9, 1.12, 1.25, 1.28])
_OUTLINE_AT = np.arange(len(_OUTLINE_X), dtype=float)


def _smooth(
    x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], count: int
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """Run a Catmull-Rom spline through the points."""
    at = np.linspace(0, len(x) - 1, count)
    i = np.minimum(at.astype(int), len(x) - 2)
    t = at - i
    curves = []
    for values in (x, y):
        padded = np.concatenate(
            [[2 * values[0] - values[1]], values, [2 * values[-1] - values[-2]]]
        )
        a, b, c, d = (padded[i + k] for k in range(4))
        curves.append(
            0.5
            * (
                2 * b
                + (c - a) * t
                + (2 * a - 5 * b + 4 * c - d) * t**2
                + (3 * b - a - 3 * c + d) * t**3
            )
        )
    return curves[0], curves[1]


_SIDE_X, _SIDE_Y = _smooth(_OUTLINE_X, _OUTLINE_Y, 34)
# How much of a jaw's drop, of a smile's widening and of the jaw's own width each point takes.
_JAW_SHARE = np.clip((_SIDE_Y - 0.25) / 1.0, 0, 1) ** 1.3
_CHEEK_SHARE = np.exp(-(((_SIDE_Y - 0.4) / 0.3) ** 2))
_JAW_WIDTH_SHARE = np.clip((_SIDE_Y - 0.1) / 0.6, 0, 1)


def jaw_drop(au: Actions) -> float:
    """Return how far the chin has come down."""
    return 0.24 * au["AU26"] - 0.04 * au["AU17"] - 0.02 * au["AU24"]


def _outline(identity: Identity, au: Actions) -> Points:
    x = _SIDE_X * identity.width * (1 + (identity.jaw - 1) * _JAW_WIDTH_SHARE)
    chin = 1 + (identity.chin / 1.28 - 1) * np.clip(_SIDE_Y, 0, None) / 1.28
    y = _SIDE_Y * chin + jaw_drop(au) * _JAW_SHARE
    smile_l, smile_r = (0.05 * au[unit] * _CHEEK_SHARE for unit in ("AU12L", "AU12R"))
    narrow = 1 - 0.06 * au["AU26"] * _JAW_SHARE
    right = np.stack([x * narrow + smile_r, y], axis=1)
    left = np.stack([-(x * narrow + smile_l), y], axis=1)
    return np.concatenate([right, left[-2:0:-1]])


def _eye(identity: Identity, au: Actions, side: float, name: str) -> dict[str, Curve]:
    """Lids, crease and pupil. `_S` runs from the inner corner (-1) to the outer one (1)."""
    half = 0.205 * identity.eye_size
    cheek = au["AU6"] * 0.6
    opening = 0.118 * identity.eye_size * (1 + 0.62 * au["AU5"] - 0.16 * au["AU7"] - 0.22 * cheek)
    lower = 0.07 * identity.eye_size * (1 + 0.12 * au["AU5"] - 0.75 * au["AU7"] - 0.95 * cheek)
    upper_dome = _DOME**0.75 * (1 + 0.12 * au["AU1"] * -_S)
    shut = au["AU45"]
    # A frown presses the inner part of the lid down, raised inner brows pull it up: sad eyes slope.
    slope = 0.035 * au["AU4"] * (1 - au["AU1"]) - 0.04 * au["AU1"] * (1 - 0.7 * au["AU2"])
    inner_dip = slope * np.clip(0.4 - _S, 0, None) * _DOME
    tilt = -identity.eye_tilt * _S
    rest = lower * _FLAT_DOME * 0.9
    upper = -(opening * upper_dome) * (1 - shut) + rest * shut + inner_dip * (1 - shut) + tilt
    lower_y = rest + tilt
    upper = np.minimum(upper, lower_y)
    x = side * (identity.eye_spacing + _S * half)
    crease_gap = 0.055 + 0.03 * shut - 0.03 * au["AU5"] - 0.02 * au["AU4"]
    crease = np.minimum(upper, -0.05 * _DOME + tilt) - crease_gap * _DOME**0.5
    bag = lower_y + 0.05 + 0.03 * (1 - _S**2) - 0.03 * cheek
    pupil = np.array([[side * identity.eye_spacing, EYE_Y - 0.028]])
    return {
        f"upper_lid_{name}": Curve(np.stack([x, EYE_Y + upper], axis=1)),
        f"lower_lid_{name}": Curve(np.stack([x, EYE_Y + lower_y], axis=1)),
        f"crease_{name}": Curve(np.stack([x * 1.0, EYE_Y + crease], axis=1)),
        f"bag_{name}": Curve(np.stack([x, EYE_Y + bag], axis=1)),
        f"pupil_{name}": Curve(pupil),
    }


_BROW_S = np.linspace(0, 1, 11)  # from the inner end to the outer
_BROW_ARCH = 0.075 * np.sin(np.pi * np.clip(_BROW_S * 0.85 + 0.02, 0, 1)) - 0.02 * _BROW_S
_INNER = np.exp(-((_BROW_S / 0.36) ** 2))
_OUTER = np.clip((_BROW_S - 0.15) / 0.5, 0, 1)


def _brow(identity: Identity, au: Actions, side: float) -> Points:
    raised = 0.18 * au["AU1"] * _INNER + 0.2 * au["AU2"] * _OUTER
    frown = au["AU4"] * (1 - 0.55 * au["AU1"])
    lowered = frown * (0.13 * _INNER + 0.07) + au["AU9"] * (0.09 * _INNER + 0.04) + 0.02 * au["AU6"]
    inner_x = 0.185 - 0.06 * au["AU4"] - 0.03 * au["AU9"]
    outer_x = 0.36 + identity.eye_spacing * 0.88
    x = side * (inner_x + (outer_x - inner_x) * _BROW_S)
    y = EYE_Y - identity.brow_height - _BROW_ARCH - raised + lowered
    return np.stack([x, y], axis=1)


def _cheek(identity: Identity, au: Actions, side: float, name: str) -> dict[str, Curve]:
    """The fold from nose to mouth, the crow's feet and the dimple, where they would be."""
    pull = au["AU12L"] if side < 0 else au["AU12R"]
    corner_x, corner_y = _mouth_corner(identity, au, side)
    t = np.linspace(0, 1, 9)
    start = np.array([side * 0.21 * identity.nose_width, NOSE_Y - 0.09 - 0.05 * au["AU9"]])
    end = np.array([corner_x + side * (0.1 + 0.04 * pull), corner_y + 0.02])
    bend = np.array([side * (0.12 + 0.1 * pull), -0.04])
    fold = start + (end - start) * t[:, None] + bend * (4 * t * (1 - t))[:, None] * 0.6
    dimple_t = np.linspace(-1, 1, 7)
    dimple = np.stack(
        [
            corner_x + side * (0.075 + 0.03 * (1 - dimple_t**2)),
            corner_y - 0.02 + 0.095 * dimple_t,
        ],
        axis=1,
    )
    outer = side * (identity.eye_spacing + 0.27 * identity.eye_size)
    feet = np.array([[outer, EYE_Y + dy] for dy in (-0.07, 0.0, 0.07)])
    tips = feet + np.array([[side * 0.12, dy] for dy in (-0.06, 0.01, 0.08)])
    apple = np.array([[side * 0.55, 0.3 - 0.1 * max(au["AU6"], pull)]])
    return {
        f"fold_{name}": Curve(fold),
        f"dimple_{name}": Curve(dimple),
        f"feet_{name}": Curve(feet),
        f"feet_tips_{name}": Curve(tips),
        f"apple_{name}": Curve(apple),
    }


def _ear(identity: Identity, side: float, name: str) -> dict[str, Curve]:
    t = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    x = side * (0.99 * identity.width + 0.03 + 0.115 * np.cos(t) * (1 + 0.25 * -np.sin(t)))
    y = -0.02 + 0.25 * np.sin(t)
    inner = np.stack([x + side * -0.0, y], axis=1)
    return {
        f"ear_{name}": Curve(inner, lift=None),
        f"ear_hollow_{name}": Curve(
            np.stack(
                [
                    side * (0.99 * identity.width) + (x - side * 0.99 * identity.width) * 0.62,
                    y * 0.6,
                ],
                axis=1,
            ),
            lift=None,
        ),
    }


def _nose(identity: Identity, au: Actions) -> dict[str, Curve]:
    up = 0.06 * au["AU9"] + 0.02 * au["AU10"]
    wide = identity.nose_width * (1 + 0.14 * au["AU9"] + 0.05 * max(au["AU12L"], au["AU12R"]))
    tip_y = NOSE_Y * identity.nose_length
    t = np.linspace(0, 1, 8)
    curves: dict[str, Curve] = {}
    for side, name in ((-1.0, "left"), (1.0, "right")):
        angle = np.pi * (1.35 * t - 0.45)
        ala = np.stack(
            [
                side * (0.145 + 0.055 * np.cos(angle)) * wide,
                tip_y - 0.035 + 0.07 * np.sin(angle) - up,
            ],
            axis=1,
        )
        nostril = np.array([[side * 0.085 * wide, tip_y + 0.045 - up * 0.8]])
        wrinkle = np.array(
            [[side * x, y - up] for y in (-0.06, 0.03, 0.12) for x in (0.055, 0.15)]
        ) + np.tile([[0.0, 0.03], [0.0, -0.03]], (3, 1))
        furrow = np.array(
            [[side * (0.075 - 0.03 * au["AU4"]), y] for y in (-0.5, -0.42, -0.32, -0.25)]
        )
        curves |= {
            f"ala_{name}": Curve(ala, lift=0.1),
            f"nostril_{name}": Curve(nostril, lift=0.14),
            f"wrinkle_{name}": Curve(wrinkle, lift=0.08),
            f"furrow_{name}": Curve(furrow, lift=0.03),
        }
    under = np.stack([0.1 * wide * _S, tip_y + 0.055 + 0.03 * _DOME - up * 0.8], axis=1)
    brow_lift = 0.12 * au["AU1"] + 0.08 * au["AU2"]
    forehead = [
        np.stack([0.5 * _S, y - brow_lift * 0.6 - 0.05 * _DOME], axis=1)
        for y in (-0.66, -0.8, -0.93)
    ]
    return (
        curves
        | {
            "nose_under": Curve(under, lift=0.16),
            "nose_tip": Curve(np.array([[0.0, tip_y - 0.05 - up]]), lift=0.22),
            "nose_root": Curve(np.array([[0.0, EYE_Y]]), lift=0.04),
        }
        | {f"forehead_{i}": Curve(line) for i, line in enumerate(forehead)}
    )


def _mouth_corner(identity: Identity, au: Actions, side: float) -> tuple[float, float]:
    pull, dimple = (au["AU12L"], au["AU14L"]) if side < 0 else (au["AU12R"], au["AU14R"])
    out = 1 + 0.3 * pull + 0.16 * dimple + 0.26 * au["AU20"] - 0.4 * au["AU18"] - 0.1 * au["AU26"]
    out -= 0.06 * au["AU24"] + 0.05 * au["AU23"] + 0.02 * au["AU15"]
    up = 0.19 * pull + 0.07 * dimple - 0.13 * au["AU15"] - 0.05 * au["AU20"] - 0.08 * au["AU26"]
    return side * identity.mouth_width * out, MOUTH_Y - up


def _mouth(identity: Identity, au: Actions) -> dict[str, Curve]:
    left = _mouth_corner(identity, au, -1.0)
    right = _mouth_corner(identity, au, 1.0)
    share = np.abs(_S) ** 1.7
    corner_x = np.where(_S < 0, -left[0], right[0])
    corner_y = np.where(_S < 0, left[1], right[1])
    smile = 0.5 * (au["AU12L"] + au["AU12R"])
    middle = MOUTH_Y + 0.03 * smile - 0.075 * au["AU17"] - 0.03 * au["AU10"] - 0.02 * au["AU15"]
    x = _S * corner_x
    line = middle + (corner_y - middle) * share
    thin = (
        (1 - 0.5 * au["AU23"])
        * (1 - 0.72 * au["AU24"])
        * (1 - 0.25 * smile)
        * (1 + 0.35 * au["AU18"])
    )
    part = max(au["AU25"], 0.8 * au["AU26"])
    up = (0.03 * part + 0.07 * au["AU10"] + 0.02 * smile * part) * _DOME**0.6
    up *= 1 + 0.35 * au["AU10"] * np.exp(-(((np.abs(_S) - 0.45) / 0.2) ** 2))
    # The lower lip goes with the jaw, but only where the lips do part.
    down = (0.075 * part + 0.3 * au["AU26"] + 0.09 * au["AU16"] + 0.05 * smile * part) * _FLAT_DOME
    down *= _DOME**0.35
    inner_upper, inner_lower = line - up, line + down
    upper = 0.085 * identity.lip * thin * _CUPID * (1 - 0.12 * au["AU20"])
    lower = 0.115 * identity.lip * thin * _ROLL_LIP * (1 - 0.1 * au["AU20"] + 0.3 * au["AU17"])
    chin_y = identity.chin - 0.24 + jaw_drop(au) * 0.9
    crease = np.stack([0.3 * _S, chin_y - 0.08 + 0.05 * _S**2 - 0.05 * au["AU17"]], axis=1)
    lift = 0.06
    return {
        "lip_top": Curve(np.stack([x, inner_upper - upper], axis=1), lift),
        "lip_inner_top": Curve(np.stack([x, inner_upper], axis=1), lift),
        "lip_inner_bottom": Curve(np.stack([x, inner_lower], axis=1), lift),
        "lip_bottom": Curve(np.stack([x, inner_lower + lower], axis=1), lift),
        "chin_crease": Curve(crease, 0.03),
        "chin_ball": Curve(np.array([[0.0, chin_y + 0.05]]), 0.05),
        "philtrum": Curve(
            np.array([[0.0, NOSE_Y + 0.12], [0.0, float(inner_upper[8] - upper[8])]]), lift
        ),
    }
