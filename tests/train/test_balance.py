import numpy as np
import pytest

from emotemporal.labels import AFFECTNET_8, LabelSpace
from emotemporal.train.balance import class_weights, epoch_order, logit_offsets, training_prior
from emotemporal.train.optim import OptimConfig
from tests.train.feature_clips import PAIR

LABELS = LabelSpace(PAIR)
WEIGHED = OptimConfig(class_weights="balanced")
DRAWN = OptimConfig(sampling="balanced")
ADJUSTED = OptimConfig(loss="logit_adjusted")


def test_class_weights_are_inverse_to_frequency_and_one_on_average():
    weights = class_weights(np.array([3.0, 1.0]), LABELS, WEIGHED)
    np.testing.assert_allclose(weights, [4 / 6, 2])
    assert np.average(weights, weights=[3, 1]) == pytest.approx(1)
    assert class_weights(np.array([3.0, 1.0]), LABELS, OptimConfig()) is None


def test_an_emotion_that_does_not_occur_is_named():
    counts = np.array([0.0, 0, 1, 1, 1, 1, 1, 1])
    with pytest.raises(ValueError, match="no neutral, happiness to train on"):
        class_weights(counts, AFFECTNET_8, WEIGHED)
    assert class_weights(counts, AFFECTNET_8, OptimConfig()) is None
    with pytest.raises(ValueError, match="or loss cross_entropy"):
        logit_offsets(counts, AFFECTNET_8, ADJUSTED)


def test_logits_are_offset_by_the_logarithm_of_the_prior():
    offsets = logit_offsets(np.array([3.0, 1.0]), LABELS, ADJUSTED)
    np.testing.assert_allclose(np.exp(offsets.numpy()), [0.75, 0.25], rtol=1e-6)
    assert logit_offsets(np.array([3.0, 1.0]), LABELS, OptimConfig()) is None


def test_an_order_visits_all_or_every_emotion_equally_often():
    classes = [0, 0, 0, 0, 0, 1]
    assert sorted(epoch_order(classes, OptimConfig(), 0, 0)) == [0, 1, 2, 3, 4, 5]
    drawn = np.array(classes)[epoch_order(classes, DRAWN, 0, 0)]
    assert np.bincount(drawn).tolist() == [3, 3]


@pytest.mark.parametrize(
    ("config", "prior"),
    [
        (OptimConfig(), (0.75, 0.25)),
        (WEIGHED, (0.5, 0.5)),
        (DRAWN, (0.5, 0.5)),
        (ADJUSTED, (0.5, 0.5)),
    ],
    ids=["as-collected", "weighed", "drawn", "adjusted"],
)
def test_the_prior_is_what_the_network_met(config, prior):
    assert training_prior(np.array([3.0, 1.0]), config) == prior
