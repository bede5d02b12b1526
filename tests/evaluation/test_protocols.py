from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from emotemporal.evaluation.choosing import choose_num_epochs, choose_setting
from emotemporal.evaluation.folds import check_twins
from emotemporal.evaluation.protocols import (
    Fold,
    ProtocolConfig,
    check_fold,
    inner_folds,
    leave_one_corpus_out,
    leave_one_subject_and_takes_out,
    leave_one_subject_out,
    make_folds,
    speaker_dependent,
)

SPEAKERS = ("DC", "JE", "JK", "KL")


def savee_like(num_takes: int = 6) -> pd.DataFrame:
    rows = [
        {"subject": s, "emotion": e, "take": f"{e}{i}"}
        for s in SPEAKERS
        for e in ("fear", "anger", "neutral")
        for i in range(1, num_takes + 1)
    ]
    return pd.DataFrame(rows, index=range(1000, 1000 + len(rows)))


def test_every_speaker_is_left_out_once_and_never_trained_on():
    rows = savee_like()
    folds = leave_one_subject_out(rows)
    assert [fold.name for fold in folds] == list(SPEAKERS)
    for fold in folds:
        assert set(rows.iloc[fold.test]["subject"]) == {fold.name}
        assert fold.name not in set(rows.iloc[fold.train]["subject"])
    everyone = np.concatenate([fold.test for fold in folds])
    assert sorted(everyone) == list(range(len(rows)))


def test_inner_folds_leave_out_training_speakers_and_never_touch_the_judged_one():
    rows = savee_like()
    outer = leave_one_subject_out(rows)[0]
    inner = inner_folds(rows, outer)
    assert [fold.name for fold in inner] == ["DC>JE", "DC>JK", "DC>KL"]
    for fold in inner:
        touched = set(fold.train) | set(fold.test)
        assert not touched & set(outer.test)
        assert touched == set(outer.train)
        check_fold(rows, fold, ("subject",))


def test_neither_speaker_nor_sentence_is_shared_and_every_clip_is_judged_once():
    rows = savee_like()
    folds = leave_one_subject_and_takes_out(rows, 3)
    assert len(folds) == 4 * 3
    for fold in folds:
        train, test = rows.iloc[fold.train], rows.iloc[fold.test]
        assert not set(train["take"]) & set(test["take"])
        assert not set(train["subject"]) & set(test["subject"])
        assert set(test["emotion"]) == {"fear", "anger", "neutral"}
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(len(rows)))


def test_many_subjects_are_dealt_into_groups():
    rows = pd.DataFrame({"subject": [f"s{i:02d}" for i in range(20)] * 3, "emotion": "fear"})
    folds = make_folds(rows, ProtocolConfig("subject_groups", num_folds=5))
    assert len(folds) == 5
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(60))


def fold_of(train, test) -> Fold:
    return Fold("f", np.array(train, dtype=int), np.array(test, dtype=int))


@pytest.mark.parametrize(
    ("fold", "message"),
    [
        pytest.param(fold_of([0, 20], [1]), "subject DC .*shares no subject", id="subject"),
        pytest.param(fold_of([18, 72], [0]), "subject  dc = DC .1 in all.", id="subject-misspelt"),
        pytest.param(fold_of([18], [0]), "take fear1 .*shares no take", id="take"),
        pytest.param(fold_of([0, 1], [1]), "rows .1. are on both sides", id="row"),
        pytest.param(fold_of([], [1]), "0 rows to train on", id="empty"),
    ],
)
def test_a_fold_that_shares_is_refused_by_name(fold, message):
    rows = savee_like()
    slip = pd.DataFrame([{"subject": " dc", "emotion": "fear", "take": "fear99"}])
    with pytest.raises(ValueError, match=message):
        check_fold(pd.concat([rows, slip]), fold)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        pytest.param(savee_like().drop(columns="subject"), "no column 'subject'", id="no-column"),
        pytest.param(savee_like().assign(subject=None), "have no subject", id="no-value"),
        pytest.param(savee_like().assign(subject=""), "have no subject", id="empty-value"),
        pytest.param(savee_like().assign(subject="DC"), "only one subject", id="one-subject"),
    ],
)
def test_a_table_that_cannot_be_split_is_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        leave_one_subject_out(rows)


