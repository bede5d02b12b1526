"""One validated table for every data set: which file, what is shown, by whom, in which split."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from emotemporal.labels import AFFECTNET_8, Emotion, LabelSpace
from emotemporal.types import Box

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
BOX_COLUMNS = ("x1", "y1", "x2", "y2")
TIME_COLUMNS = ("start_s", "end_s")
VOTE_COLUMNS = tuple(f"votes_{name}" for name in AFFECTNET_8.names)
_COLUMNS: Mapping[str, object] = {
    "path": "",
    "emotion": None,
    "subject": "",
    "take": "",
    "split": None,
    "valence": np.nan,
    "arousal": np.nan,
    "source_row": -1,
}
_TEXT = ("path", "emotion", "subject", "take", "split")
_OPTIONAL = (*BOX_COLUMNS, *TIME_COLUMNS, *VOTE_COLUMNS)


@dataclass(frozen=True)
class Problem:
    """Something wrong with a data set, and what its owner can do about it.

    `is_fatal` says that the data set must not be used as it is; what a rule drops (AffectNet's
    faceless images, say) is counted in a problem that is not.
    """

    path_or_row: str
    reason: str
    remedy: str
    is_fatal: bool

    def __str__(self) -> str:
        return f"{self.path_or_row}: {self.reason}. {self.remedy}".strip()


@dataclass(frozen=True, eq=False)
class DatasetTable:
    """What a reader made of a folder.

    `rows` has the columns `path` (from `root`, with forward slashes), `emotion` (a name, None where
    there are only votes), `subject` and `take` (empty if not known), `split` (None if not given),
    `valence`, `arousal` (NaN if not given) and `source_row`; where the data set has them also
    `x1 y1 x2 y2` (face box, pixels), `start_s end_s` and `votes_<emotion>` for all eight. Any
    other column is text that tells who is shown (sex, age): what `--group_by` compares by.

    Raises:
        ValueError: A column is missing, or holds a value that it cannot; the first few are named.
    """

    name: str
    root: Path
    kind: Literal["images", "videos"]
    rows: pd.DataFrame
    problems: Sequence[Problem] = ()

    def __post_init__(self) -> None:
        missing = [column for column in _COLUMNS if column not in self.rows.columns]
        if missing:
            raise ValueError(f"{self.name}: table lacks the columns {', '.join(missing)}")
        if list(self.rows.index) != list(range(len(self.rows))):
            raise ValueError(f"{self.name}: rows must be numbered 0, 1, 2, ... (reset_index)")
        rows = self.rows
        for group in (BOX_COLUMNS, TIME_COLUMNS, VOTE_COLUMNS):
            present = [column for column in group if column in rows.columns]
            if present and len(present) < len(group):
                raise ValueError(f"{self.name}: of {', '.join(group)} only {', '.join(present)}")
        self._refuse(~rows["path"].map(_is_relative), "path must be relative to the root")
        self._refuse(~rows["split"].isin([None, *SPLITS]), f"split must be one of {SPLITS} or None")
        self._refuse(
            ~rows["emotion"].isin([None, *AFFECTNET_8.names]),
            f"emotion must be one of {', '.join(AFFECTNET_8.names)} or None",
        )
        key = ["path", *(column for column in TIME_COLUMNS if column in rows.columns)]
        self._refuse(rows.duplicated(key), "path occurs twice")

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def has_votes(self) -> bool:
        """Whether annotators' votes are known, not only one name."""
        return VOTE_COLUMNS[0] in self.rows.columns

    def _refuse(self, is_bad: pd.Series[bool], rule: str) -> None:
        if is_bad.any():
            some = self.rows.loc[is_bad, ["path", "emotion", "split"]].head(3).to_dict("records")
            raise ValueError(
                f"{self.name} in {self.root}: {rule}; {int(is_bad.sum())} rows break it: {some}"
            )


def make_table(
    name: str,
    root: Path,
    kind: Literal["images", "videos"],
    records: Iterable[Mapping[str, object]],
    problems: Sequence[Problem] = (),
    groups: Sequence[str] = (),
) -> DatasetTable:
    """Build a table from what a reader found; columns that a record lacks get their "not known".

    Of columns that are not ours, those that `groups` names are kept, as text; empty if not known.
    """
    given = pd.DataFrame.from_records(list(records))
    columns: dict[str, pd.Series] = {}
    for column, unknown in _COLUMNS.items():
        values = given[column] if column in given else pd.Series([unknown] * len(given))
        columns[column] = _text(values, unknown) if column in _TEXT else values
    for column in ("valence", "arousal"):
        columns[column] = columns[column].astype("float64")
    columns["source_row"] = columns["source_row"].astype("int64")
    for column in _OPTIONAL:
        if column in given and given[column].notna().any():
            columns[column] = given[column].astype("float64")
    for column in groups:
        columns[column] = _text(
            given[column] if column in given else pd.Series([""] * len(given)), ""
        )
    return DatasetTable(name, root, kind, pd.DataFrame(columns), tuple(problems))


