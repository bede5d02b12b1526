"""Who is trained on and who is judged: folds that share no subject, and no take where asked.

Folds hold positions of rows in the table (0 to n - 1), not index labels; inner folds hold positions
in the same table, so that a row means one clip everywhere.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Int


@dataclass(frozen=True, eq=False)
class Fold:
    """Train on some rows, judge on others."""

    name: str
    train: Int[np.ndarray, " n"]
    test: Int[np.ndarray, " m"]


@dataclass(frozen=True)
class ProtocolConfig:
    """How a table becomes folds.

    Raises:
        ValueError: Fewer than two folds or groups.
    """

    name: Literal["leave_one_subject_out", "subject_groups", "subject_and_take"] = (
        "leave_one_subject_out"
    )
    num_folds: int = 5
    """`subject_groups`: into how many groups the subjects are dealt."""
    num_take_groups: int = 3
    """`subject_and_take`: into how many groups the takes are dealt: folds a subject."""

    def __post_init__(self) -> None:
        for field in ("num_folds", "num_take_groups"):
            if getattr(self, field) < 2:
                raise ValueError(f"{field} is {getattr(self, field)}; folds need at least 2")


def make_folds(rows: pd.DataFrame, config: ProtocolConfig) -> list[Fold]:
    """Return the folds that `config` asks for.

    Raises:
        ValueError: A column that is missing or has gaps, or too few subjects or takes.
    """
    if config.name == "leave_one_subject_out":
        return leave_one_subject_out(rows)
    if config.name == "subject_groups":
        return subject_groups(rows, config.num_folds)
    if config.name == "subject_and_take":
        return leave_one_subject_and_takes_out(rows, config.num_take_groups)
    raise ValueError(
        f"protocol is {config.name!r}; it can be 'leave_one_subject_out', 'subject_groups' or "
        "'subject_and_take'"
    )


def leave_one_subject_out(rows: pd.DataFrame) -> list[Fold]:
    """Return one fold a subject, who is judged by a model that never saw them.

    Raises:
        ValueError: No `subject` column, rows without one, or a single subject.
    """
    subjects = _column(rows, "subject")
    folds = [
        Fold(name, np.flatnonzero(subjects != name), np.flatnonzero(subjects == name))
        for name in _two_or_more(subjects, "subject")
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

    subjects = _column(rows, "subject")
    num_subjects = len(_two_or_more(subjects, "subject"))
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
    subjects, takes = _column(rows, "subject"), _column(rows, "take")
    group = _deal_takes(takes, _column(rows, "emotion"), num_take_groups)
    folds = []
    for name in _two_or_more(subjects, "subject"):
        for i in range(num_take_groups):
            test = np.flatnonzero((subjects == name) & (group == i))
            train = np.flatnonzero((subjects != name) & (group != i))
            if len(test) and len(train):
                folds.append(Fold(f"{name}/takes{i + 1}", train, test))
    for fold in folds:
        check_fold(rows, fold, ("subject", "take"))
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


def check_fold(
    rows: pd.DataFrame, fold: Fold, disjoint: Sequence[str] = ("subject", "take")
) -> None:
    """Refuse a fold whose two sides share a row, or a value of one of the columns `disjoint`.

    Raises:
        ValueError: They do, with the values; or a side is empty.
    """
    if len(fold.train) == 0 or len(fold.test) == 0:
        raise ValueError(
            f"fold {fold.name}: {len(fold.train)} rows to train on, {len(fold.test)} to judge; "
            "both sides need some"
        )
    if shared_rows := np.intersect1d(fold.train, fold.test).tolist():
        raise ValueError(f"fold {fold.name}: rows {shared_rows[:5]} are on both sides")
    for name in disjoint:
        column = _column(rows, name)
        shared = sorted(set(column[fold.train]) & set(column[fold.test]))
        if shared:
            raise ValueError(
                f"fold {fold.name}: {name} {', '.join(shared[:5])} "
                f"({len(shared)} in all) on both sides; a fold shares no {name}"
            )


def choose_setting(scores: Mapping[str, Sequence[float]]) -> str:
    """Return the setting with the best mean UAR over the inner folds; the first of equals.

    Raises:
        ValueError: No settings, or settings judged on unequal numbers of folds.
    """
    lengths = {name: len(values) for name, values in scores.items()}
    if not scores or 0 in lengths.values() or len(set(lengths.values())) != 1:
        raise ValueError(f"settings need the same inner folds, at least one; folds are {lengths}")
    return max(scores, key=lambda name: statistics.fmean(scores[name]))


def choose_num_epochs(curves: Sequence[Sequence[float]]) -> int:
    """Return how long to refit on all training subjects: the median of the inner folds' best.

    Args:
        curves: UAR after each epoch, one curve an inner fold. Epochs count from 1.

    Raises:
        ValueError: No curves, or an empty one.
    """
    if not curves or not all(len(curve) for curve in curves):
        raise ValueError("the number of epochs needs a curve of at least one epoch an inner fold")
    best = [1 + int(np.argmax(curve)) for curve in curves]
    return statistics.median_low(best)


def _column(rows: pd.DataFrame, name: str) -> np.ndarray:
    if name not in rows.columns:
        raise ValueError(
            f"the table has no column {name!r}; it has {', '.join(map(str, rows.columns))}"
        )
    column = rows[name]
    is_missing = column.isna() | (column.astype(str) == "")
    if is_missing.any():
        raise ValueError(
            f"{int(is_missing.sum())} of {len(rows)} rows have no {name}, the first is row "
            f"{int(np.argmax(is_missing.to_numpy()))}; folds by {name} need it everywhere"
        )
    return column.astype(str).to_numpy(dtype=object)


def _two_or_more(values: np.ndarray, name: str) -> list[str]:
    distinct = sorted(set(values))
    if len(distinct) < 2:
        raise ValueError(f"only one {name} ({', '.join(distinct)}): nobody is left to train on")
    return distinct


def _deal_takes(takes: np.ndarray, emotions: np.ndarray, num_groups: int) -> Int[np.ndarray, " n"]:
    """Deal takes into groups emotion by emotion, so that each group has clips of every emotion."""
    emotion_of = {take: min(emotions[takes == take]) for take in _two_or_more(takes, "take")}
    if len(emotion_of) < num_groups:
        raise ValueError(f"{len(emotion_of)} takes cannot fill {num_groups} groups; ask for fewer")
    ordered = sorted(emotion_of, key=lambda take: (emotion_of[take], len(take), take))
    group_of = {take: i % num_groups for i, take in enumerate(ordered)}
    return np.array([group_of[take] for take in takes])
