from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import nct
from statsmodels.stats.proportion import proportion_confint

from emotemporal.evaluation.statistics.effects import cohens_dz, matched_odds_ratio
from emotemporal.evaluation.statistics.significance import McNemarTest


def test_the_odds_ratio_is_that_of_the_clips_on_which_two_methods_differ():
    found = matched_odds_ratio(McNemarTest(12, 4, 0.08))
    low, high = proportion_confint(12, 16, method="beta")
    assert found.estimate == pytest.approx(3.0)
    assert (found.low, found.high) == pytest.approx((low / (1 - low), high / (1 - high)))


@pytest.mark.parametrize(
    ("test", "estimate", "low", "high"),
    [
        pytest.param(McNemarTest(0, 0, 1.0), 1.0, 0.0, math.inf, id="never-differ"),
        pytest.param(McNemarTest(3, 0, 0.25), math.inf, 0.4132, math.inf, id="never-behind"),
        pytest.param(McNemarTest(0, 3, 0.25), 0.0, 0.0, 2.4202, id="never-ahead"),
    ],
)
def test_an_odds_ratio_at_the_ends(test, estimate, low, high):
    found = matched_odds_ratio(test)
    assert (found.estimate, found.low, found.high) == pytest.approx((estimate, low, high), rel=1e-3)


def test_d_z_is_the_mean_over_the_deviation_and_its_interval_inverts_the_noncentral_t():
    differences = np.random.default_rng(0).normal(0.05, 0.1, 20)
    found = cohens_dz(differences)
    assert found is not None
    assert found.estimate == pytest.approx(differences.mean() / differences.std(ddof=1))
    t, root = found.estimate * math.sqrt(20), math.sqrt(20)
    assert nct.cdf(t, 19, found.low * root) == pytest.approx(0.975)
    assert nct.cdf(t, 19, found.high * root) == pytest.approx(0.025)


@pytest.mark.parametrize("size", [-6.0, -0.5, 0.0, 3.0, 12.0])
@pytest.mark.parametrize("count", [10, 24, 91])
def test_d_z_has_an_interval_whatever_its_size(size, count):
    spread = np.random.default_rng(2).normal(0, 1, count)
    spread = (spread - spread.mean()) / spread.std(ddof=1)
    found = cohens_dz(size + spread)
    assert found is not None
    assert found.low < found.estimate < found.high
    assert found.estimate == pytest.approx(size)


def test_the_interval_of_d_z_holds_the_true_size_about_as_often_as_promised():
    rng = np.random.default_rng(1)
    held = sum(0.5 in found for _ in range(100) if (found := cohens_dz(rng.normal(0.5, 1, 12))))
    assert 88 <= held <= 100


@pytest.mark.parametrize(
    "differences",
    [pytest.param([0.1, 0.2] * 4, id="eight-subjects"), pytest.param([0.1] * 12, id="all-alike")],
)
def test_where_d_z_would_mislead_there_is_none(differences):
    assert cohens_dz(differences) is None
