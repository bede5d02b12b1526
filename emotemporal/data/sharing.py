"""What splits must not share: subjects, and twins."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from emotemporal.data.files import summarise
from emotemporal.data.table import DatasetTable, Problem
from emotemporal.data.twins import Twins


def shared_subjects(table: DatasetTable) -> dict[str, list[str]]:
    """Return the subjects that occur in more than one split, and in which."""
    known = table.rows[(table.rows["subject"] != "") & table.rows["split"].notna()]
    splits = known.groupby("subject")["split"].unique()
    return {str(s): sorted(found) for s, found in splits.items() if len(found) > 1}


def subject_problems(table: DatasetTable) -> list[Problem]:
    """Return the problem that splits share subjects, if they do."""
    shared = shared_subjects(table)
    if not shared:
        return []
    told = summarise([f"{subject} in {' and '.join(splits)}" for subject, splits in shared.items()])
    reason = f"{len(shared)} subjects are in more than one split: {told}"
    remedy = "Make a split by subject with 'emotemporal split', and read it with --split_file."
    return [Problem("split", reason, remedy, is_fatal=True)]


def twin_problems(table: DatasetTable, twins: Twins) -> list[Problem]:
    """Return the problems that splits share exact or near twins, if they do; pairs are named."""
    problems = []
    exact = _groups_in_two_splits(table, twins.exact)
    for kind, groups in (("exact", twins.exact), ("near", twins.group)):
        shared = _groups_in_two_splits(table, groups)
        if kind == "near":
            # A group that holds an exact pair across splits has been told of already.
            named = np.unique(twins.group[np.isin(twins.exact, exact)])
            shared = np.setdiff1d(shared, named)
        if len(shared):
            examples = ", ".join(_example(table, groups, int(group)) for group in shared[:3])
            more = f" and {len(shared) - 3} more" if len(shared) > 3 else ""
            told = f"{len(shared)} groups of {kind} twins are in more than one split"
            reason = f"{told}: {examples}{more}"
            problems.append(Problem("split", reason, _TWIN_REMEDY, is_fatal=True))
    return problems


_TWIN_REMEDY = (
    "Leave the training side's out (doctor's --exclude_file FILE writes them, --exclude FILE "
    "takes it; or train with --shared_twins drop or drop_near), or make a split with "
    "'emotemporal split'."
)


def _groups_in_two_splits(
    table: DatasetTable, groups: Int[np.ndarray, " n"]
) -> Int[np.ndarray, " g"]:
    has_split = table.rows["split"].notna().to_numpy()
    frame = table.rows.loc[has_split, ["split"]].assign(group=groups[has_split])
    counts = frame.groupby("group")["split"].nunique()
    return counts.index[counts > 1].to_numpy(dtype=np.int64)


def _example(table: DatasetTable, groups: Int[np.ndarray, " n"], group: int) -> str:
    rows = table.rows[groups == group].drop_duplicates("split")
    return " = ".join(str(path) for path in rows["path"])
