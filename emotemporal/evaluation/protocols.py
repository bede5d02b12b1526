"""Who is trained on and who is judged: folds that share no subject, and no take where asked.

Folds hold positions of rows in the table (0 to n - 1), not index labels; inner folds hold positions
in the same table, so that a row means one clip everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Int

from emotemporal.evaluation.folds import Fold, check_fold, column_of, two_or_more

__all__ = [
    "Fold",
    "ProtocolConfig",
    "check_fold",
    "inner_folds",
    "leave_one_corpus_out",
    "leave_one_subject_and_takes_out",
    "leave_one_subject_out",
    "make_folds",
    "speaker_dependent",
    "subject_groups",
]

ProtocolName = Literal[
    "leave_one_subject_out",
    "subject_groups",
    "subject_and_take",
    "leave_one_corpus_out",
    "speaker_dependent",
]
SPEAKER_DEPENDENT_NOTE = (
    "SPEAKER-DEPENDENT: everybody who is judged was trained on too. These figures say nothing "
    "about new people, and are not comparable with those of any other protocol."
)
"""Stands at the head of every output of that protocol."""
_TOLD: Mapping[ProtocolName, str] = {
    "leave_one_subject_out": "one subject left out in turn; sentences are shared between the sides",
    "subject_groups": "one group of subjects left out in turn; sentences are shared",
    "subject_and_take": "subject and sentence both left out: neither was trained on",
    "leave_one_corpus_out": "one data set left out in turn, its people with it",
    "speaker_dependent": "speaker-dependent folds: all subjects were trained on",
}


@dataclass(frozen=True)
class ProtocolConfig:
    """How a table becomes folds.

    Raises:
        ValueError: Fewer than two folds or groups.
    """

    name: ProtocolName = "leave_one_subject_out"
    """`subject_and_take`: speaker and sentence both new. `speaker_dependent` is no evidence about
    new people, and every output says so."""
    num_folds: int = 5
    """`subject_groups`: into how many groups the subjects are dealt; `speaker_dependent`: folds."""
    num_take_groups: int = 3
    """`subject_and_take`: into how many groups the takes are dealt: folds a subject."""

    def __post_init__(self) -> None:
        for field in ("num_folds", "num_take_groups"):
            if getattr(self, field) < 2:
                raise ValueError(f"{field} is {getattr(self, field)}; folds need at least 2")

    @property
    def note(self) -> str:
        """What must stand at the head of every output; nothing for sound protocols."""
        return SPEAKER_DEPENDENT_NOTE if self.name == "speaker_dependent" else ""

    @property
    def told(self) -> str:
        """The protocol in words."""
        return _TOLD[self.name]


def make_folds(rows: pd.DataFrame, config: ProtocolConfig) -> list[Fold]:
    """Return the folds that `config` asks for.

    Raises:
        ValueError: A column that is missing or has gaps, or too few subjects or takes.
    """
    make = {
        "leave_one_subject_out": lambda: leave_one_subject_out(rows),
        "subject_groups": lambda: subject_groups(rows, config.num_folds),
        "subject_and_take": lambda: leave_one_subject_and_takes_out(rows, config.num_take_groups),
        "leave_one_corpus_out": lambda: leave_one_corpus_out(rows),
        "speaker_dependent": lambda: speaker_dependent(rows, config.num_folds),
    }
    if config.name not in make:
        raise ValueError(f"protocol is {config.name!r}; it can be {', '.join(make)}")
    return make[config.name]()


def leave_one_subject_out(rows: pd.DataFrame) -> list[Fold]:
    """Return one fold a subject, who is judged by a model that never saw them.

    Raises:
        ValueError: No `subject` column, rows without one, or a single subject.
    """
    subjects = column_of(rows, "subject")
    folds = [
        Fold(name, np.flatnonzero(subjects != name), np.flatnonzero(subjects == name))
        for name in two_or_more(subjects, "subject")
    ]
    for fold in folds:
        check_fold(rows, fold, ("subject",))
    return folds


def subject_groups(rows: pd.DataFrame, num_folds: int) -> list[Fold]:
    """Return folds that each judge a group of subjects: for sets with many of them.

    Raises:
        ValueError: As for `leave_one_subject_out`, or fewer subjects than folds.
    """
    from sklearn.model_selection import GroupKFold

    subjects = column_of(rows, "subject")
    num_subjects = len(two_or_more(subjects, "subject"))
    if num_subjects < num_folds:
        raise ValueError(f"{num_subjects} subjects cannot fill {num_folds} folds; ask for fewer")
    splits = GroupKFold(num_folds).split(subjects, groups=subjects)
    folds = [Fold(f"group{i + 1}", train, test) for i, (train, test) in enumerate(splits)]
    for fold in folds:
        check_fold(rows, fold, ("subject",))
    return folds


def leave_one_subject_and_takes_out(rows: pd.DataFrame, num_take_groups: int) -> list[Fold]:
    """Return folds in which neither the subject nor the take (the sentence) was trained on.

    Where sentences differ by emotion, as in SAVEE, a clip model could read the sentence from the
    lips of a new speaker. Every row is judged once; rows that share only the subject or only the
    take with the judged ones are left out of that fold.

    Raises:
        ValueError: No `subject` or `take` column, rows without one, or too few of either.
    """
    subjects, takes = column_of(rows, "subject"), column_of(rows, "take")
    group = _deal_takes(takes, column_of(rows, "emotion"), num_take_groups)
    folds = []
    for name in two_or_more(subjects, "subject"):
        for i in range(num_take_groups):
            test = np.flatnonzero((subjects == name) & (group == i))
            train = np.flatnonzero((subjects != name) & (group != i))
            if len(test) and len(train):
                folds.append(Fold(f"{name}/takes{i + 1}", train, test))
    for fold in folds:
        check_fold(rows, fold, ("subject", "take"))
    return folds


def leave_one_corpus_out(rows: pd.DataFrame) -> list[Fold]:
    """Return one fold a data set, none of whose clips or people are trained on.

    Raises:
        ValueError: No `corpus` or `subject` column, rows without one, a single corpus, or a
            subject of two: give each data set's subjects names of their own.
    """
    corpora = column_of(rows, "corpus")
    folds = [
        Fold(name, np.flatnonzero(corpora != name), np.flatnonzero(corpora == name))
        for name in two_or_more(corpora, "corpus")
    ]
    for fold in folds:
        check_fold(rows, fold, ("corpus", "subject"))
    return folds


def speaker_dependent(rows: pd.DataFrame, num_folds: int) -> list[Fold]:
    """Return folds with the same people on both sides, emotions mixed alike: to be marked as such.

    One performance (a subject's clips of one take) stays on one side.

    Raises:
        ValueError: No `subject` or `emotion` column, rows without one, or too few performances.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    subjects, emotions = column_of(rows, "subject"), column_of(rows, "emotion")
    takes = rows["take"].astype(str) if "take" in rows.columns else pd.Series([""] * len(rows))
    performances = [
        f"{subject}\n{emotion}\n{take or f'row {i}'}"
        for i, (subject, emotion, take) in enumerate(zip(subjects, emotions, takes, strict=True))
    ]
    if len(set(performances)) < num_folds:
        raise ValueError(
            f"{len(set(performances))} performances cannot fill {num_folds} folds; ask for fewer"
        )
    splitter = StratifiedGroupKFold(num_folds, shuffle=True, random_state=0)
    numbers = np.unique(emotions, return_inverse=True)[1]
    folds = [
        Fold(f"fold{i + 1}", train, test)
        for i, (train, test) in enumerate(splitter.split(numbers, numbers, performances))
    ]
    of_row = pd.DataFrame({"performance": performances})
    for fold in folds:
        check_fold(of_row, fold, ("performance",))
    return folds


def inner_folds(
    rows: pd.DataFrame, outer: Fold, config: ProtocolConfig | None = None
) -> list[Fold]:
    """Return folds of the outer fold's training rows alone, to choose settings by.

    By default each training subject is left out in turn. Nothing here touches `outer.test`.

    Raises:
        ValueError: As for `make_folds`, among the training rows.
    """
    inner = make_folds(rows.iloc[outer.train], config or ProtocolConfig())
    return [
        Fold(f"{outer.name}>{fold.name}", outer.train[fold.train], outer.train[fold.test])
        for fold in inner
    ]


def _deal_takes(takes: np.ndarray, emotions: np.ndarray, num_groups: int) -> Int[np.ndarray, " n"]:
    """Deal takes into groups emotion by emotion, so that each group has clips of every emotion."""
    emotion_of = {take: min(emotions[takes == take]) for take in two_or_more(takes, "take")}
    if len(emotion_of) < num_groups:
        raise ValueError(f"{len(emotion_of)} takes cannot fill {num_groups} groups; ask for fewer")
    ordered = sorted(emotion_of, key=lambda take: (emotion_of[take], len(take), take))
    group_of = {take: i % num_groups for i, take in enumerate(ordered)}
    return np.array([group_of[take] for take in takes])
