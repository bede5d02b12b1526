"""Which rows of a table a job uses; what is left out is counted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emotemporal.data.table import (
    DatasetTable,
    Problem,
    add_problems,
    soft_targets,
    take_rows,
)
from emotemporal.labels import LabelSpace


def cap_per_class(table: DatasetTable, max_per_class: int, seed: int) -> DatasetTable:
    """Cap the rows of each emotion, keeping their order; the same seed keeps the same rows.

    A row with votes and no name counts for the emotion with most votes.

    Raises:
        ValueError: The cap is below one.
    """
    if max_per_class < 1:
        raise ValueError(f"max_per_class is {max_per_class}; it can be 1 or more, or null")
    names = np.array(_names(table), dtype=object)
    order = np.random.default_rng(seed).permutation(len(table))
    kept = [order[names[order] == name][:max_per_class] for name in dict.fromkeys(names)]
    num_kept = sum(len(rows) for rows in kept)
    if num_kept == len(table):
        return table
    reason = f"{len(table) - num_kept} rows beyond {max_per_class} an emotion left out"
    note = Problem("max_per_class", reason, "As it says.", is_fatal=False)
    return add_problems(take_rows(table, np.sort(np.concatenate(kept))), [note])


def take_share(table: DatasetTable, share: float, seed: int) -> DatasetTable:
    """Keep this share of each emotion's rows, one at least, in their order.

    The same seed keeps the same rows, and a larger share keeps the rows of a smaller one. A row
    with votes and no name counts for the emotion with most votes.
    """
    names = np.array(_names(table), dtype=object)
    order = np.random.default_rng(seed).permutation(len(table))
    by_name = [order[names[order] == name] for name in dict.fromkeys(names)]
    kept = [rows[: max(1, round(share * len(rows)))] for rows in by_name]
    return take_rows(table, np.sort(np.concatenate(kept)))


def keep_labels(table: DatasetTable, labels: LabelSpace, use_votes: bool = False) -> DatasetTable:
    """Return the rows that have a target in `labels`; how many had none is noted.

    Args:
        table: Its rows are chosen from.
        labels: What a model tells apart.
        use_votes: Keep rows that have votes only; without it a row needs one emotion.
    """
    if use_votes:
        is_kept = soft_targets(table, labels)[1]
    else:
        is_kept = table.rows["emotion"].isin(labels.names).to_numpy()
    if is_kept.all():
        return table
    reason = f"{int((~is_kept).sum())} rows with no target among {', '.join(labels.names)} left out"
    note = Problem("labels", reason, "As the labels say.", is_fatal=False)
    return add_problems(take_rows(table, is_kept), [note])


def _names(table: DatasetTable) -> Sequence[str]:
    if not table.has_votes:
        return [str(name) for name in table.rows["emotion"]]
    columns = [column for column in table.rows.columns if column.startswith("votes_")]
    most = table.rows[columns].fillna(0).to_numpy().argmax(axis=1)
    voted = [columns[i].removeprefix("votes_") for i in most]
    return [name or vote for name, vote in zip(table.rows["emotion"], voted, strict=True)]
