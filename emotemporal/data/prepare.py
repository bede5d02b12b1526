"""From videos to face clips on disk, once: every later job reads these and decodes no video."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from emotemporal.data.clipping import (
    PrepareConfig,
    VideoJob,
    clip_video,
    end_decoder,
    video_jobs,
)
from emotemporal.data.prepared import (
    FORMAT_VERSION,
    PreparedSet,
    at_work_in,
    claim_folder,
    is_done,
    load_prepared,
)
from emotemporal.data.processes import in_processes
from emotemporal.data.readers import DatasetConfig, load_dataset
from emotemporal.data.table import DatasetTable, fingerprint, group_columns, refuse_fatal
from emotemporal.faces.detect import DetectorConfig, build_detector, find_yunet
from emotemporal.storage import digest, file_digest, write_atomically, write_json

__all__ = [
    "PrepareConfig",
    "PrepareError",
    "PrepareJobConfig",
    "PrepareReport",
    "PreparedSet",
    "load_prepared",
    "prepare",
    "prepare_dataset",
]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PrepareJobConfig:
    """Find the faces in a video data set and keep their crops."""

    data: DatasetConfig
    out: str
    """The folder for the clips. It belongs to one data set and one config."""
    clips: PrepareConfig = field(default_factory=PrepareConfig)
    workers: int = 1
    """Processes, each with a video."""


@dataclass(frozen=True)
class PrepareReport:
    """What `prepare` did."""

    folder: Path
    num_videos: int
    num_clips: int
    num_resumed: int
    """Videos that an earlier run had finished."""
    detector: str
    failures: Sequence[tuple[str, str]]
    """Path and reason."""

    def __str__(self) -> str:
        resumed = f" ({self.num_resumed} done before)" if self.num_resumed else ""
        told = [f"{path}: {reason}" for path, reason in self.failures]
        return "\n".join(
            [
                f"{self.num_clips} face clips from {self.num_videos} videos{resumed}, found by "
                f"{self.detector}, in {self.folder}",
                *(["failed:", *told] if told else []),
            ]
        )


class PrepareError(ValueError):
    """Too many videos failed; `prepare.json` in the folder lists them all."""


def prepare_dataset(config: PrepareJobConfig) -> PrepareReport:
    """Read a data set and prepare it; see `prepare`.

    Raises:
        ValueError: The data set is unusable, or the folder belongs to another config.
        PrepareError: Too many videos failed.
    """
    if config.data.name in ("affectnet", "ferplus", "folder"):
        raise ValueError(
            f"{config.data.name} is made of images; only videos are prepared. 'pretrain' and "
            "'streams' read images as they are"
        )
    table = load_dataset(config.data)
    for problem in table.problems:
        _log.info("note: %s", problem)
    return prepare(table, Path(config.out), config.clips, config.workers)


def prepare(
    table: DatasetTable, out: Path, config: PrepareConfig, workers: int = 1
) -> PrepareReport:
    """Follow the face in every video of `table`, and keep its crops in `out`.

    Can be killed at any time: the same call goes on where it stopped, and ends with the same bytes
    in the folder. What fails is listed with its reason, in the report and in `prepare.json`, and
    tried again by the next call.

    Raises:
        ValueError: Not a table of videos, or `out` belongs to another config or data set.
        PrepareError: More than `max_bad_share` failed.
    """
    if table.kind != "videos":
        raise ValueError(f"{table.name} is made of {table.kind}; only videos are prepared")
    refuse_fatal(table)
    with at_work_in(out, "prepare"):
        return _prepare(table, out, config, workers)


def _prepare(table: DatasetTable, out: Path, config: PrepareConfig, workers: int) -> PrepareReport:
    config = _settle_detector(config)
    record = _record(table, config)
    claim_folder(out, record)
    jobs = list(video_jobs(table))
    left = [job for job in jobs if not is_done(out, job.key)]
    if len(left) < len(jobs):
        _log.info("%s: %d of %d videos are done already", out, len(jobs) - len(left), len(jobs))
    work = partial(clip_video, out=out, config=config)
    try:
        found = in_processes(work, left, workers, "prepare", "video")
        reasons = {done.key: done.reason for done in found if done.reason}
    finally:
        end_decoder(config)
    failures = [(job.source, reasons[job.key]) for job in jobs if job.key in reasons]
    rows = _rows(table, jobs, out, set(reasons))
    text = rows.to_csv(index=False, lineterminator="\n").encode()
    write_atomically(out / "clips.csv", text)
    is_bad = len(failures) > config.max_bad_share * len(jobs) or len(rows) == 0
    told = [{"path": path, "reason": reason} for path, reason in failures]
    ending = {"is_complete": not is_bad, "clips_digest": digest(text), "failures": told}
    write_json(out / "prepare.json", record | ending)
    if is_bad:
        raise PrepareError(_tell(failures, len(jobs), config.max_bad_share, out))
    return PrepareReport(
        out, len(jobs), len(rows), len(jobs) - len(left), config.follow.detector.name, failures
    )


def _tell(failures: Sequence[tuple[str, str]], num_videos: int, share: float, out: Path) -> str:
    some = "\n  ".join(f"{path}: {reason}" for path, reason in failures[:5])
    return (
        f"{len(failures)} of {num_videos} videos failed, at most {share:.1%} may "
        f"(max_bad_share). All are listed in {out / 'prepare.json'}; the first:\n  {some}"
    )


def _settle_detector(config: PrepareConfig) -> PrepareConfig:
    """Replace `auto` by the detector that this machine has, so that a resumed run keeps to it."""
    detector = build_detector(config.follow.detector)
    settled: DetectorConfig = replace(
        config.follow.detector, name="yunet" if detector.name == "yunet" else "haar"
    )
    return replace(config, follow=replace(config.follow, detector=settled))


def _record(table: DatasetTable, config: PrepareConfig) -> dict[str, Any]:
    follow: dict[str, Any] = json.loads(json.dumps(asdict(config.follow)))
    file = find_yunet(config.follow.detector)
    is_yunet = config.follow.detector.name == "yunet" and file is not None
    # Where the file lies does not matter, what is in it does.
    follow["detector"]["yunet_file"] = file_digest(file) if is_yunet and file else None
    settings = {
        "follow": follow,
        "faces": config.faces,
        "boxes": config.boxes,
        "min_detected_share": config.min_detected_share,
        "backend": config.backend,
    }
    return {
        "format_version": FORMAT_VERSION,
        "name": table.name,
        "data_fingerprint": fingerprint(table),
        "detector": config.follow.detector.name,
        "config_checksum": digest(json.dumps(settings, sort_keys=True).encode()),
        **settings,
        "is_complete": False,
    }


def _rows(
    table: DatasetTable, jobs: Sequence[VideoJob], out: Path, failed: set[str]
) -> pd.DataFrame:
    records = []
    for job, row in zip(jobs, table.rows.to_dict("records"), strict=True):
        if job.key in failed:
            continue
        kept = ("emotion", "subject", "take", "split", *group_columns(table.rows))
        known = {key: row[key] or "" for key in kept}
        known |= {"source": job.source, "start_s": job.start_s, "end_s": job.end_s}
        known["source_row"] = int(row["source_row"])
        clips = json.loads((out / "rows" / f"{job.key}.json").read_text(encoding="utf-8"))
        records += [known | clip for clip in clips]
    return pd.DataFrame.from_records(records)
