"""Figures and tests against the libraries that others check theirs by."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    brier_score_loss,
    confusion_matrix,
    f1_score,
    log_loss,
    recall_score,
)
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from emotemporal.evaluation.metrics import measure, stack_predictions
from emotemporal.evaluation.statistics.bootstrap import uar_of_answers
from emotemporal.evaluation.statistics.significance import holm, mcnemar
from emotemporal.labels import SAVEE_7
from emotemporal.types import ClipPrediction


@pytest.mark.parametrize("seed", range(5))
def test_figures_agree_with_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(7, 0.5), 90)
    targets = rng.choice(7, 90, p=rng.dirichlet(np.ones(7)))
    answers = probabilities.argmax(axis=1)
    metrics = measure(
        stack_predictions(
            [
                ClipPrediction(f"{i}", "DC", SAVEE_7.emotions[target], row, SAVEE_7)
                for i, (row, target) in enumerate(zip(probabilities, targets, strict=True))
            ]
        )
    )
    present = sorted(set(targets.tolist()))
    everywhere = {"labels": list(range(7)), "zero_division": 0}
    assert metrics.accuracy == pytest.approx(accuracy_score(targets, answers))
    recalls = recall_score(targets, answers, average=None, **everywhere)
    assert metrics.uar == pytest.approx(np.mean(recalls[present]))
    assert metrics.uar == pytest.approx(uar_of_answers(answers, targets, 7))
    f1 = f1_score(targets, answers, average=None, **everywhere)
    assert metrics.macro_f1 == pytest.approx(np.mean(f1[present]))
    assert metrics.nll == pytest.approx(log_loss(targets, probabilities, labels=range(7)))
    of_each = [brier_score_loss(targets == k, probabilities[:, k]) for k in range(7)]
    assert metrics.brier == pytest.approx(sum(of_each))
    expected = confusion_matrix(targets, answers, labels=range(7))
    assert np.array_equal(metrics.confusion, expected)
    for k, found in enumerate(metrics.recalls):
        assert found.num_clips == expected[k].sum()
        if found.num_clips:
            bounds = proportion_confint(expected[k, k], expected[k].sum(), method="wilson")
            assert (found.recall.low, found.recall.high) == pytest.approx(bounds, abs=1e-12)


def test_uar_is_balanced_accuracy_where_every_emotion_occurs():
    rng = np.random.default_rng(0)
    targets, answers = np.repeat(np.arange(7), [1, 2, 3, 5, 8, 13, 21]), rng.integers(0, 7, 53)
    found = uar_of_answers(answers, targets, 7)
    assert found == pytest.approx(balanced_accuracy_score(targets, answers))


@pytest.mark.parametrize("seed", range(5))
def test_mcnemar_agrees_with_statsmodels_and_with_the_binomial_test(seed):
    rng = np.random.default_rng(seed)
    first, second = rng.random(80) < 0.7, rng.random(80) < 0.5
    found = mcnemar(first, second)
    table = [[np.sum(a & b) for b in (second, ~second)] for a in (first, ~first)]
    assert found.p_value == pytest.approx(statsmodels_mcnemar(table, exact=True).pvalue)
    discordant = found.num_only_first + found.num_only_second
    assert found.p_value == pytest.approx(binomtest(found.num_only_first, discordant).pvalue)


@pytest.mark.parametrize("seed", range(5))
def test_holm_agrees_with_statsmodels_and_with_its_definition(seed):
    p = np.random.default_rng(seed).random(8) ** 3
    found = holm(p.tolist())
    assert found == pytest.approx(multipletests(p, method="holm")[1])
    order = np.argsort(p)
    stepped = np.maximum.accumulate((8 - np.arange(8)) * p[order])
    assert np.array(found)[order] == pytest.approx(np.minimum(stepped, 1.0))
