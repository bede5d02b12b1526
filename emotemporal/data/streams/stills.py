"""Which pictures of a data set may be shown in streams, so that no set of streams shares one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int

from emotemporal.data.readers import DatasetConfig, read_dataset
from emotemporal.data.signatures import sign_table
from emotemporal.data.splits import linked_groups
from emotemporal.data.table import (
    SPLITS,
    DatasetTable,
    Split,
    refuse_fatal,
    take_rows,
)
from emotemporal.data.twins import TwinConfig, Twins, find_twins, rows_with_twin_in
from emotemporal.labels import Emotion, LabelSpace

SIX = LabelSpace(
    (
        Emotion.NEUTRAL,
        Emotion.HAPPINESS,
        Emotion.SADNESS,
        Emotion.SURPRISE,
        Emotion.FEAR,
        Emotion.ANGER,
    )
)
"""AffectNet's order without disgust and contempt, of which FER+ has too few pictures to judge."""


@dataclass(frozen=True)
class StillsConfig:
    """Which pictures of a data set are shown.

    Raises:
        ValueError: A part that is not written as `1/2`, or an unknown split to be free of.
    """

    split: Split = "validation"
    """Pictures of this split alone."""
    part: str = "1/1"
    """`1/2` and `2/2` are two halves that share no picture, no twin and no subject; each emotion
    is halved alike. A part depends on the data set and `part_seed` alone, on no other option."""
    part_seed: int = 0
    twin_free_of: str = "others"
    """No picture with an exact, near or mirrored twin in these splits of the whole data set:
    `others` (all but its own), names with commas, or `none`."""
    workers: int = 2
    """Threads that read pictures to find their twins."""

    def __post_init__(self) -> None:
        number, count = self.numbered_part
        if not 1 <= number <= count:
            raise ValueError(f"part is {self.part!r}; of {count} parts there are 1 to {count}")
        self.foreign_splits  # noqa: B018 (refuses unknown names now)

    @property
    def numbered_part(self) -> tuple[int, int]:
        """Which part, from 1, and of how many."""
        match = re.fullmatch(r"(\d+)/(\d+)", self.part)
        if match is None:
            raise ValueError(f"part is {self.part!r}; write 1/2 for the first of two halves")
        return int(match[1]), int(match[2])

    @property
    def foreign_splits(self) -> tuple[Split, ...]:
        """Splits with which no picture may share a twin."""
        others = tuple(split for split in SPLITS if split != self.split)
        names = {"others": list(others), "none": []}.get(
            self.twin_free_of, self.twin_free_of.split(",")
        )
        if not set(names) <= set(others):
            raise ValueError(
                f"twin_free_of is {self.twin_free_of!r}; it can be others, none, or some of "
                f"{','.join(others)}"
            )
        return tuple(split for split in others if split in names)


@dataclass(frozen=True, eq=False)
class Stills:
    """The pictures that may be shown, one emotion each, and which of them show the same."""

    table: DatasetTable
    groups: Int[np.ndarray, " n"]
    """Rows with the same number are twins, or of one subject: never shown one after the other."""
    told: tuple[str, ...]
    """What was left out and why, counted."""

    def rows_of(self, labels: LabelSpace) -> Mapping[Emotion, Int[np.ndarray, " m"]]:
        """Return each emotion's rows."""
        emotions = self.table.rows["emotion"].to_numpy(dtype=object)
        return {emotion: np.flatnonzero(emotions == emotion.value) for emotion in labels.emotions}


def choose_stills(data: DatasetConfig, config: StillsConfig, labels: LabelSpace) -> Stills:
    """Return the pictures of one part of one split that show one of `labels` and have no twin.

    Twins are looked for among all pictures of the data set, also among those that `data.exclude`
    or `data.shared_twins` leave out of a training: else a test picture would seem to have no twin
    in training because training gave way.

    Raises:
        ValueError: The data set cannot be used, is not made of images, or nothing is left.
    """
    # All pictures with votes, whatever rule names them: a training uses them, so twins count.
    whole = read_dataset(replace(data, exclude=None, vote_rule="votes"))
    refuse_fatal(whole)
    if whole.kind != "images":
        raise ValueError(f"{whole.name} is made of {whole.kind}; streams are made of images")
    if not (whole.rows["split"] == config.split).any():
        raise ValueError(f"{whole.name} has no {config.split} split")
    signatures = sign_table(whole, "decoded", config.workers)
    kept_paths = set(read_dataset(data).rows["path"])
    is_readable = np.array([signature.problem is None for signature in signatures], dtype=bool)
    is_listed = whole.rows["path"].isin(kept_paths).to_numpy()
    twins = find_twins(signatures, TwinConfig(), config.workers)
    return _choose(whole, twins, is_readable & is_listed, config, labels)


def _choose(
    whole: DatasetTable,
    twins: Twins,
    is_allowed: Bool[np.ndarray, " n"],
    config: StillsConfig,
    labels: LabelSpace,
) -> Stills:
    groups = linked_groups(whole, twins)
    number, count = config.numbered_part
    in_split = (whole.rows["split"] == config.split).to_numpy()
    part = parts_of(groups, list(whole.rows["emotion"]), in_split, count, config.part_seed)
    has_twin = np.zeros(len(whole), dtype=bool)
    if config.foreign_splits:
        has_twin[rows_with_twin_in(whole, groups, config.split, config.foreign_splits)] = True
    chosen, told = in_split & (part == number - 1), []
    for is_kept, why in (
        (whole.rows["emotion"].isin(labels.names).to_numpy(), "of no one emotion among the labels"),
        (is_allowed, "unreadable or excluded"),
        (~has_twin, f"with a twin in {' or '.join(config.foreign_splits)}"),
    ):
        if num := int((chosen & ~is_kept).sum()):
            told.append(f"{num} pictures {why} left out")
        chosen &= is_kept
    if not chosen.any():
        raise ValueError(
            f"{whole.name}: no picture is left of part {config.part} of {config.split}: "
            f"{'; '.join(told)}"
        )
    rows = np.flatnonzero(chosen)
    return Stills(take_rows(whole, rows), groups[rows], tuple(told))


def parts_of(
    groups: Int[np.ndarray, " n"],
    emotions: Sequence[str | None],
    in_split: Bool[np.ndarray, " n"],
    count: int,
    seed: int,
) -> Int[np.ndarray, " n"]:
    """Return each row's part, 0 to `count - 1`, of those `in_split`; -1 for others.

    A group stays together. Each emotion's groups are dealt out in turn, in an order drawn by the
    seed, so that parts have as many of each emotion, but for groups of several pictures.
    """
    part_of_group: dict[int, int] = {}
    firsts: dict[str, list[int]] = {}
    seen: set[int] = set()
    for row in np.flatnonzero(in_split).tolist():
        if (group := int(groups[row])) not in seen:
            seen.add(group)
            firsts.setdefault(emotions[row] or "", []).append(group)
    for offset, emotion in enumerate(sorted(firsts)):
        order = np.random.default_rng([seed, offset]).permutation(len(firsts[emotion]))
        for place, i in enumerate(order):
            part_of_group[firsts[emotion][int(i)]] = place % count
    found = [
        part_of_group[int(g)] if here else -1 for g, here in zip(groups, in_split, strict=True)
    ]
    return np.array(found, dtype=np.int64)


def describe_stills(stills: Stills, labels: LabelSpace) -> str:
    """Return how many pictures of each emotion there are, and what was left out."""
    counts = ", ".join(f"{e.value} {len(rows)}" for e, rows in stills.rows_of(labels).items())
    return "; ".join([f"{len(stills.table)} stills: {counts}", *stills.told])
