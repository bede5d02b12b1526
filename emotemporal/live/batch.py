"""`predict --out`: a folder of results that many files fill, in parallel, and that can be resumed.

OUT/tables/NAME.csv ...   a table a file, in each format asked for
OUT/labelled/NAME.mp4     with --annotate
OUT/done/NAME.json        what was made of it; written last, it is what makes a file done
OUT/summary.csv           a row a file that is done
OUT/failures.csv          a row a file that cannot be judged, with the reason
"""

from __future__ import annotations

import csv
import io
import json
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from tqdm import tqdm

from emotemporal.config import to_plain
from emotemporal.faces.detect import DetectorConfig, find_yunet
from emotemporal.live.inputs import Input
from emotemporal.live.judge_file import Targets, judge_file
from emotemporal.live.recogniser import RecogniseConfig, Recogniser
from emotemporal.live.sinks.formats import TableFormat
from emotemporal.live.workers import Died, Finished, Progress, Report, run_jobs
from emotemporal.run_folder import RunFolder, git_commit
from emotemporal.stopping import InterruptedJob
from emotemporal.storage import file_digest, write_atomically, write_json
from emotemporal.video.container import read_declared
from emotemporal.video.image import ImageError
from emotemporal.video.source import VideoError

_log = logging.getLogger(__name__)

_BYTES_A_FRAME = 4000
"""Of a video whose container does not say how many it has; for the progress bar alone."""
_OF_VIDEOS_ALONE = ("eaf", "html")


@dataclass(frozen=True)
class BatchConfig:
    """What is made of each file, and where."""

    out: Path
    formats: tuple[TableFormat, ...] = ("csv",)
    """A table each. `eaf` and `html` are of videos alone."""
    annotate: bool = False
    """A labelled copy too."""
    workers: int = 1
    """Processes, each with a file. 0 works in this one, which a crashing decoder ends."""


@dataclass(frozen=True)
class BatchResult:
    """What stands in the folder now."""

    done: tuple[Mapping[str, Any], ...]
    """Rows of `summary.csv` for the files of this run."""
    failures: tuple[tuple[str, str], ...]
    """File and reason."""
    num_resumed: int
    """Files that an earlier run had done."""


def run_batch(
    inputs: Sequence[Input], recogniser: Recogniser, config: BatchConfig, asked: Event
) -> BatchResult:
    """Judge what is not done yet, and bring summary and failures up to date.

    Raises:
        RunFolderError: The folder belongs to another config, or is in use.
        InterruptedJob: `asked` was set; what is done is kept, and told in the summary.
    """
    settled = _settle(recogniser)
    identity = _identity(recogniser, settled, config)
    with RunFolder(config.out, "predict", identity):
        left = [item for item in inputs if not _is_done(item, config)]
        if len(left) < len(inputs):
            done_before = len(inputs) - len(left)
            _log.info("%s: %d of %d are done already", config.out, done_before, len(inputs))
        reasons: dict[str, str] = {}
        try:
            if left:
                open_worker = partial(_open_worker, settled, config)
                with _Told(left, reasons) as told:
                    run_jobs(open_worker, left, min(config.workers, len(left)), told, asked)
        except InterruptedJob as stopped:
            raise InterruptedJob(
                f"stopped; {config.out} keeps what is done, and the same command goes on"
            ) from stopped
        finally:
            failures = tuple((str(i.path), reasons[i.name]) for i in left if i.name in reasons)
            done = _write_summary(inputs, config.out, recogniser.labels.names)
            _write_rows(config.out / "failures.csv", ("source", "reason"), failures)
    return BatchResult(done, failures, len(inputs) - len(left))


def _settle(recogniser: Recogniser) -> RecogniseConfig:
    """Name the detector and the smoothing that were found, so that a resumed run keeps to them."""
    is_yunet = recogniser.detector.name == "yunet"
    detector: DetectorConfig = replace(
        recogniser.config.detector, name="yunet" if is_yunet else "haar"
    )
    smoothing = recogniser.stream.smoothing
    return replace(recogniser.config, detector=detector, smoothing=smoothing, max_lag=None)


def _identity(
    recogniser: Recogniser, settled: RecogniseConfig, config: BatchConfig
) -> dict[str, Any]:
    """Return what decides the numbers: not where files lie, nor how many work."""
    plain = to_plain(settled)
    for name in ("checkpoint", "device", "num_threads", "max_lag"):
        del plain[name]
    file = find_yunet(settled.detector)
    is_yunet = settled.detector.name == "yunet" and file is not None
    plain["detector"]["yunet_file"] = file_digest(file) if is_yunet and file else None
    plain |= {"model": recogniser.model.digest, "engine": recogniser.model.engine_name}
    plain |= {"prior": [round(share, 9) for share in recogniser.prior]}
    return plain | {"formats": sorted(config.formats), "annotate": config.annotate}


