"""Making train, validation and test so that no subject and no twin is in two of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from emotemporal.data.readers import DatasetConfig, read_dataset
from emotemporal.data.sharing import subject_problems, twin_problems
from emotemporal.data.signatures import sign_table
from emotemporal.data.split_file import write_split_file
from emotemporal.data.table import (
    SPLITS,
    DatasetTable,
    Split,
    add_problems,
    count_by_emotion,
    refuse_fatal,
    take_rows,
)
from emotemporal.data.twins import TwinConfig, Twins, byte_twins, find_twins
from emotemporal.labels import AFFECTNET_8


@dataclass(frozen=True)
class SplitConfig:
    """Make a split of a data set and write it as a CSV."""

    data: DatasetConfig
    output: str
    """The CSV to write; jobs read it with --split_file."""
    train: float = 0.8
    validation: float = 0.1
    test: float = 0.1
    seed: int = 0
    workers: int = 2
    show_progress: bool = True
    twins: TwinConfig = field(default_factory=TwinConfig)

    def __post_init__(self) -> None:
        if min(self.shares.values()) < 0 or abs(sum(self.shares.values()) - 1) > 1e-6:
            raise ValueError(f"shares {self.shares} must be 0 or more and sum to 1")
        if self.workers < 1:
            raise ValueError(f"workers is {self.workers}; it can be 1 or more")

    @property
    def shares(self) -> Mapping[Split, float]:
        """Each split's share of the rows."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


def make_splits(config: SplitConfig) -> str:
    """Read a data set, split it, write the CSV; return what there is to tell.

    Raises:
        ValueError: The data set cannot be used, or has too few subjects to split.
    """
    table = read_dataset(replace(config.data, split_file=None))
    # The splits that there are go away, and what they share with them.
    shared = {str(problem) for problem in subject_problems(table)}
    kept = [problem for problem in table.problems if str(problem) not in shared]
    table = replace(table, problems=kept)
    signatures = sign_table(table, "decoded", config.workers, config.show_progress)
    unreadable = [s.problem for s in signatures if s.problem is not None]
    refuse_fatal(add_problems(table, unreadable))
    twins = find_twins(signatures, config.twins, config.workers)
    table = split_by_subject(table, config.shares, config.seed, twins)
    check_splits(table, twins)
    write_split_file(table, Path(config.output))
    return _told(table, Path(config.output))


def split_by_subject(
    table: DatasetTable, shares: Mapping[Split, float], seed: int, twins: Twins | None = None
) -> DatasetTable:
    """Return the table with splits that share no subject and no twin group.

    Groups go, largest first, to the split that most lacks their emotions, so that each split's
    emotions are mixed alike. The same seed gives the same split.

    Raises:
        ValueError: There are fewer subjects or groups than splits that want some.
    """
    groups = linked_groups(table, twins)
    wanted = {split: shares.get(split, 0.0) for split in SPLITS}
    num_groups = int(groups.max()) + 1 if len(groups) else 0
    if num_groups < sum(share > 0 for share in wanted.values()):
        raise ValueError(
            f"{table.name} has {num_groups} subjects or groups of twins; "
            f"{sum(share > 0 for share in wanted.values())} splits need one each at least. "
            "Set a share to 0, or judge by leaving one subject out."
        )
    counts = _counts(table, groups, num_groups)
    chosen = _assign(counts, np.array(list(wanted.values())), seed)
    rows = table.rows.copy()
    rows["split"] = np.array(SPLITS, dtype=object)[chosen[groups]]
    return replace(table, rows=rows)


def split_rows(table: DatasetTable, split: Split) -> DatasetTable:
    """Return the rows of one split, perhaps none. A table without splits is all training."""
    if split == "train" and table.rows["split"].isna().all():
        return table
    return take_rows(table, (table.rows["split"] == split).to_numpy())


