"""One way to any data set: its name and folder in, one validated table out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from emotemporal.data.files import summarise
from emotemporal.data.sets.affectnet import Layout, read_affectnet
from emotemporal.data.sets.cremad import read_cremad
from emotemporal.data.sets.ferplus import SingleVotes, VoteRule, read_ferplus
from emotemporal.data.sets.folder import read_folder
from emotemporal.data.sets.manifest import read_manifest
from emotemporal.data.sets.ravdess import Calm, read_ravdess
from emotemporal.data.sets.savee import read_savee
from emotemporal.data.sharing import subject_problems, twin_problems
from emotemporal.data.signatures import sign_table
from emotemporal.data.split_file import apply_split_file
from emotemporal.data.table import (
    DatasetTable,
    Problem,
    add_problems,
    refuse_fatal,
    take_rows,
)
from emotemporal.data.twins import TwinConfig, Twins, byte_twins, find_twins, rows_to_leave_out
from emotemporal.reading import read_table

DatasetName = Literal[
    "affectnet", "savee", "ferplus", "ravdess", "cremad", "folder", "manifest", "streams"
]


@dataclass(frozen=True)
class DatasetConfig:
    """Which data set, where, and what its reader must be told."""

    name: DatasetName
    root: str
    """The folder that holds it; the layouts are in datasets/."""
    layout: Layout = "auto"
    """AffectNet: which of its layouts, where a folder holds more than one."""
    digit_order: str | None = None
    """AffectNet's copies: what digits stand for; affectnet, alphabetical, or names with commas."""
    has_header: bool = True
    """AffectNet: whether the CSV lists begin with the columns' names."""
    vote_rule: VoteRule = "votes"
    """FER+: `votes` keeps every image with votes; `strict` those of which most voters say the same;
    `majority` the same ones, with that emotion and no votes."""
    calm: Calm = "drop"
    """RAVDESS: what becomes of calm, which is none of the eight emotions."""
    with_songs: bool = False
    """RAVDESS: keep what is sung beside what is spoken."""
    manifest: str = "manifest.csv"
    """Manifest: the CSV; if not absolute, from the root."""
    split_file: str | None = None
    """A CSV by `emotemporal split`; its splits replace the data set's own."""
    exclude: str | None = None
    """A CSV with a column `path`: rows to leave out, such as doctor writes."""
    max_bad_share: float = 0.0
    """How large a share of the listed files may be missing before the data set is refused."""
    single_votes: SingleVotes = "keep"
    """FER+: whether an emotion that one voter alone chose counts."""
    shared_twins: Literal["refuse", "drop", "drop_near"] = "refuse"
    """Training jobs: what becomes of files that are byte-equal in two splits. `drop` leaves out the
    earlier split's (training's before validation's); `drop_near` also those that show nearly the
    same or its mirror image, for which every picture is opened."""

    def __post_init__(self) -> None:
        if not self.root:
            raise ValueError("root is empty; give the folder that holds the data set")
        if not 0 <= self.max_bad_share < 1:
            raise ValueError(f"max_bad_share is {self.max_bad_share}; it can be 0 up to 1")


def read_dataset(config: DatasetConfig) -> DatasetTable:
    """Read a data set as far as its lists and names go; no picture is opened.

    Everything wrong is in the table's problems; a job that trains or judges takes `load_dataset`.

    Raises:
        FileNotFoundError: The folder, or a file that the config names, is not there.
        ValueError: The config or a file that it names cannot be understood.
    """
    table = _read(config)
    if config.exclude is not None:  # first: a list of files that are not there is one remedy
        table = _exclude(table, Path(config.exclude))
    table = _drop_missing(table, config.max_bad_share)
    if config.split_file is not None:
        table = apply_split_file(table, Path(config.split_file))
    if len(table) == 0 and not any(problem.is_fatal for problem in table.problems):
        problem = Problem(config.root, "no rows are left", "See the notes above.", is_fatal=True)
        table = add_problems(table, [problem])
    return add_problems(table, subject_problems(table))


