"""Numbers to whoever keeps them. The only place that knows wandb."""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self, runtime_checkable

from emotemporal.storage import JsonlLog, read_jsonl
from emotemporal.train.guard import GuardedLogger
from emotemporal.train.history import (
    HEADER,
    EpochRow,
    describe_overfitting,
    draw_curves,
    overfitting_since,
)
from emotemporal.train.state import Progress
from emotemporal.types import ClipPrediction

_log = logging.getLogger(__name__)
_STAGING = "WANDB_DATA_DIR"


@dataclass(frozen=True)
class TrackingConfig:
    """Where a run's numbers can be watched, besides the JSONL that is their record."""

    wandb: Literal["off", "offline", "online"] = "offline"
    """`offline` writes into the run folder; `wandb sync` sends it later."""
    project: str = "emotemporal"
    group: str | None = None
    """Runs of one study share it."""
    tags: tuple[str, ...] = ()


@runtime_checkable
class Logger(Protocol):
    """Somewhere to write numbers; wandb in use, a list in tests."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Write figures of one step."""

    def predictions(self, name: str, clips: Sequence[ClipPrediction]) -> None:
        """Show one judge's answers: a row a clip or image, and the confusion matrix."""

    def files(self, name: str, kind: str, paths: Sequence[Path]) -> None:
        """Keep files as they are now, under a name; those that are not there are left out."""

    def finish(self) -> None:
        """Write what is still to be written."""


class NoLogger:
    """Writes nothing."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Write nothing."""

    def predictions(self, name: str, clips: Sequence[ClipPrediction]) -> None:
        """Show nothing."""

    def files(self, name: str, kind: str, paths: Sequence[Path]) -> None:
        """Keep nothing."""

    def finish(self) -> None:
        """Do nothing."""


class WandbLogger:
    """One wandb run. All of it, files too, lies inside the run folder, until it is sent."""

    def __init__(
        self, config: TrackingConfig, folder: Path, job: str, job_config: Mapping[str, Any]
    ) -> None:
        import wandb

        self._wandb: Any = wandb
        self._step = 0
        self._run = wandb.init(
            project=config.project,
            name=folder.name,
            group=config.group,
            job_type=job,
            tags=list(config.tags),
            config=dict(job_config),
            dir=str(folder),
            mode="offline" if config.wandb == "offline" else "online",
            settings=wandb.Settings(silent=True, console="off"),
        )
        self._own = Path(self._run.dir).absolute().parent

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Log figures; the step is the optimiser's."""
        self._step = step
        self._run.log(dict(values), step=step)

    def predictions(self, name: str, clips: Sequence[ClipPrediction]) -> None:
        """Log a table and a confusion matrix, beside the last step's figures."""
        if not clips:
            return
        labels = clips[0].labels
        answers = [int(clip.probabilities.argmax()) for clip in clips]
        rows = [
            [clip.source, clip.subject, clip.target.value, labels.names[answer]]
            + [round(float(p), 6) for p in clip.probabilities]
            for clip, answer in zip(clips, answers, strict=True)
        ]
        columns = ["source", "subject", "truth", "answer", *(f"p_{n}" for n in labels.names)]
        table = self._wandb.Table(columns=columns, data=rows)
        confusion = self._wandb.plot.confusion_matrix(
            y_true=[labels.index(clip.target) for clip in clips],
            preds=answers,
            class_names=list(labels.names),
            title=f"{name}: truth against answer",
        )
        with _staged_in(self._own):
            self._run.log(
                {f"{name}/predictions": table, f"{name}/confusion": confusion}, step=self._step
            )

    def files(self, name: str, kind: str, paths: Sequence[Path]) -> None:
        """Log an artifact, of copies that lie with the run."""
        artifact = self._wandb.Artifact(_artifact_name(f"{name}-{self._run.id}"), type=kind)
        for path in filter(Path.is_file, paths):
            kept = self._own / "artifacts" / name / path.name
            _keep(path, kept)
            artifact.add_file(str(kept), policy="immutable", skip_cache=True)
        with _staged_in(self._own):
            self._run.log_artifact(artifact)

    def finish(self) -> None:
        """Flush and end the run."""
        self._run.finish()


def _keep(path: Path, kept: Path) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".safetensors":
        # Large, and written anew by replacing it: a link costs nothing and keeps what is now.
        with suppress(OSError):  # another disk, or one that has no links
            os.link(path, kept)
            return
    shutil.copyfile(path, kept)


@contextmanager
def _staged_in(folder: Path) -> Iterator[None]:
    """Let wandb put what is not sent yet there: by itself it takes the home folder."""
    before = os.environ.get(_STAGING)
    os.environ[_STAGING] = before or str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_STAGING]


def _artifact_name(text: str) -> str:
    return re.sub(r"[^0-9A-Za-z_.-]+", "_", text)


def build_logger(
    config: TrackingConfig, folder: Path, job: str, job_config: Mapping[str, Any]
) -> Logger:
    """Return wandb's logger or one that writes nothing.

    wandb is a view, not the record: where it cannot start, the run goes on and says so.
    """
    if config.wandb == "off":
        return NoLogger()
    try:
        return GuardedLogger(WandbLogger(config, folder, job, job_config), folder)
    except Exception as error:  # wandb's own errors share no type, and none may stop a training
        _log.warning("wandb could not start (%s); the JSONL in %s is complete", error, folder)
        return NoLogger()


class RunLog:
    """What a run says: a printed row an epoch, the JSONL, the curves, wandb. A context manager."""

    def __init__(self, folder: Path, logger: Logger, done: Progress) -> None:
        self._folder = folder
        self._logger = logger
        self._jsonl = JsonlLog(folder / "log.jsonl", keep_up_to_step=done.step)
        logged = {row["step"] for row in read_jsonl(folder / "log.jsonl")}
        if done.rows:  # the same kill leaves the last epoch's picture out
            draw_curves(done.rows, folder / "curves.png", folder.name)
        for row in done.rows:  # a kill between saving the state and logging leaves one out
            if row.step not in logged:
                self._jsonl.append({"step": row.step, **row.values()})
            # The tracker's run is a new one: it shows the whole training, as the JSONL does.
            self._logger.log(row.values(), row.step)
        self._has_header = False
        self._has_named_overfitting = False

    def epoch(self, rows: Sequence[EpochRow], seconds: float) -> None:
        """Tell the last of `rows` to everybody."""
        row = rows[-1]
        if not self._has_header:
            _log.info(HEADER)
            self._has_header = True
        _log.info(row.line(seconds))
        self._jsonl.append({"step": row.step, **row.values()})
        self._logger.log(row.values(), row.step)
        draw_curves(rows, self._folder / "curves.png", self._folder.name)
        since = overfitting_since(rows)
        if since is not None and not self._has_named_overfitting:
            _log.warning(describe_overfitting(rows, since))
            self._has_named_overfitting = True

    def results(self, clips: Sequence[ClipPrediction]) -> None:
        """Tell how the best weights answered on validation, and keep them."""
        self._logger.predictions("validation", clips)
        names = ("best.safetensors", "config.yaml", "summary.json", "curves.png", "log.jsonl")
        self._logger.files("checkpoint", "model", [self._folder / name for name in names])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._jsonl.__exit__(kind, error, trace)
        finally:
            self._logger.finish()
