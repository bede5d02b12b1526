import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from emotemporal.evaluation.confidence import (
    calibration_error,
    coverage_threshold,
    equal_mass_bins,
    fit_temperature,
    measure_calibration,
    reliability,
    risk_curve,
)

GENERATOR = np.random.default_rng(0)
LOGITS = 2 * GENERATOR.normal(size=(4000, 5))


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_a_planted_temperature_is_found_from_shares(temperature):
    found = fit_temperature(temperature * LOGITS, softmax(LOGITS, axis=1))
    assert found == pytest.approx(temperature, rel=1e-4)


def test_a_planted_temperature_is_found_from_drawn_labels():
    drawn = GENERATOR.random((len(LOGITS), 1)) > softmax(LOGITS, axis=1).cumsum(axis=1)
    truth = np.eye(5)[np.minimum(drawn.sum(axis=1), 4)]
    assert fit_temperature(2.5 * LOGITS, truth) == pytest.approx(2.5, rel=0.1)


def test_the_temperature_does_not_make_up_for_another_prior():
    shift = np.log([0.6, 0.1, 0.1, 0.1, 0.1])
    truth = softmax(LOGITS + shift, axis=1)
    assert fit_temperature(2.5 * LOGITS, truth, shift) == pytest.approx(2.5, rel=1e-4)
    assert fit_temperature(2.5 * LOGITS, truth) != pytest.approx(2.5, rel=0.1)


def test_the_fitted_temperature_lowers_nll_and_calibration_error_and_changes_no_answer():
    truth = softmax(LOGITS, axis=1)
    temperature = fit_temperature(3 * LOGITS, truth)
    before, after = (
        measure_calibration(softmax(3 * LOGITS / t, axis=1), truth, 0.8) for t in (1, temperature)
    )
    assert after.nll < before.nll
    assert after.brier < before.brier
    assert after.ece < 1e-3 < before.ece
    assert after.error == before.error


def test_where_all_are_right_the_temperature_stays_in_bounds():
    assert 0.04 < fit_temperature(LOGITS, np.eye(5)[LOGITS.argmax(axis=1)]) < 0.06


@pytest.mark.parametrize(
    ("confidence", "bins"),
    [
        pytest.param([0.9, 0.1, 0.5, 0.3, 0.7, 0.6], [2, 0, 1, 0, 2, 1], id="two-a-bin"),
        pytest.param([0.2, 0.8, 0.5, 0.5, 0.5, 0.9], [0, 2, 1, 1, 1, 2], id="ties-stay-together"),
        pytest.param([0.5] * 4, [1] * 4, id="all-alike"),
    ],
)
def test_bins_hold_alike_many(confidence, bins):
    assert equal_mass_bins(np.array(confidence), 3).tolist() == bins


def test_the_calibration_error_of_a_case_worked_by_hand():
    confidence = np.array([0.3, 0.5, 0.8, 1.0])
    right = np.array([0.0, 1.0, 1.0, 0.5])  # the last: half of the votes
    # Bins of two: confidence 0.4 and accuracy 0.5; 0.9 and 0.75. Each holds half of the rows.
    assert calibration_error(confidence, right, num_bins=2) == pytest.approx(0.05 + 0.075)
    low, high = reliability(confidence, right, num_bins=2)
    assert (low.num_images, low.confidence, low.accuracy) == (2, pytest.approx(0.4), 0.5)
    assert (high.num_images, high.confidence, high.accuracy) == (2, pytest.approx(0.9), 0.75)


def test_the_risk_curve_of_a_case_worked_by_hand():
    curve = risk_curve(np.array([0.6, 0.9, 0.7, 0.8, 0.5]), np.array([0.0, 1.0, 1.0, 0.5, 0.0]))
    np.testing.assert_allclose(curve.coverage, [0.2, 0.4, 0.6, 0.8, 1.0])
    # From the surest down, the errors are 0, 0.5, 0, 1, 1.
    errors = [0, 0.5 / 2, 0.5 / 3, 1.5 / 4, 2.5 / 5]
    np.testing.assert_allclose(curve.error, errors)
    assert curve.area == pytest.approx(np.mean(errors))
    assert curve.error_at(0.8) == pytest.approx(1.5 / 4)
    assert curve.error_at(0.61) == pytest.approx(1.5 / 4), "at least that share is answered"
    assert curve.error_at(1.0) == pytest.approx(0.5)


def test_equal_confidence_gives_a_curve_that_the_order_does_not_change():
    confidence, right = np.array([0.9, 0.5, 0.5]), np.array([1.0, 0.0, 1.0])
    curve = risk_curve(confidence, right)
    np.testing.assert_allclose(curve.error, [0, 0.25, 1 / 3])
    np.testing.assert_allclose(risk_curve(confidence, right[[0, 2, 1]]).error, curve.error)


@pytest.mark.parametrize(
    ("coverage", "threshold"),
    [(1.0, 0.1), (0.8, 0.3), (0.79, 0.3), (0.6, 0.5), (0.01, 0.9)],
)
def test_a_threshold_covers_the_share_that_was_asked_for(coverage, threshold):
    confidence = np.array([0.5, 0.1, 0.9, 0.3, 0.7])
    found = coverage_threshold(confidence, coverage)
    assert found == threshold
    assert np.mean(confidence >= found) >= coverage - 1e-9


@pytest.mark.parametrize("coverage", [0.0, -1.0, 1.1, float("nan")])
def test_a_coverage_that_is_no_share_is_refused(coverage):
    with pytest.raises(ValueError, match="coverage is"):
        coverage_threshold(np.array([0.5]), coverage)


def test_figures_against_votes_of_a_case_worked_by_hand():
    probabilities = np.array([[0.8, 0.2], [0.4, 0.6]])
    votes = np.array([[0.5, 0.5], [0.0, 1.0]])
    found = measure_calibration(probabilities, votes, coverage=0.5)
    entropies = [-(0.5 * np.log(0.8) + 0.5 * np.log(0.2)), -np.log(0.6)]
    assert found.num_images == 2
    assert found.nll == pytest.approx(np.mean(entropies))
    assert found.brier == pytest.approx((2 * 0.3**2 + 2 * 0.4**2) / 2)
    assert found.error == pytest.approx(0.25)
    assert found.error_covered == pytest.approx(0.5), "the surer one contradicts half of the votes"
    assert found.aurc == pytest.approx((0.5 + 0.25) / 2)


def test_an_answer_that_was_called_impossible_costs_much_and_not_infinitely():
    found = measure_calibration(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]), 1.0)
    assert 100 < found.nll < 1000


def test_the_true_distribution_has_the_lowest_nll_there_can_be():
    truth = softmax(LOGITS, axis=1)
    entropy = -(truth * log_softmax(LOGITS, axis=1)).sum(axis=1).mean()
    assert measure_calibration(truth, truth, 0.8).nll == pytest.approx(entropy)
