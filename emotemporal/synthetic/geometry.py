"""Where every line of a face runs, given who it is and which action units pull, and how far.

Each action unit moves the lines that its muscle moves.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from emotemporal.synthetic.expressions import ACTION_UNITS, Actions
from emotemporal.synthetic.head import Curve, Points, smooth
from emotemporal.synthetic.identity import Identity
from emotemporal.synthetic.lower_face import (
    EYE_Y,
    cheek_curves,
    jaw_drop,
    mouth_curves,
    nose_curves,
)

Curves = Mapping[str, Curve]
_S = np.linspace(-1.0, 1.0, 17)
_DOME = 1 - _S**2
_FLAT_DOME = np.sqrt(np.clip(1 - np.abs(_S) ** 3, 0, 1))


def face_curves(identity: Identity, actions: Actions) -> Curves:
    """Return the face's lines in face units.

    Args:
        identity: Who it is.
        actions: Strengths from 0 to 1; a unit that is missing is at rest.
    """
    au = {unit: 0.0 for unit in ACTION_UNITS} | dict(actions)
    curves: dict[str, Curve] = {"outline": Curve(_outline(identity, au), lift=None)}
    for side, name in ((-1.0, "left"), (1.0, "right")):
        curves |= _eye(identity, au, side, name)
        curves[f"brow_{name}"] = Curve(_brow(identity, au, side))
        curves |= cheek_curves(identity, au, side, name)
        curves |= _ear(identity, side, name)
    return curves | nose_curves(identity, au) | mouth_curves(identity, au)


# Half the outline of a face from the middle of the skull to that of the chin (at y = 1.28).
_OUTLINE_X = np.array([0.0, 0.36, 0.66, 0.87, 0.98, 1.0, 0.975, 0.9, 0.76, 0.55, 0.28, 0.0])
_OUTLINE_Y = np.array([-1.42, -1.36, -1.16, -0.86, -0.5, -0.1, 0.26, 0.6, 0.9, 1.12, 1.25, 1.28])


_SIDE_X, _SIDE_Y = smooth(np.stack([_OUTLINE_X, _OUTLINE_Y], axis=1), 34).T
# How much of a jaw's drop, of a smile's widening and of the jaw's own width each point takes.
_JAW_SHARE = np.clip((_SIDE_Y - 0.25) / 1.0, 0, 1) ** 1.3
_CHEEK_SHARE = np.exp(-(((_SIDE_Y - 0.4) / 0.3) ** 2))
_JAW_WIDTH_SHARE = np.clip((_SIDE_Y - 0.1) / 0.6, 0, 1)


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
        f"crease_{name}": Curve(np.stack([x, EYE_Y + crease], axis=1)),
        f"bag_{name}": Curve(np.stack([x, EYE_Y + bag], axis=1)),
        f"pupil_{name}": Curve(pupil),
    }


_BROW_S = np.linspace(0, 1, 11)  # from the inner end to the outer
_BROW_ARCH = 0.075 * np.sin(np.pi * np.clip(_BROW_S * 0.85 + 0.02, 0, 1)) - 0.02 * _BROW_S
_INNER = np.exp(-((_BROW_S / 0.36) ** 2))
_OUTER = np.exp(-(((_BROW_S - 0.68) / 0.4) ** 2))


def _brow(identity: Identity, au: Actions, side: float) -> Points:
    raised = 0.17 * au["AU1"] * _INNER + 0.17 * au["AU2"] * _OUTER
    frown = au["AU4"] * (1 - 0.55 * au["AU1"])
    lowered = frown * (0.13 * _INNER + 0.07) + au["AU9"] * (0.09 * _INNER + 0.04) + 0.02 * au["AU6"]
    inner_x = 0.185 - 0.06 * au["AU4"] - 0.03 * au["AU9"]
    outer_x = 0.36 + identity.eye_spacing * 0.88
    x = side * (inner_x + (outer_x - inner_x) * _BROW_S)
    y = EYE_Y - identity.brow_height - _BROW_ARCH - raised + lowered
    return np.stack([x, y], axis=1)


def _ear(identity: Identity, side: float, name: str) -> dict[str, Curve]:
    t = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    x = side * (0.99 * identity.width + 0.03 + 0.115 * np.cos(t) * (1 + 0.25 * -np.sin(t)))
    y = -0.02 + 0.25 * np.sin(t)
    return {
        f"ear_{name}": Curve(np.stack([x, y], axis=1), lift=None),
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