def hold_out(
    table: DatasetTable, share: float, seed: int, twins: Twins | None = None
) -> tuple[DatasetTable, DatasetTable]:
    """Return what to train on and a `share` to select on, without shared subjects or twins.

    Without `twins`, those by the files' bytes are kept together.

    Raises:
        ValueError: The share is not between 0 and 1, or there are too few subjects.
    """
    if not 0 < share < 1:
        raise ValueError(f"the share held out is {share}; it lies between 0 and 1")
    shares: Mapping[Split, float] = {"train": 1 - share, "validation": share}
    known = byte_twins(table) if twins is None else twins
    both = split_by_subject(table, shares, seed, known)
    return split_rows(both, "train"), split_rows(both, "validation")


def check_splits(table: DatasetTable, twins: Twins | None = None) -> None:
    """Refuse splits that share a subject, or a twin if `twins` is given.

    Raises:
        ValueError: They do; the shared ones are named.
    """
    problems = subject_problems(table)
    if twins is not None:
        problems += twin_problems(table, twins)
    if problems:
        raise ValueError(f"{table.name}: " + "\n".join(str(problem) for problem in problems))


def linked_groups(table: DatasetTable, twins: Twins | None) -> Int[np.ndarray, " n"]:
    """Number what must stay together: rows linked by a subject, by a file or by a twin."""
    num = len(table)
    keys: list[Int[np.ndarray, " n"]] = [_numbered(list(table.rows["path"]))]
    subjects = [s or f"\0{i}" for i, s in enumerate(table.rows["subject"])]
    keys.append(_numbered(subjects))
    if twins is not None:
        keys.append(twins.group)
    firsts = [np.unique(key, return_index=True, return_inverse=True)[1:] for key in keys]
    links = np.concatenate([np.stack([np.arange(num), first[inv]]) for first, inv in firsts], 1)
    graph = coo_matrix((np.ones(links.shape[1], dtype=bool), tuple(links)), shape=(num, num))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _numbered(names: list[str]) -> Int[np.ndarray, " n"]:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)


def _counts(
    table: DatasetTable, groups: Int[np.ndarray, " n"], num_groups: int
) -> Float[np.ndarray, "g k"]:
    names = [*AFFECTNET_8.names, None]
    columns = np.array([names.index(emotion) for emotion in table.rows["emotion"]], dtype=np.int64)
    counts = np.zeros((num_groups, len(names)))
    np.add.at(counts, (groups, columns), 1)
    return counts


def _assign(
    counts: Float[np.ndarray, "g k"], shares: Float[np.ndarray, " s"], seed: int
) -> Int[np.ndarray, " g"]:
    order = np.random.default_rng(seed).permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    target = shares[:, None] * counts.sum(axis=0)[None]
    # Relative to what each wants, so that a small split is as eager as a large one.
    scale = np.maximum(target, 1e-9)
    have = np.zeros_like(target)
    chosen = np.zeros(len(counts), dtype=np.int64)
    is_wanted = shares > 0
    is_empty = is_wanted.copy()
    for place, i in enumerate(order):
        lack = ((target - have) / scale) @ counts[i]
        # Where each subject shows one emotion, all can go to the larger splits: the last groups are
        # for those that have none.
        is_last = len(order) - place <= is_empty.sum()
        lack[~(is_empty if is_last else is_wanted)] = -np.inf
        chosen[i] = int(np.argmax(lack))
        is_empty[chosen[i]] = False
        have[chosen[i]] += counts[i]
    return chosen


def _told(table: DatasetTable, path: Path) -> str:
    lines = [f"{path}: {table.name}, {len(table)} rows; no subject and no twin in two splits"]
    for split in SPLITS:
        counts = count_by_emotion(table, split)
        rows = table.rows[table.rows["split"] == split]
        subjects = rows["subject"][rows["subject"] != ""].nunique()
        told = ", ".join(f"{e.value} {n}" for e, n in counts.items() if n)
        lines.append(f"  {split}: {len(rows)} rows, {subjects or 'unknown'} subjects; {told}")
    return "\n".join(lines)
