from __future__ import annotations

import numpy as np
import pytest

from emotemporal.evaluation.comparison.by_group import NOT_KNOWN, audit_groups, group_sentence
from emotemporal.evaluation.comparison.runs import gather_runs
from emotemporal.evaluation.statistics.bootstrap import BootstrapConfig
from tests.evaluation.judges import balanced, noisy_answers, predictions_with

QUICK = BootstrapConfig(500)


def audit(skills, values_of, num_per_cell=4):
    """Audit a judge with a skill for each subject, by a value for each subject."""
    targets, names = balanced(num_per_cell, tuple(skills))
    skill = np.array([skills[name] for name in names])
    right = np.random.default_rng(0).random(len(targets)) < skill
    answers = np.where(right, targets, noisy_answers(targets, 0, seed=1))
    runs = gather_runs({"gru": [predictions_with(answers, targets, names)]}, None)
    return audit_groups(runs, {"sex": [values_of[name] for name in names]}, QUICK)["gru"][0]


SKILLS = {"a": 0.95, "b": 0.95, "c": 0.4}


def test_a_gap_is_found_with_its_direction_and_the_smallest_group_is_named():
    found = audit(SKILLS, {"a": "male", "b": "male", "c": "female"})
    assert found.gap is not None
    assert (found.gap.better, found.gap.worse) == ("male", "female")
    assert found.gap.uar.low > 0
    estimates = {group.group: group.uar.estimate for group in found.groups}
    assert found.gap.uar.estimate == pytest.approx(estimates["male"] - estimates["female"])
    assert (found.smallest.group, found.smallest.num_subjects) == ("female", 1)
    assert "Smallest group of sex: female, 1 subject, 28 clips." in group_sentence(found)


def test_equal_groups_have_no_gap_beyond_the_noise():
    found = audit(dict.fromkeys("abcd", 0.7), {"a": "x", "b": "x", "c": "y", "d": "y"})
    assert found.gap is not None
    assert 0.0 in found.gap.uar


def test_who_is_not_known_is_told_and_in_no_gap():
    found = audit(SKILLS, {"a": "male", "b": "female", "c": ""})
    assert [group.group for group in found.groups] == ["female", "male", NOT_KNOWN]
    assert found.gap is not None
    assert NOT_KNOWN not in (found.gap.better, found.gap.worse)


def test_one_group_alone_is_compared_with_nobody():
    found = audit(SKILLS, dict.fromkeys(SKILLS, "male"))
    assert found.gap is None
    assert "nothing to compare" in group_sentence(found)


def test_an_emotion_that_one_group_never_shows_counts_for_none():
    targets = np.array([0, 0, 1, 1, 0, 0])
    answers = np.array([0, 0, 0, 0, 0, 0])
    rows = predictions_with(answers, targets, list("aaaabb"))
    runs = gather_runs({"gru": [rows]}, None)
    (found,) = audit_groups(runs, {"sex": list("mmmmff")}, QUICK)["gru"]
    assert [emotion.value for emotion in found.emotions] == ["neutral"]
    assert [group.uar.estimate for group in found.groups] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param(["m"], "not one a clip", id="too-few"),
        pytest.param(["m", "f"], "no emotion is shown by all", id="nothing-in-common"),
    ],
)
def test_what_cannot_be_audited_is_refused(values, message):
    runs = gather_runs({"gru": [predictions_with([0, 1], [0, 1], ["a", "b"])]}, None)
    with pytest.raises(ValueError, match=message):
        audit_groups(runs, {"sex": values}, QUICK)
