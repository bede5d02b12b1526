"""The table of action units, and that each of them moves the face."""

from __future__ import annotations

import numpy as np
import pytest

from emotemporal.labels import Emotion
from emotemporal.synthetic.expressions import (
    ACTION_UNITS,
    PAIR_ACTIONS,
    PROTOTYPES,
    Prototype,
    at_intensity,
    combine,
    sample_expression,
)
from emotemporal.synthetic.faces import draw_face
from emotemporal.synthetic.geometry import face_curves
from emotemporal.synthetic.head import Pose
from emotemporal.synthetic.identity import sample_identity
from emotemporal.synthetic.skin import Light

# EMFACS-7 (1983) and, after the stroke, what Du et al. (2014, table 1) found in most people.
PUBLISHED = {
    Emotion.NEUTRAL: "",
    Emotion.HAPPINESS: "6 12 / 12 25",
    Emotion.SADNESS: "1 4 15 / 4 15",
    Emotion.SURPRISE: "1 2 5 26 / 1 2 25 26",
    Emotion.FEAR: "1 2 4 5 7 20 26 / 1 4 20 25",
    Emotion.DISGUST: "9 15 16 / 9 10 17",
    Emotion.ANGER: "4 5 7 23 / 4 7 24",
    Emotion.CONTEMPT: "12 14",
}


@pytest.mark.parametrize("emotion", list(Emotion))
def test_prototypes_hold_what_was_published_and_what_most_people_do(emotion):
    numbers = {unit.strip("AULR") for unit in PROTOTYPES[emotion].always}
    numbers |= {unit.strip("AULR") for unit in PROTOTYPES[emotion].sometimes}
    emfacs, _, measured = PUBLISHED[emotion].partition(" / ")
    assert set(measured.split()) <= numbers
    # Disgust has two forms in EMFACS; ours is the one with the raised lip.
    assert set(emfacs.split()) - {"16"} <= numbers


def test_the_pair_is_drawn_with_units_that_emfacs_gives_both():
    shared = {f"AU{n}" for n in ["1", "2", "5", "26"]} | {"AU25"}
    assert set(PAIR_ACTIONS) == shared


@pytest.mark.parametrize("unit", list(ACTION_UNITS))
def test_every_action_unit_moves_lines_and_pixels(unit):
    identity = sample_identity(np.random.default_rng(1))
    # A lip can be pressed or lowered on its own; the jaw alone opens the mouth.
    rest, moved = face_curves(identity, {}), face_curves(identity, {unit: 1.0})
    farthest = max(np.abs(rest[name].points - moved[name].points).max() for name in rest)
    assert farthest > 0.02
    pictures = []
    for actions in ({}, {unit: 1.0}):
        picture = np.full((240, 240, 3), 128, dtype=np.uint8)
        draw_face(picture, identity, actions, Pose(120.0, 120.0, 70.0), Light())
        pictures.append(picture.astype(int))
    assert (np.abs(pictures[0] - pictures[1]).max(axis=2) > 20).sum() > 15


@pytest.mark.parametrize(
    ("actions", "line", "point", "axis", "sign"),
    [
        pytest.param({"AU1": 1.0}, "brow_left", 0, 1, -1, id="inner-brow-goes-up"),
        pytest.param({"AU2": 1.0}, "brow_left", 7, 1, -1, id="outer-brow-goes-up"),
        pytest.param({"AU4": 1.0}, "brow_left", 0, 1, 1, id="frown-goes-down"),
        pytest.param({"AU5": 1.0}, "upper_lid_left", 8, 1, -1, id="upper-lid-rises"),
        pytest.param({"AU7": 1.0}, "lower_lid_left", 8, 1, -1, id="lower-lid-tightens"),
        pytest.param({"AU9": 1.0}, "nose_tip", 0, 1, -1, id="nose-wrinkles-up"),
        pytest.param({"AU10": 1.0}, "lip_top", 8, 1, -1, id="upper-lip-rises"),
        pytest.param({"AU12R": 1.0}, "lip_inner_top", 16, 1, -1, id="right-corner-rises"),
        pytest.param({"AU15": 1.0}, "lip_inner_top", 0, 1, 1, id="corners-sink"),
        pytest.param({"AU20": 1.0}, "lip_inner_top", 16, 0, 1, id="lips-stretch"),
        pytest.param({"AU26": 1.0}, "lip_bottom", 8, 1, 1, id="jaw-drops"),
        pytest.param({"AU45": 1.0}, "upper_lid_left", 8, 1, 1, id="lid-closes"),
    ],
)
def test_units_pull_in_the_direction_of_their_muscle(actions, line, point, axis, sign):
    identity = sample_identity(np.random.default_rng(2))
    rest = face_curves(identity, {})[line].points[point, axis]
    moved = face_curves(identity, actions)[line].points[point, axis]
    assert sign * (moved - rest) > 0.02


def test_contempt_is_on_one_side_and_on_either():
    sides = set()
    for seed in range(12):
        units = sample_expression(Emotion.CONTEMPT, np.random.default_rng(seed))
        corners = {unit[-1] for unit in units if unit.startswith(("AU12", "AU14"))}
        assert len(corners) == 1
        sides |= corners
    assert sides == {"L", "R"}


def test_intensity_scales_and_overlays_take_the_strongest():
    assert at_intensity({"AU1": 0.8}, 0.5) == {"AU1": 0.4}
    assert combine({"AU25": 0.3}, {"AU25": 0.6, "AU26": 0.1}) == {"AU25": 0.6, "AU26": 0.1}


def test_an_unknown_unit_is_refused():
    with pytest.raises(ValueError, match="AU99"):
        Prototype({"AU99": 1.0}, {})
