from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from emotemporal.inference.prior import adjust_prior, to_probabilities, wanted_prior
from emotemporal.labels import SAVEE_7
from emotemporal.models.meta import read_meta


@pytest.fixture
def meta(tiny_checkpoint):
    return read_meta(tiny_checkpoint)


def test_the_training_prior_changes_nothing(meta):
    logits = np.array([[1.0, -2.0, 0.5, 0, 0, 0, 0]])
    np.testing.assert_array_equal(
        adjust_prior(logits, meta.training_prior, meta.training_prior), logits
    )


def test_adjusted_probabilities_are_bayes_rule(meta):
    logits = np.array([[1.0, -2.0, 0.5, 0.1, 0, 0.3, 2.0]])
    wanted = [0.1, 0.1, 0.2, 0.2, 0.2, 0.1, 0.1]
    trained = to_probabilities(logits, meta, meta.training_prior)
    expected = trained * np.asarray(wanted) / np.asarray(meta.training_prior)
    expected /= expected.sum()
    np.testing.assert_allclose(to_probabilities(logits, meta, wanted), expected, atol=1e-12)


def test_temperature_divides_the_logits_before_the_prior_is_adjusted(meta):
    logits = np.array([[3.0, 0, 0, 0, 0, 0, 0]])
    powers = np.exp(logits[0] / 1.5)
    np.testing.assert_allclose(
        to_probabilities(logits, meta, meta.training_prior)[0], powers / powers.sum()
    )


def test_huge_logits_give_finite_probabilities(meta):
    rows = to_probabilities(np.array([[1e4, -1e4, 0, 0, 0, 0, 0]]), meta, meta.training_prior)
    assert rows.sum() == pytest.approx(1)


def test_a_prior_can_come_from_a_file(meta, tmp_path):
    file = tmp_path / "prior.json"
    file.write_text(json.dumps({name: 2 if name == "fear" else 1 for name in SAVEE_7.names}))
    assert wanted_prior(str(file), meta) == pytest.approx(
        tuple(0.25 if name == "fear" else 0.125 for name in SAVEE_7.names)
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("not json", "does not give each emotion its share", id="not-json"),
        pytest.param('{"glee": 1}', "'glee' is not an emotion", id="unknown-emotion"),
        pytest.param('{"fear": 1}', "a positive share to each of", id="emotions-missing"),
        pytest.param("[1, 2]", "does not give each emotion its share", id="a-list"),
    ],
)
def test_a_wrong_prior_file_is_told(meta, tmp_path, text, complaint):
    file = tmp_path / "prior.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=complaint):
        wanted_prior(str(file), meta)


def test_a_prior_that_is_nothing_is_told(meta):
    with pytest.raises(ValueError, match="'training', 'uniform' or a JSON file"):
        wanted_prior("flat", meta)


def test_an_emotion_that_training_never_showed_cannot_be_asked_for(meta):
    unseen = replace(meta, training_prior=(0.5, 0.5, 0, 0, 0, 0, 0))
    assert wanted_prior("training", unseen) == unseen.training_prior
    with pytest.raises(ValueError, match=r"sadness.*never showed; use --prior training"):
        wanted_prior("uniform", unseen)
    with pytest.raises(ValueError, match="0 in one prior"):
        adjust_prior(np.zeros((1, 7)), unseen.training_prior, (1 / 7,) * 7)


def test_priors_of_another_length_are_refused():
    with pytest.raises(ValueError, match="2 and 3 shares for 3 logits"):
        adjust_prior(np.zeros((1, 3)), (0.5, 0.5), (0.2, 0.3, 0.5))
