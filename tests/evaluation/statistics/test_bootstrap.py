from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from emotemporal.evaluation.metrics import measure, stack_predictions
from emotemporal.evaluation.statistics.bootstrap import (
    BootstrapConfig,
    accuracy_of,
    draw_resamples,
    macro_f1_of,
    over_seeds,
    resampled_confusions,
    uar_of,
)
from emotemporal.evaluation.statistics.significance import holm, mcnemar, population_test
from tests.evaluation.judges import balanced, noisy_answers, predictions_with

QUICK = BootstrapConfig(num_resamples=2000)


def test_resampling_keeps_the_number_of_clips_of_each_speaker_and_class():
    targets, subjects = balanced(5)
    resamples = draw_resamples(subjects, targets, QUICK)
    assert resamples.kind == "clips"
    for subject in set(subjects):
        for target in range(7):
            cell = (np.array(subjects) == subject) & (targets == target)
            assert np.all(resamples.counts[:, cell].sum(axis=1) == 5)


def test_the_same_seed_draws_the_same_and_another_does_not():
    targets, subjects = balanced(3)
    first, again, other = (
        draw_resamples(subjects, targets, BootstrapConfig(200, seed=seed)).counts
        for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_from_ten_subjects_on_whole_subjects_are_drawn():
    targets, subjects = balanced(2, tuple(f"s{i}" for i in range(10)))
    resamples = draw_resamples(subjects, targets, QUICK)
    assert resamples.kind == "subjects"
    of_one = resamples.counts[:, np.array(subjects) == "s3"]
    assert np.all(of_one == of_one[:, :1])
    assert set(np.unique(of_one)) >= {0, 1, 2}


def test_clips_alone_in_their_speaker_and_class_are_counted():
    resamples = draw_resamples(["DC", "DC", "JE"], np.array([0, 0, 0]), QUICK)
    assert resamples.num_lone_clips == 1


def test_without_resampling_the_figures_are_those_of_sklearn():
    targets, subjects = balanced(4)
    answers = noisy_answers(targets, 0.5, seed=3)
    resamples = draw_resamples(subjects, targets, QUICK)
    once = replace(resamples, counts=np.ones((1, len(targets)), dtype=np.float32))
    confusions = resampled_confusions(answers[None], targets, 7, once)
    metrics = measure(stack_predictions(predictions_with(answers, targets, subjects)))
    assert accuracy_of(confusions).item() == pytest.approx(metrics.accuracy)
    assert uar_of(confusions).item() == pytest.approx(metrics.uar)
    assert macro_f1_of(confusions).item() == pytest.approx(metrics.macro_f1)


def test_bootstrap_spread_is_that_of_theory():
    # one class, one speaker, 100 clips, 70 right: the deviation of a share is sqrt(p q / n)
    targets = np.zeros(100, dtype=int)
    answers = (np.arange(100) >= 70).astype(int)
    resamples = draw_resamples(["DC"] * 100, targets, BootstrapConfig(5000))
    values = uar_of(resampled_confusions(answers[None], targets, 2, resamples))[0]
    assert values.mean() == pytest.approx(0.7, abs=0.005)
    assert values.std() == pytest.approx(np.sqrt(0.7 * 0.3 / 100), rel=0.05)


def test_no_difference_lies_in_the_interval_about_as_often_as_promised():
    targets, subjects = balanced(5)
    resamples = draw_resamples(subjects, targets, BootstrapConfig(500))
    held = 0
    for i in range(100):
        answers = np.stack(
            [noisy_answers(targets, 0.5, 2 * i), noisy_answers(targets, 0.5, 2 * i + 1)]
        )
        first, second = uar_of(resampled_confusions(answers, targets, 7, resamples))
        low, high = np.quantile(first - second, [0.025, 0.975])
        held += low <= 0 <= high
    assert 88 <= held <= 100


def test_seeds_that_disagree_widen_the_interval_and_seeds_that_agree_do_not():
    alike = np.full((3, 5000), 0.5)
    apart = alike + np.array([[-0.1], [0.0], [0.1]])
    config = BootstrapConfig(5000)
    assert over_seeds(alike, config).std() == pytest.approx(0)
    # the mean of 3 draws from -0.1, 0, 0.1: deviation sqrt(2/3) * 0.1 / sqrt(3)
    assert over_seeds(apart, config).std() == pytest.approx(0.0471, rel=0.05)


def test_methods_with_as_many_seeds_share_the_draw():
    rng = np.random.default_rng(0)
    values = rng.random((3, 1)) + np.zeros((3, 500))
    config = BootstrapConfig(500)
    assert np.allclose(over_seeds(values + 0.1, config) - over_seeds(values, config), 0.1)


def test_four_speakers_have_no_population_p_value_and_are_told_why():
    test = population_test([0.2, 0.3, 0.1, 0.4])
    assert test.p_value is None
    assert "0.125" in test.explanation
    assert "4 subjects" in test.explanation


def test_ten_subjects_that_all_gain_have_the_smallest_possible_p():
    test = population_test([0.1 + 0.01 * i for i in range(10)])
    assert test.p_value == pytest.approx(2 / 2**10)


def test_ten_subjects_that_gain_nothing_on_average_have_p_one():
    assert population_test([0.1, -0.1] * 5).p_value == pytest.approx(1.0)


def test_sign_flips_of_many_subjects_are_drawn_and_repeat():
    differences = np.random.default_rng(2).normal(0.05, 0.1, 30).tolist()
    first, again = population_test(differences), population_test(differences)
    assert first == again
    assert first.p_value is not None
    assert 0 < first.p_value < 0.2


def test_mcnemar_counts_what_only_one_got_right():
    first = np.array([True] * 9 + [False] * 1 + [True] * 5)
    second = np.array([False] * 9 + [True] * 1 + [True] * 5)
    test = mcnemar(first, second)
    assert (test.num_only_first, test.num_only_second) == (9, 1)
    assert test.p_value == pytest.approx(2 * (1 + 10) / 2**10)


def test_mcnemar_of_equal_methods_is_one():
    same = np.array([True, False])
    assert mcnemar(same, same).p_value == 1.0


def test_holm_of_the_textbook():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


@pytest.mark.parametrize(
    ("field", "value"), [("num_resamples", 10), ("confidence", 95.0), ("confidence", 1.0)]
)
def test_a_bootstrap_that_says_nothing_is_refused(field, value):
    with pytest.raises(ValueError, match=field):
        BootstrapConfig(**{field: value})
