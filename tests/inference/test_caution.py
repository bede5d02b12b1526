from dataclasses import replace

import numpy as np
import pytest

from emotemporal.inference.caution import (
    UNCALIBRATED_BELOW,
    Caution,
    find_caution,
    without_hidden,
)
from emotemporal.labels import SAVEE_7, Emotion
from emotemporal.models.meta import read_meta

UNIFORM = (1 / 7,) * 7


@pytest.fixture
def meta(tiny_checkpoint):
    return replace(
        read_meta(tiny_checkpoint),
        uncertain_below=0.6,
        uncertain_prior=UNIFORM,
        weak=(Emotion.FEAR, Emotion.DISGUST),
        hidden=(Emotion.DISGUST,),
    )


@pytest.mark.parametrize(
    ("prior", "asked", "below", "told"),
    [
        pytest.param(UNIFORM, None, 0.6, "as calibrated", id="under-its-prior"),
        pytest.param(UNIFORM, 0.2, 0.2, "as asked for", id="asked-for"),
        pytest.param((0.4, *[0.1] * 6), None, UNCALIBRATED_BELOW, "0.600 holds for an", id="other"),
    ],
)
def test_the_threshold_is_the_one_that_holds(meta, prior, asked, below, told):
    found = find_caution(meta, prior, asked)
    assert found.uncertain_below == below
    assert told in str(found)


def test_a_checkpoint_that_nobody_calibrated_has_a_guess(tiny_checkpoint):
    found = find_caution(read_meta(tiny_checkpoint), UNIFORM)
    assert found == Caution()
    assert str(found) == "uncertain below 0.350 (not calibrated)"


def test_options_come_before_the_checkpoint(meta):
    assert find_caution(meta, UNIFORM).hidden == {Emotion.DISGUST}
    assert find_caution(meta, UNIFORM, hidden="").hidden == frozenset()
    # An emotion that the network does not know is hidden well enough.
    hidden = find_caution(meta, UNIFORM, hidden="contempt,fear").hidden
    assert hidden == {Emotion.CONTEMPT, Emotion.FEAR}


def test_weak_emotions_are_marked_and_hidden_ones_named(meta):
    found = find_caution(meta, UNIFORM)
    assert found.name(Emotion.FEAR) == "fear*"
    assert found.name(Emotion.ANGER) == "anger"
    assert Emotion.DISGUST not in found.shown(SAVEE_7)
    assert len(found.shown(SAVEE_7)) == 6
    assert str(found).endswith("; * weak, seldom recognised: fear; in tables only: disgust")


@pytest.mark.parametrize(
    ("hidden", "told"), [("glee", "glee"), (",".join(SAVEE_7.names), "leaves none")]
)
def test_what_cannot_be_hidden_is_refused(meta, hidden, told):
    with pytest.raises(ValueError, match=told):
        find_caution(meta, UNIFORM, hidden=hidden)


def test_what_is_hidden_counts_as_nothing_and_the_rest_stays():
    shares = np.array([[0.1, 0.5, 0.4, 0, 0, 0, 0]])
    found = without_hidden(shares, SAVEE_7, frozenset({Emotion.HAPPINESS, Emotion.CONTEMPT}))
    np.testing.assert_array_equal(found, [[0.1, 0, 0.4, 0, 0, 0, 0]])
