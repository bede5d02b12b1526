"""The 68 points of the iBUG scheme, read off the drawn lines: exact, where a detector guesses."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from emotemporal.synthetic.head import Points


def landmarks_68(lines: Mapping[str, Points]) -> Float[np.ndarray, "68 2"]:
    """Return jaw (17), brows (10), nose (9), eyes (12) and mouth (20), from the viewer's left.

    Source: C. Sagonas et al., "300 Faces in-the-Wild Challenge", ICCV Workshops 2013, figure 1.
    """
    outline = lines["outline"]
    jaw = outline[np.linspace(51, 15, 17).round().astype(int)]
    left_brow = lines["brow_left"][[10, 8, 5, 3, 0]]
    right_brow = lines["brow_right"][[0, 3, 5, 8, 10]]
    share = np.linspace(0, 1, 4)[:, None]
    bridge = lines["nose_root"] * (1 - share) + lines["nose_tip"] * share
    under = lines["nose_under"][[0, 4, 8, 12, 16]]
    eyes = [_eye(lines, "left", outer_first=True), _eye(lines, "right", outer_first=False)]
    return np.concatenate([jaw, left_brow, right_brow, bridge, under, *eyes, _mouth(lines)])


def _eye(lines: Mapping[str, Points], name: str, outer_first: bool) -> Points:
    step = -1 if outer_first else 1
    upper = lines[f"upper_lid_{name}"][::step]
    lower = lines[f"lower_lid_{name}"][::step]
    return np.concatenate([upper[[0, 5, 11, 16]], lower[[11, 5]]])


def _mouth(lines: Mapping[str, Points]) -> Points:
    top, bottom = lines["lip_top"], lines["lip_bottom"]
    inner_top, inner_bottom = lines["lip_inner_top"], lines["lip_inner_bottom"]
    outer = np.concatenate([top[[0, 3, 6, 8, 10, 13, 16]], bottom[[13, 10, 8, 6, 3]]])
    return np.concatenate([outer, inner_top[[1, 4, 8, 12, 15]], inner_bottom[[12, 8, 4]]])
