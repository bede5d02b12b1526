"""A fold, and what its two sides must not share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Int


@dataclass(frozen=True, eq=False)
class Fold:
    """Train on some rows, judge on others: positions in the table, not index labels."""

    name: str
    train: Int[np.ndarray, " n"]
    test: Int[np.ndarray, " m"]


def check_fold(
    rows: pd.DataFrame, fold: Fold, disjoint: Sequence[str] = ("subject", "take")
) -> None:
    """Refuse a fold whose two sides share a row, or a value of one of the columns `disjoint`.

    Names that differ in case and spaces alone count as one: they are a slip, not two people.

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
        column = column_of(rows, name)
        there = {_folded(value): value for value in column[fold.train]}
        shared = sorted(
            value if there[_folded(value)] == value else f"{there[_folded(value)]} = {value}"
            for value in set(column[fold.test])
            if _folded(value) in there
        )
        if shared:
            raise ValueError(
                f"fold {fold.name}: {name} {', '.join(shared[:5])} "
                f"({len(shared)} in all) on both sides; a fold shares no {name}"
            )


def check_twins(
    folds: Sequence[Fold],
    twins: Int[np.ndarray, " n"],
    sources: Sequence[str],
    subjects: Sequence[str],
) -> None:
    """Refuse folds that are judged on a twin of what they train on.

    Args:
        folds: Over the same rows as the others.
        twins: Rows with the same number show the same.
        sources: What the rows are called, for the refusal.
        subjects: Whom the rows show.

    Raises:
        ValueError: They are; some of the twins are named.
    """
    for fold in folds:
        shared = np.intersect1d(twins[fold.train], twins[fold.test])
        if len(shared):
            told = []
            for group in shared[:3]:
                one = fold.train[twins[fold.train] == group][0]
                other = fold.test[twins[fold.test] == group][0]
                told.append(
                    f"{sources[one]} (subject {subjects[one]}) = {sources[other]} (subject "
                    f"{subjects[other]})"
                )
            raise ValueError(
                f"fold {fold.name}: {len(shared)} clips to judge show the same as clips trained "
                f"on: {'; '.join(told)}. Give both one subject, or leave one of them out."
            )


def column_of(rows: pd.DataFrame, name: str) -> np.ndarray:
    """Return a column as text.

    Raises:
        ValueError: It is not there, or has gaps.
    """
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


def two_or_more(values: np.ndarray, name: str) -> list[str]:
    """Return the distinct values, sorted.

    Raises:
        ValueError: There is only one: nobody would be left to train on.
    """
    distinct = sorted(set(values))
    if len(distinct) < 2:
        raise ValueError(f"only one {name} ({', '.join(distinct)}): nobody is left to train on")
    return distinct


def _folded(value: str) -> str:
    return "".join(value.split()).casefold()