def group_columns(rows: pd.DataFrame) -> list[str]:
    """Return the columns of a table that tell who is shown and are none of the table's own."""
    return [column for column in rows.columns if column not in {*_COLUMNS, *_OPTIONAL}]


def take_rows(
    table: DatasetTable, which: Sequence[int] | Int[np.ndarray, " m"] | Bool[np.ndarray, " n"]
) -> DatasetTable:
    """Return the table of some rows, by number or by a yes or no for each, in the order given."""
    chosen = np.asarray(which)
    if chosen.size == 0:
        chosen = chosen.astype(np.int64)
    numbers = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
    return replace(table, rows=table.rows.iloc[numbers].reset_index(drop=True))


def add_problems(table: DatasetTable, problems: Sequence[Problem]) -> DatasetTable:
    """Return the table with more problems noted."""
    return replace(table, problems=(*table.problems, *problems))


def refuse_fatal(table: DatasetTable) -> None:
    """Stop a job whose data set is unusable, before it has cost anything.

    Raises:
        ValueError: The table has fatal problems; they are told with their remedies.
    """
    fatal = [problem for problem in table.problems if problem.is_fatal]
    if fatal:
        told = "\n  ".join(tell(fatal, at_most=10))
        raise ValueError(f"{table.name} in {table.root} cannot be used:\n  {told}")


def tell(problems: Sequence[Problem], at_most: int) -> list[str]:
    """Return a line a problem, one for all that differ only in where they are, and what is left."""
    places: dict[tuple[str, str], list[str]] = {}
    for one in problems:
        places.setdefault((one.reason, one.remedy), []).append(one.path_or_row)
    lines = []
    for (reason, remedy), where in places.items():
        more = f" and {len(where) - 3} more" if len(where) > 3 else ""
        lines.append(f"{', '.join(where[:3])}{more}: {reason}. {remedy}".strip())
    return lines[:at_most] + [f"and {len(lines) - at_most} more"] * (len(lines) > at_most)


def file_of(table: DatasetTable, row: int) -> Path:
    """Return where the file of a row is."""
    return table.root / str(table.rows["path"].iloc[row])


def box_of(table: DatasetTable, row: int) -> Box | None:
    """Return the annotated face box of a row, if it has one."""
    if BOX_COLUMNS[0] not in table.rows.columns:
        return None
    x1, y1, x2, y2 = (float(table.rows[column].iloc[row]) for column in BOX_COLUMNS)
    return None if np.isnan([x1, y1, x2, y2]).any() else Box(x1, y1, x2, y2, score=1.0)


def soft_targets(
    table: DatasetTable, labels: LabelSpace, use_votes: bool = True
) -> tuple[Float[np.ndarray, "n k"], Bool[np.ndarray, " n"]]:
    """Return every row's target over `labels`, and which rows have one.

    Votes are shared out among the emotions of `labels` where there are votes; a row without them
    has its one emotion. A row whose emotion lies outside `labels`, or with no vote for any of
    them, has no target. Without `use_votes` a row has its one emotion or no target.
    """
    names = list(labels.names)
    wanted = table.rows["emotion"].to_numpy(dtype=object)[:, None]
    targets = (wanted == np.array(names, dtype=object)[None]).astype(np.float64)
    if use_votes and table.has_votes:
        votes = table.rows[[f"votes_{name}" for name in names]].to_numpy(dtype=np.float64)
        has_votes = np.nansum(votes, axis=1) > 0
        is_excluded = (
            table.rows["emotion"].notna() & ~table.rows["emotion"].isin(names)
        ).to_numpy()
        use = has_votes & ~is_excluded
        targets[use] = np.nan_to_num(votes[use])
    total = targets.sum(axis=1, keepdims=True)
    has_target = total[:, 0] > 0
    return np.divide(targets, total, out=targets, where=total > 0), has_target


def count_by_emotion(table: DatasetTable, split: Split | None = None) -> dict[Emotion, int]:
    """Count the rows of each emotion, in one split or in all; rows with votes only are left out."""
    rows = table.rows if split is None else table.rows[table.rows["split"] == split]
    counts = rows["emotion"].value_counts()
    return {emotion: int(counts.get(emotion.value, 0)) for emotion in Emotion}


def fingerprint(table: DatasetTable) -> str:
    """Return the SHA-256 of the rows: the same for the same selection in the same order, anywhere.

    The root is not in it, nor are the problems or the files' contents.
    """
    digest = hashlib.sha256(f"{table.name}\n{table.kind}\n".encode())
    columns = sorted(table.rows.columns)
    digest.update(table.rows[columns].to_csv(index=False, lineterminator="\n").encode())
    return digest.hexdigest()


def _is_relative(path: object) -> bool:
    if not isinstance(path, str) or not path or "\\" in path:
        return False
    pure = PurePosixPath(path)
    return not pure.is_absolute() and ".." not in pure.parts


def _text(values: pd.Series, unknown: object) -> pd.Series:
    # object, not pandas' own string type: a missing name is None in every version of pandas.
    return pd.Series([unknown if pd.isna(v) else str(v) for v in values], dtype=object)
