"""Where nose, cheeks and mouth run, given who it is and which action units pull."""

from __future__ import annotations

import numpy as np

from emotemporal.synthetic.expressions import Actions
from emotemporal.synthetic.head import Curve
from emotemporal.synthetic.identity import Identity

EYE_Y = -0.16
NOSE_Y = 0.34
MOUTH_Y = 0.72

_S = np.linspace(-1.0, 1.0, 17)
_DOME = 1 - _S**2
_FLAT_DOME = np.sqrt(np.clip(1 - np.abs(_S) ** 3, 0, 1))
_CUPID = (1 - np.abs(_S) ** 2.2) * (1 - 0.24 * np.exp(-((_S / 0.17) ** 2)))
_ROLL_LIP = np.clip(1 - np.abs(_S) ** 2.6, 0, 1) ** 0.8


def jaw_drop(au: Actions) -> float:
    """Return how far the chin has come down."""
    return 0.24 * au["AU26"] - 0.04 * au["AU17"] - 0.02 * au["AU24"]


def cheek_curves(identity: Identity, au: Actions, side: float, name: str) -> dict[str, Curve]:
    """Return the fold from nose to mouth, the crow's feet and the dimple, where they would be."""
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


def nose_curves(identity: Identity, au: Actions) -> dict[str, Curve]:
    """Return the nose, and the wrinkles on it, between the brows and on the forehead."""
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
            [
                [side * x, y - 0.3 * (x - 0.06) - up]
                for y in (-0.04, 0.07)
                for x in (0.06, 0.11, 0.16)
            ]
        )
        furrow = np.array(
            [[side * (0.075 - 0.03 * au["AU4"]), y] for y in (-0.47, -0.41, -0.34, -0.28)]
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


def mouth_curves(identity: Identity, au: Actions) -> dict[str, Curve]:
    """Return the lips' four edges, from the viewer's left, and the chin."""
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
