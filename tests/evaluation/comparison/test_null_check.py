"""The tests of a comparison on methods that are alike by construction."""

from __future__ import annotations

import numpy as np
import pytest

from emotemporal.evaluation.comparison import null_check
from emotemporal.evaluation.comparison.null_check import (
    INTERVAL,
    MCNEMAR,
    SIGN_FLIP,
    NullCheckConfig,
    check_null,
    null_rates,
)
from emotemporal.evaluation.metrics import stack_predictions
from emotemporal.evaluation.predictions import write_predictions
from emotemporal.evaluation.statistics.bootstrap import BootstrapConfig
from tests.evaluation.judges import balanced, noisy_answers, predictions_with

FOUR = ("DC", "JE", "JK", "KL")
TWELVE = tuple(f"s{i:02d}" for i in range(12))


def rates(subjects, num_per_cell, num_swaps, num_resamples, **more):
    """Two methods of unlike skill: that is no difference once they are swapped at random."""
    targets, names = balanced(num_per_cell, subjects)
    judges = [
        stack_predictions(predictions_with(noisy_answers(targets, skill, seed), targets, names))
        for skill, seed in ((0.7, 1), (0.8, 2))
    ]
    bootstrap = BootstrapConfig(num_resamples)
    config = NullCheckConfig("", "", num_swaps, bootstrap=bootstrap, **more)
    return {rate.test: rate for rate in null_rates(*judges, config).rates}


def test_few_swaps_already_show_no_liberal_test():
    found = rates(FOUR, 5, 150, 300)
    assert set(found) == {INTERVAL, MCNEMAR}  # four subjects: nothing is said of people
    assert all(rate.rate <= rate.high for rate in found.values())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("subjects", "num_per_cell", "swap"),
    [
        pytest.param(FOUR, 15, "clips", id="savee"),
        pytest.param(TWELVE, 4, "clips", id="twelve-subjects"),
        pytest.param(TWELVE, 4, "subjects", id="twelve-subjects-swapped-whole"),
    ],
)
def test_over_two_thousand_swaps_the_test_rejects_within_the_binomial_interval(
    subjects, num_per_cell, swap
):
    found = rates(subjects, num_per_cell, 2000, 1000, swap=swap)
    assert found[INTERVAL].is_sound
    if len(subjects) > 9:
        assert found[SIGN_FLIP].rate <= found[SIGN_FLIP].high  # discrete: may be below 5 %
    if swap == "clips":
        assert found[MCNEMAR].rate <= found[MCNEMAR].high
    else:
        # Why it is secondary: it takes the clips of one subject for independent.
        assert found[MCNEMAR].rate > found[MCNEMAR].high


def test_a_liberal_test_is_seen_and_called_so(monkeypatch):
    monkeypatch.setattr(null_check, "percentile_interval", lambda *_: ())
    found = rates(FOUR, 3, 100, 100)
    assert found[INTERVAL].rate == 1.0
    told = str(null_check.NullCheck((found[INTERVAL],), 100))
    assert "100.00 %" in told
    assert "LIBERAL" in told


def test_tables_of_a_study_are_checked(tmp_path):
    targets, names = balanced(2)
    paths = [tmp_path / f"{i}.csv" for i in range(2)]
    for seed, path in enumerate(paths):
        answers = noisy_answers(targets, 0.7, seed)
        write_predictions(path, predictions_with(answers, targets, names))
    config = NullCheckConfig(*map(str, paths), num_swaps=100, bootstrap=BootstrapConfig(100))
    found = check_null(config)
    assert np.isfinite([rate.rate for rate in found.rates]).all()
    assert "100 random swaps" in str(found)


def test_too_few_swaps_are_refused():
    with pytest.raises(ValueError, match="at least 100"):
        NullCheckConfig("a", "b", num_swaps=10)
