from dataclasses import replace

import numpy as np
import pytest

from emotemporal.inference.caution import (
    Caution,
    find_caution,
    without_hidden,
)
from emotemporal.inference.prior import to_probabilities
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


def test_the_threshold_is_the_checkpoints_or_the_one_asked_for(meta):
    found = find_caution(meta, UNIFORM)
    assert (found.uncertain_below, found.weights) == (0.6, None)
    assert "0.600 (as calibrated)" in str(found)
    asked = find_caution(meta, UNIFORM, 0.2)
    assert (asked.uncertain_below, asked.weights) == (0.2, None)
    assert "as asked for" in str(asked)


def test_confidence_is_the_same_whatever_prior_the_answer_assumes(meta):
    logits = np.random.default_rng(0).normal(size=(50, 7))
    priors = (UNIFORM, meta.training_prior, (0.4, *[0.1] * 6))
    found = [
        find_caution(meta, prior).confidence(to_probabilities(logits, meta, prior), meta.labels)
        for prior in priors
    ]
    np.testing.assert_allclose(found[1], found[0])
    np.testing.assert_allclose(found[2], found[0])
    under_its_own = to_probabilities(logits, meta, UNIFORM)
    under_its_own[:, meta.labels.index(Emotion.DISGUST)] = 0  # hidden
    np.testing.assert_allclose(found[0], under_its_own.max(axis=1))


def test_a_threshold_that_was_asked_for_is_of_the_probabilities_as_they_are(meta):
    shares = np.array([0.6, 0.2, 0.2, 0, 0, 0, 0])
    assert find_caution(meta, (0.4, *[0.1] * 6), 0.5).confidence(shares, meta.labels) == 0.6


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
