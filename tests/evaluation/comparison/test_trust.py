from __future__ import annotations

import numpy as np
import pytest

from emotemporal.evaluation.comparison.trust import measure_trust
from emotemporal.evaluation.metrics import measure, stack_predictions
from emotemporal.evaluation.statistics.bootstrap import BootstrapConfig, draw_resamples
from tests.evaluation.judges import balanced, noisy_answers, predictions_with


@pytest.fixture(scope="module")
def trust():
    targets, names = balanced(8)
    answers = noisy_answers(targets, 0.6, seed=0)
    judged = stack_predictions(predictions_with(answers, targets, names))
    resamples = draw_resamples(judged.subjects, judged.targets, BootstrapConfig(2000))
    return judged, measure_trust(judged, measure(judged), resamples, 0.95)


def test_every_figure_lies_in_its_interval_and_is_what_was_measured(trust):
    judged, found = trust
    metrics = measure(judged)
    for name in ("nll", "brier", "ece"):
        interval = getattr(found, name)
        assert interval.estimate == getattr(metrics, name)
        assert interval.low <= interval.estimate <= interval.high
        assert interval.low < interval.high


def test_the_interval_of_a_mean_is_that_of_theory(trust):
    judged, found = trust
    is_right = judged.answers == judged.targets
    losses = np.where(is_right, -np.log(0.9), -np.log(0.1 / 6))
    cells = list(zip(judged.subjects, judged.targets, strict=True))
    variance = 0.0
    for cell in set(cells):
        own = losses[[other == cell for other in cells]]
        variance += len(own) * own.var(ddof=1)
    deviation = np.sqrt(variance) / len(losses)
    assert (found.nll.high - found.nll.low) / 2 == pytest.approx(1.96 * deviation, rel=0.1)