def load_dataset(config: DatasetConfig) -> DatasetTable:
    """Read a data set for a job, and refuse one that is unusable.

    Files equal byte by byte across splits are found here; near twins and unreadable pictures only
    by `doctor`, which opens all.

    Raises:
        ValueError: The data set has a fatal problem; all are told with their remedies.
    """
    table = read_dataset(config)
    refuse_fatal(table)
    if table.rows["split"].nunique() < 2:
        return table
    twins = near_twins(table) if config.shared_twins == "drop_near" else byte_twins(table)
    if config.shared_twins == "refuse":
        table = add_problems(table, twin_problems(table, twins))
        refuse_fatal(table)
        return table
    leave_out = rows_to_leave_out(table, twins.group)
    kept = take_rows(table, np.setdiff1d(np.arange(len(table)), leave_out))
    reason = f"{len(leave_out)} rows with a twin in a later split left out"
    remedy = f"As --shared_twins {config.shared_twins} says."
    note = Problem("split", reason, remedy, is_fatal=False)
    return add_problems(kept, [note] if len(leave_out) else [])


def near_twins(table: DatasetTable) -> Twins:
    """Open every picture of a table of images, and return which show the same, or nearly.

    Raises:
        ValueError: A picture cannot be read, or the table is of videos.
    """
    if table.kind != "images":
        raise ValueError(f"{table.name} holds {table.kind}; near twins are looked for in images")
    signatures = sign_table(table, show_progress=True)
    refuse_fatal(add_problems(table, [s.problem for s in signatures if s.problem is not None]))
    return find_twins(signatures, TwinConfig())


def _read(config: DatasetConfig) -> DatasetTable:
    root = Path(config.root).expanduser()
    if config.name == "streams":
        raise ValueError(f"{root} is prepared already: give it to 'finetune' as its data")
    read = {
        "affectnet": lambda: read_affectnet(
            root, config.layout, config.digit_order, config.has_header
        ),
        "savee": lambda: read_savee(root),
        "ferplus": lambda: read_ferplus(root, config.vote_rule, config.single_votes),
        "ravdess": lambda: read_ravdess(root, config.calm, config.with_songs),
        "cremad": lambda: read_cremad(root),
        "folder": lambda: read_folder(root),
        "manifest": lambda: read_manifest(root, config.manifest),
    }
    if config.name not in read:
        raise ValueError(f"data set is {config.name!r}; it can be {', '.join(read)}")
    return read[config.name]()


def _drop_missing(table: DatasetTable, max_bad_share: float) -> DatasetTable:
    is_there = np.array([(table.root / path).is_file() for path in table.rows["path"]], dtype=bool)
    if is_there.all():
        return table
    names = list(table.rows["path"][~is_there])
    share = len(names) / len(table)
    reason = f"{len(names)} of {len(table)} listed files are not there: {summarise(names)}"
    remedy = (
        "Unpack all of the data set, list what is to be left out with --exclude, or allow a share "
        "with --max_bad_share."
    )
    problem = Problem("files", reason, remedy, is_fatal=share > max_bad_share)
    return add_problems(take_rows(table, is_there), [problem])


def _exclude(table: DatasetTable, path: Path) -> DatasetTable:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there. Name a CSV with a column 'path'.")
    columns, rows = read_table(path)
    if "path" not in columns:
        raise ValueError(f"{path}: there is no column 'path', only {columns}")
    excluded = {row["path"] for _, row in rows}
    is_excluded = table.rows["path"].isin(excluded).to_numpy()
    unknown = excluded - set(table.rows["path"])
    told = f"; {len(unknown)} of its paths are not in the data set" if unknown else ""
    reason = f"{int(is_excluded.sum())} rows left out{told}"
    note = Problem(path.name, reason, "As --exclude says.", is_fatal=False)
    return add_problems(take_rows(table, ~is_excluded), [note])