def _open_worker(
    recognise: RecogniseConfig, config: BatchConfig
) -> Callable[[Input, Report], str | None]:
    """Load the network, and return what judges a file with it."""
    return partial(_judge, Recogniser(recognise), config, git_commit())


def _judge(
    recogniser: Recogniser, config: BatchConfig, commit: str, item: Input, report: Report
) -> str | None:
    """Judge a file and write down that it is done; return the reason if it cannot be."""
    targets = _targets(item, config)
    files = [*targets.tables.values(), *([targets.labelled] if targets.labelled else [])]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
    try:
        seen = _state(item.path)
        told = judge_file(item.path, recogniser, targets, report)
    except (FileNotFoundError, ImageError, VideoError) as error:
        return str(error)
    known = {"source": str(item.path), **seen, "name": item.name, **told}
    known["outputs"] = [file.relative_to(config.out).as_posix() for file in files]
    write_json(_receipt(item.name, config.out), known | {"commit": commit})
    return None


def _targets(item: Input, config: BatchConfig) -> Targets:
    formats = [f for f in config.formats if not (item.is_image and f in _OF_VIDEOS_ALONE)]
    tables = {name: config.out / "tables" / f"{item.name}.{name}" for name in formats}
    if not config.annotate:
        return Targets(tables)
    suffix = ".png" if item.is_image else ".mp4"
    return Targets(tables, config.out / "labelled" / f"{item.name.removesuffix(suffix)}{suffix}")


def _receipt(name: str, out: Path) -> Path:
    return out / "done" / f"{name}.json"


def _state(path: Path) -> dict[str, int]:
    """Return what changes when a file does; cheaper than to read all of an hour's video."""
    found = path.stat()
    return {"size_bytes": found.st_size, "modified_ns": found.st_mtime_ns}


def _is_done(item: Input, config: BatchConfig) -> bool:
    receipt = _receipt(item.name, config.out)
    if not (receipt.is_file() and item.path.is_file()):
        return False
    told = json.loads(receipt.read_text(encoding="utf-8"))
    is_same = all(told[name] == value for name, value in _state(item.path).items())
    return is_same and all((config.out / name).is_file() for name in told["outputs"])


def _write_summary(
    inputs: Sequence[Input], out: Path, names: Sequence[str]
) -> tuple[Mapping[str, Any], ...]:
    """Write a row for each file that is done, of this and of earlier runs; return this one's."""
    receipts = sorted((out / "done").rglob("*.json"))
    rows = [json.loads(receipt.read_text(encoding="utf-8")) for receipt in receipts]
    shares = [f"{kind}_{name}" for kind in ("shown", "mean") for name in names]
    columns = ["source", "name", "kind", "frames", "duration_s", "faces", "judgements"]
    columns += ["warm_up_share", "uncertain_share", *shares]
    told = [[row[column] for column in columns] for row in rows]
    _write_rows(out / "summary.csv", columns, told)
    wanted = {item.name for item in inputs}
    return tuple(row for row in rows if row["name"] in wanted)


def _write_rows(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([columns, *rows])
    write_atomically(path, text.getvalue().encode())


class _Told:
    """Shows how far the files are, and keeps why some failed. A context manager."""

    def __init__(self, jobs: Sequence[Input], reasons: dict[str, str]) -> None:
        self._jobs, self._reasons = jobs, reasons
        self._frames = [_expected_frames(job) for job in jobs]
        self._shares = [0.0] * len(jobs)
        self._num_done = 0
        self._bar = tqdm(
            total=sum(self._frames), desc="predict", unit="frame", unit_scale=True, disable=None
        )

    def __enter__(self) -> Callable[[Progress | Finished[str | None] | Died], None]:
        return self._hear

    def __exit__(self, *exc: object) -> None:
        self._bar.close()

    def _hear(self, event: Progress | Finished[str | None] | Died) -> None:
        job = self._jobs[event.job]
        share = event.share if isinstance(event, Progress) else 1.0
        self._bar.update(int((share - self._shares[event.job]) * self._frames[event.job]))
        self._shares[event.job] = share
        if isinstance(event, Progress):
            return
        self._num_done += 1
        reason = f"{job.path}: {event.reason}" if isinstance(event, Died) else event.result
        if reason is not None:
            self._reasons[job.name] = reason
        self._bar.set_postfix_str(f"{self._num_done} of {len(self._jobs)} files")
        if self._bar.disable:  # nobody watches: a line each is what a log file wants
            _log.info("%d of %d: %s", self._num_done, len(self._jobs), reason or job.path)
        elif reason is not None:
            self._bar.write(f"cannot be judged: {reason}", file=sys.stderr)


def _expected_frames(job: Input) -> int:
    if job.is_image or not job.path.is_file():
        return 1
    try:
        declared = read_declared(job.path).num_frames
    except VideoError:
        return 1
    return declared or 1 + job.path.stat().st_size // _BYTES_A_FRAME
