from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from emotemporal.evaluation.comparison.compare import ComparisonConfig, compare
from emotemporal.evaluation.statistics.bootstrap import BootstrapConfig
from emotemporal.labels import AFFECTNET_8, SAVEE_7, Emotion
from tests.evaluation.judges import balanced, noisy_answers, predictions_with

PAIR = (Emotion.FEAR, Emotion.SURPRISE)
QUICK = BootstrapConfig(num_resamples=1000)
CONFIG = ComparisonConfig(pair=PAIR, bootstrap=QUICK)


def order_blind(answers, targets):
    """Answers fear for every clip of the pair: what two clips that look the same both get."""
    fear, surprise = (SAVEE_7.index(e) for e in PAIR)
    return np.where(np.isin(targets, [fear, surprise]), fear, answers)


def methods(num_per_cell=6, subjects=("DC", "JE", "JK", "KL")):
    targets, names = balanced(num_per_cell, subjects)
    blind = order_blind(noisy_answers(targets, 0.7, seed=0), targets)
    middle = order_blind(noisy_answers(targets, 0.4, seed=9), targets)
    return {
        "middle_frame": [predictions_with(middle, targets, names)],
        "mean_of_frames": [predictions_with(blind, targets, names)],
        "gru": [
            predictions_with(noisy_answers(targets, 0.95, seed=s), targets, names)
            for s in (1, 2, 3)
        ],
    }


@pytest.fixture(scope="module")
def comparison():
    return compare(methods(), CONFIG, origin={"commit": "abc"})


def test_the_reference_is_the_best_frame_baseline(comparison):
    assert comparison.reference == "mean_of_frames"
    assert comparison.is_reference_chosen
    assert comparison.method("mean_of_frames").difference is None


def test_a_better_method_is_better_in_every_figure(comparison):
    gru = comparison.method("gru")
    assert gru.num_seeds == 3
    assert gru.difference.uar.low > 0
    assert gru.difference.mcnemar.num_only_first > gru.difference.mcnemar.num_only_second
    assert gru.difference.holm_p < 0.001
    assert all(s.difference.estimate > 0 for s in gru.subjects)
    assert gru.uar.estimate in gru.uar


def test_a_worse_method_is_told_as_worse(comparison):
    assert comparison.method("middle_frame").difference.uar.high < 0


def test_order_blind_judges_get_half_of_the_pair_and_one_that_sees_order_more(comparison):
    for name in ("middle_frame", "mean_of_frames"):
        accuracy = comparison.method(name).pair_accuracy
        assert accuracy.estimate == 0.5
        assert comparison.method(name).is_order_blind
    assert comparison.method("gru").pair_accuracy.low > 0.5
    assert comparison.num_pair_clips == 2 * 6 * 4


def test_four_speakers_are_these_speakers_and_have_no_population_p(comparison):
    assert comparison.scope == "for these speakers (DC, JE, JK, KL)"
    assert comparison.method("gru").difference.population.p_value is None


def test_ten_subjects_are_resampled_whole_and_have_a_population_p():
    result = compare(methods(2, tuple(f"s{i}" for i in range(10))), CONFIG)
    assert result.resampled == "subjects"
    assert result.scope == "for people like these 10 subjects"
    assert result.method("gru").difference.population.p_value == pytest.approx(2 / 2**10)


def test_a_method_does_not_differ_from_itself():
    table = methods()
    table["copy"] = table["mean_of_frames"]
    copy = compare(table, CONFIG).method("copy").difference
    assert (copy.uar.estimate, copy.uar.low, copy.uar.high) == (0, 0, 0)
    assert copy.mcnemar.p_value == 1.0


def test_the_same_predictions_give_the_same_table(comparison):
    again = compare(methods(), CONFIG)
    for first, second in zip(comparison.methods, again.methods, strict=True):
        assert (first.uar, first.accuracy, first.macro_f1) == (
            second.uar,
            second.accuracy,
            second.macro_f1,
        )


def test_clips_outside_the_label_space_are_dropped_and_counted_and_masks_are_told():
    targets = np.array([0, 1, 2, 3, 4, 5, 6, 7] * 4)
    rows = predictions_with(targets, targets, ["DC", "JE"] * 16, labels=AFFECTNET_8)
    result = compare({"mean_of_frames": [rows]}, ComparisonConfig(bootstrap=QUICK), SAVEE_7)
    assert (result.num_clips, result.num_dropped) == (28, 4)
    assert result.methods[0].masked == (Emotion.CONTEMPT,)
    assert result.method("mean_of_frames").uar.estimate == 1.0


def broken(change):
    table = methods(1)
    change(table)
    return table


@pytest.mark.parametrize(
    ("table", "config", "message"),
    [
        pytest.param({}, CONFIG, "at least one seed", id="nothing"),
        pytest.param({"gru": []}, CONFIG, "at least one seed", id="no-seeds"),
        pytest.param(
            broken(lambda t: t["gru"][1].pop()),
            CONFIG,
            "27 clips where the first has 28",
            id="short",
        ),
        pytest.param(
            broken(lambda t: t["gru"][2].reverse()),
            CONFIG,
            "gru, seed number 3: clip 0",
            id="order",
        ),
        pytest.param({"gru": methods(1)["gru"]}, CONFIG, "no frame baseline", id="no-baseline"),
        pytest.param(
            methods(1), replace(CONFIG, reference="lstm"), "'lstm' is not among", id="no-reference"
        ),
        pytest.param(
            broken(lambda t: [s.pop(4) for m in t.values() for s in m]),
            CONFIG,
            "as many of both",
            id="uneven-pair",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(table, config, message):
    with pytest.raises(ValueError, match=message):
        compare(table, config)