def test_sentence_folds_need_sentences():
    with pytest.raises(ValueError, match="no column 'take'"):
        leave_one_subject_and_takes_out(savee_like().drop(columns="take"), 3)
    with pytest.raises(ValueError, match="cannot fill 50 groups"):
        leave_one_subject_and_takes_out(savee_like(), 50)


def test_more_groups_than_subjects_are_refused():
    with pytest.raises(ValueError, match="4 subjects cannot fill 5 folds"):
        make_folds(savee_like(), ProtocolConfig("subject_groups", num_folds=5))


def test_a_setting_is_chosen_by_its_mean_and_the_first_of_equals_wins():
    assert choose_setting({"a": [0.5, 0.5], "b": [0.9, 0.2], "c": [0.55, 0.55]}) == "b"
    assert choose_setting({"a": [0.5], "b": [0.5]}) == "a"
    with pytest.raises(ValueError, match="same inner folds"):
        choose_setting({"a": [0.5, 0.5], "b": [0.9]})


def test_epochs_are_the_median_of_the_inner_folds_best():
    assert choose_num_epochs([[0.1, 0.9, 0.2], [0.1, 0.2, 0.3], [0.9, 0.1, 0.1]]) == 2
    with pytest.raises(ValueError, match="at least one epoch"):
        choose_num_epochs([])


def two_corpora() -> pd.DataFrame:
    rows = savee_like()
    return pd.concat(
        [
            rows.assign(corpus=name, subject=[f"{name}/{subject}" for subject in rows["subject"]])
            for name in ("first", "second")
        ]
    )


def test_a_corpus_is_judged_by_what_never_saw_it_or_its_people():
    rows = two_corpora()
    folds = make_folds(rows, ProtocolConfig("leave_one_corpus_out"))
    assert [fold.name for fold in folds] == ["first", "second"]
    for fold in folds:
        assert set(rows.iloc[fold.test]["corpus"]) == {fold.name}
        assert fold.name not in set(rows.iloc[fold.train]["corpus"])


def test_a_subject_of_two_corpora_is_refused_by_name():
    shared = two_corpora().assign(subject=list(savee_like()["subject"]) * 2)
    with pytest.raises(ValueError, match=r"subject DC, JE, JK, KL .4 in all. on both sides"):
        leave_one_corpus_out(shared)


def test_speaker_dependent_folds_share_speakers_but_no_performance_and_say_so():
    rows = pd.concat([savee_like(), savee_like()])  # each performance is filmed twice
    config = ProtocolConfig("speaker_dependent", num_folds=4)
    folds = make_folds(rows, config)
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(len(rows)))
    for fold in folds:
        train, test = rows.iloc[fold.train], rows.iloc[fold.test]
        assert set(train["subject"]) == set(test["subject"]) == set(SPEAKERS)
        performances = [set(side["subject"] + side["take"]) for side in (train, test)]
        assert not performances[0] & performances[1]
        assert set(test["emotion"]) == {"fear", "anger", "neutral"}
    assert config.note.startswith("SPEAKER-DEPENDENT")
    assert not ProtocolConfig().note


def test_too_few_performances_for_speaker_dependent_folds_are_refused():
    with pytest.raises(ValueError, match="72 performances cannot fill 80 folds"):
        speaker_dependent(savee_like(), 80)


def test_twins_on_both_sides_of_a_fold_are_refused_by_name():
    folds = leave_one_subject_out(savee_like())
    subjects = list(savee_like()["subject"])
    sources = [f"{i}.avi" for i in range(len(subjects))]
    alone = np.arange(len(subjects))
    check_twins(folds, alone, sources, subjects)
    within = np.where(alone == 1, 0, alone)  # both of DC: always on one side
    check_twins(folds, within, sources, subjects)
    across = np.where(alone == 18, 0, alone)
    with pytest.raises(ValueError, match=r"18.avi .subject JE. = 0.avi .subject DC"):
        check_twins(folds, across, sources, subjects)
