"""Looks a data set over before anything is trained on it, and says what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from emotemporal.data.doctor.report import DoctorReport, Section, describe_counts, describe_twins
from emotemporal.data.doctor.show import show_batch
from emotemporal.data.doctor.streams import examine_streams
from emotemporal.data.readers import DatasetConfig, read_dataset
from emotemporal.data.sharing import twin_problems
from emotemporal.data.signatures import Signature, sign_table
from emotemporal.data.table import DatasetTable, Problem, add_problems, take_rows
from emotemporal.data.twins import TwinConfig, Twins, find_twins, rows_to_leave_out
from emotemporal.faces.crop import CropConfig
from emotemporal.preprocess import PreprocessConfig
from emotemporal.storage import write_atomically


@dataclass(frozen=True)
class DoctorConfig:
    """What to look over, and how closely."""

    data: DatasetConfig
    videos: Literal["all", "sample"] = "all"
    """Decode every video to its end, or a few of them; images are always read whole."""
    num_sampled: int = 20
    """Videos decoded where they are sampled."""
    workers: int = 2
    show_progress: bool = True
    show: int = 0
    """Draw this many pictures as the network sees them; `--show 32 FILE.png` also says where."""
    show_file: str = "batch.png"
    """Where they are drawn."""
    exclude_file: str | None = None
    """Write a CSV of unreadable files and of training's side of shared twins, for --exclude."""
    twins: TwinConfig = field(default_factory=TwinConfig)
    preprocess: PreprocessConfig = field(default_factory=PreprocessConfig)
    crop: CropConfig = field(default_factory=CropConfig)

    def __post_init__(self) -> None:
        if self.num_sampled < 1 or self.workers < 1 or self.show < 0:
            raise ValueError(
                f"num_sampled {self.num_sampled} and workers {self.workers} can be 1 or more, "
                f"show {self.show} 0 or more"
            )


def doctor(config: DoctorConfig) -> DoctorReport:
    """Read a data set and look it over.

    Raises:
        FileNotFoundError: The data set's folder, or a file that the config names, is not there.
        ValueError: The config cannot be understood.
    """
    if config.data.name == "streams":
        show_file = Path(config.show_file)
        return examine_streams(Path(config.data.root), config.show, show_file, config.preprocess)
    return examine(read_dataset(config.data), config)


def examine(table: DatasetTable, config: DoctorConfig) -> DoctorReport:
    """Look over a table that has been read: every file, the counts, the twins, the splits."""
    signatures = _sign(table, config)
    found = _unreadable(table, signatures)
    twins = find_twins(signatures, config.twins, config.workers)
    checked = add_problems(table, [*found, *twin_problems(table, twins)])
    sections = [*describe_counts(checked), describe_twins(checked, twins)]
    if config.exclude_file is not None:
        sections.append(_write_exclude(table, signatures, twins, Path(config.exclude_file)))
    if config.show:
        sections.append(_show(table, signatures, config))
    return DoctorReport(checked, twins, tuple(sections), len(found))


def _sign(table: DatasetTable, config: DoctorConfig) -> list[Signature]:
    if table.kind == "images" or config.videos == "all":
        return sign_table(table, "decoded", config.workers, config.show_progress)
    # Digests of pictures and of bytes cannot be compared: the sample only proves that it decodes.
    signatures = sign_table(table, "bytes", config.workers, config.show_progress)
    num = min(config.num_sampled, len(table))
    sample = np.unique(np.linspace(0, len(table) - 1, num).round().astype(np.int64))
    decoded = sign_table(take_rows(table, sample), "decoded", config.workers, config.show_progress)
    for row, signature in zip(sample, decoded, strict=True):
        if signature.problem is not None:
            signatures[int(row)] = signature
    return signatures


def _unreadable(table: DatasetTable, signatures: Sequence[Signature]) -> list[Problem]:
    by_path = dict(zip(table.rows["path"], signatures, strict=True))
    return [
        Problem(path, _without_root(s.problem.reason, table.root), s.problem.remedy, is_fatal=True)
        for path, s in by_path.items()
        if s.problem is not None
    ]


def _without_root(reason: str, root: Path) -> str:
    return reason.replace(f"{root.as_posix()}/", "")


def _write_exclude(
    table: DatasetTable, signatures: Sequence[Signature], twins: Twins, path: Path
) -> Section:
    bad = {i: "unreadable" for i, s in enumerate(signatures) if s.problem is not None}
    shared = {int(i): "twin in a later split" for i in rows_to_leave_out(table, twins.group)}
    chosen = shared | bad
    rows = sorted(chosen)
    paths = [table.rows["path"].iloc[row] for row in rows]
    listed = pd.DataFrame({"path": paths, "reason": [chosen[row] for row in rows]})
    write_atomically(path, listed.to_csv(index=False, lineterminator="\n").encode())
    told = f"{len(bad)} unreadable, {len(chosen) - len(bad)} with a twin in a later split"
    return Section("Left-out list", (f"{path}: {told}; read the data set with --exclude {path}",))


def _show(table: DatasetTable, signatures: Sequence[Signature], config: DoctorConfig) -> Section:
    is_good = np.array([s.problem is None for s in signatures], dtype=bool)
    path = Path(config.show_file)
    show_batch(take_rows(table, is_good), config.preprocess, config.crop, config.show, path)
    size = config.preprocess.size_px
    return Section("Pictures", (f"{path}: as the network sees them, {size} x {size} px",))
