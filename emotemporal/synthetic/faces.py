"""A person's face, put onto a picture."""

from __future__ import annotations

import numpy as np

from emotemporal.synthetic.expressions import Actions
from emotemporal.synthetic.features import (
    paint_brows,
    paint_eyes,
    paint_glasses,
    paint_mouth,
    paint_nose,
)
from emotemporal.synthetic.folds import paint_wrinkles
from emotemporal.synthetic.geometry import face_curves
from emotemporal.synthetic.hair import paint_behind, paint_hair
from emotemporal.synthetic.head import Curve, Points, Pose, project
from emotemporal.synthetic.identity import Identity, scale_colour
from emotemporal.synthetic.paint import Picture, stroke
from emotemporal.synthetic.skin import Light, paint_skin
from emotemporal.types import Box

# Measured: the median of Haar's boxes on 1,000 drawn faces, in face units.
_BOX_Y = 0.065
_BOX_HALF = 1.265


def draw_face(
    picture: Picture,
    identity: Identity,
    actions: Actions,
    pose: Pose,
    light: Light,
    gaze: tuple[float, float] = (0.0, 0.0),
) -> dict[str, Points]:
    """Draw one person from the chest up onto a picture, in place.

    Args:
        picture: RGB; draw at twice the size that is wanted and shrink, for smooth edges.
        identity: Who it is.
        actions: The facial action units, each 0 to 1.
        pose: Where the head is and how it is held.
        light: Where the light comes from.
        gaze: Where the eyes look, right and down, -1 to 1.

    Returns:
        The face's lines in pixels, as the ground truth of landmarks and box.
    """
    lines = project(face_curves(identity, actions), pose)
    paint_behind(picture, lines, identity, pose)
    paint_skin(picture, lines, identity, actions, light, pose)
    stroke(
        picture,
        lines["outline"][16:51],
        scale_colour(identity.skin, 0.68),
        0.022 * pose.unit_px,
    )
    paint_wrinkles(picture, lines, identity, actions, pose)
    paint_nose(picture, lines, identity, pose)
    paint_mouth(picture, lines, identity, pose)
    paint_eyes(picture, lines, identity, pose, gaze)
    paint_brows(picture, lines, identity, pose)
    paint_hair(picture, identity, pose)
    paint_glasses(picture, lines, identity, pose)
    return lines


def face_box(pose: Pose, scale: float = 1.0) -> Box:
    """Return the face's box as Haar's cascade would draw it, so that one crop map serves both.

    Args:
        pose: The head's, on the canvas.
        scale: From the canvas to the picture.
    """
    centre = project({"centre": Curve(np.array([[0.0, _BOX_Y]]))}, pose)["centre"][0] * scale
    half = _BOX_HALF * pose.unit_px * scale
    x, y = float(centre[0]), float(centre[1])
    return Box(x - half, y - half, x + half, y + half, 1.0)
