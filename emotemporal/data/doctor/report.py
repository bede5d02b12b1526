"""What `doctor` tells: counts beside the published ones, twins, problems, the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from emotemporal.data.sets.label_order import check_order
from emotemporal.data.sets.published import published_counts, published_subjects
from emotemporal.data.table import (
    SPLITS,
    DatasetTable,
    Problem,
    Split,
    count_by_emotion,
    fingerprint,
    tell,
)
from emotemporal.data.twins import Twins, rows_with_twin_in
from emotemporal.labels import Emotion

_MAX_LISTED = 20


@dataclass(frozen=True)
class Section:
    """A heading and its lines."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class DoctorReport:
    """What was found. `str(report)` is what to print."""

    table: DatasetTable
    twins: Twins
    sections: tuple[Section, ...]
    num_unreadable: int

    @property
    def problems(self) -> Sequence[Problem]:
        """What the reader and the doctor found, fatal or not."""
        return self.table.problems

    @property
    def is_usable(self) -> bool:
        """Whether a job may use the data set as it is."""
        return not any(problem.is_fatal for problem in self.problems)

    def __str__(self) -> str:
        table = self.table
        lines = [
            f"{table.name} in {table.root}: {len(table)} {table.kind}, "
            f"fingerprint {fingerprint(table)[:12]}"
        ]
        fatal = [problem for problem in self.problems if problem.is_fatal]
        notes = [problem for problem in self.problems if not problem.is_fatal]
        for section in (*self.sections, _listed("Notes", notes), _listed("Problems", fatal)):
            if section.lines:
                lines += ["", section.title, *(f"  {line}" for line in section.lines)]
        count = "1 problem" if len(fatal) == 1 else f"{len(fatal)} problems"
        verdict = "usable" if self.is_usable else f"NOT usable: {count}, see above"
        return "\n".join([*lines, "", f"Verdict: {verdict}"])


def describe_counts(table: DatasetTable) -> list[Section]:
    """Return counts an emotion, split and subject, beside the published ones."""
    return [_emotions(table), _order(table), _subjects(table)]


def describe_twins(table: DatasetTable, twins: Twins) -> Section:
    """Return how many rows show what another shows, within splits and across them."""
    lines = []
    for kind, groups in (("exact", twins.exact), ("exact or near", twins.group)):
        counts = np.bincount(groups) if len(groups) else np.zeros(0, dtype=np.int64)
        in_groups = int(counts[counts > 1].sum())
        lines.append(f"{kind} twins: {in_groups} rows in {int((counts > 1).sum())} groups")
        for split, others in _ACROSS:
            found = rows_with_twin_in(table, groups, split, others)
            if len(found):
                lines.append(f"  {len(found)} of {split} have one in {' or '.join(others)}")
    if table.kind == "videos":
        lines.append("near twins are looked for among images only")
    return Section("Twins", tuple(lines))


_ACROSS: tuple[tuple[Split, tuple[Split, ...]], ...] = (
    ("train", ("validation", "test")),
    ("validation", ("test",)),
    ("test", ("train",)),
)


def _emotions(table: DatasetTable) -> Section:
    published = published_counts(table.name)
    columns: list[tuple[str, Mapping[Emotion, int]]] = []
    there = [split for split in SPLITS if (table.rows["split"] == split).any()]
    for split in there:
        columns.append((split, count_by_emotion(table, split)))
        if split in published:
            columns.append(("published", published[split]))
    if len(there) != 1:
        columns.append(("all", count_by_emotion(table)))
    if "all" in published:
        columns.append(("published", published["all"]))
    lines = ["emotion    " + "".join(f"{name:>11}" for name, _ in columns)]
    for emotion in Emotion:
        cells = "".join(f"{counts.get(emotion, 0):>11}" for _, counts in columns)
        lines.append(f"{emotion.value:<11}{cells}")
    total = "".join(f"{sum(counts.values()):>11}" for _, counts in columns)
    lines.append(f"{'sum':<11}{total}")
    nameless = int(table.rows["emotion"].isna().sum())
    if nameless:
        why = "votes without a majority" if table.has_votes else "no known emotion"
        lines.append(f"and {nameless} rows with {why}")
    return Section("Counts", tuple(lines))


def _order(table: DatasetTable) -> Section:
    if table.name != "affectnet" or table.rows["emotion"].isna().all():
        return Section("Label order", ())
    has_train = bool((table.rows["split"] == "train").any())
    counts = count_by_emotion(table, "train" if has_train else None)
    check = check_order({emotion: n for emotion, n in counts.items() if n})
    return Section("Label order", (f"{check.verdict}: {check.told}",))


def _subjects(table: DatasetTable) -> Section:
    named = table.rows[table.rows["subject"] != ""]
    if named.empty:
        return Section("Subjects", ("not known: splits can be checked for twins only",))
    counts = named["subject"].value_counts(sort=False).sort_index()
    published = published_subjects(table.name)
    beside = f" (published: {published})" if published is not None else ""
    told = ", ".join(f"{subject} {n}" for subject, n in list(counts.items())[:_MAX_LISTED])
    more = f" and {len(counts) - _MAX_LISTED} more" if len(counts) > _MAX_LISTED else ""
    lines = [f"{len(counts)}{beside}: {told}{more}"]
    for split in SPLITS:
        there = named["subject"][named["split"] == split].nunique()
        if there:
            lines.append(f"{split}: {there}")
    return Section("Subjects", tuple(lines))


def _listed(title: str, problems: Sequence[Problem]) -> Section:
    return Section(title, tuple(tell(problems, _MAX_LISTED)))
