"""Numbers to whoever keeps them. The only place that knows wandb."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self, runtime_checkable

from emotemporal.storage import JsonlLog, read_jsonl
from emotemporal.train.history import (
    HEADER,
    EpochRow,
    describe_overfitting,
    draw_curves,
    overfitting_since,
)
from emotemporal.train.state import Progress

_log = logging.getLogger(__name__)


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

    def finish(self) -> None:
        """Write what is still to be written."""


class NoLogger:
    """Writes nothing."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Write nothing."""

    def finish(self) -> None:
        """Do nothing."""


class WandbLogger:
    """One wandb run. Its folder lies inside the run folder."""

    def __init__(
        self, config: TrackingConfig, folder: Path, job: str, job_config: Mapping[str, Any]
    ) -> None:
        import wandb

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

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Log figures; the step is the optimiser's."""
        self._run.log(dict(values), step=step)

    def finish(self) -> None:
        """Flush and end the run."""
        self._run.finish()


def build_logger(
    config: TrackingConfig, folder: Path, job: str, job_config: Mapping[str, Any]
) -> Logger:
    """Return wandb's logger or one that writes nothing.

    wandb is a view, not the record: where it cannot start, the run goes on and says so.
    """
    if config.wandb == "off":
        return NoLogger()
    try:
        return WandbLogger(config, folder, job, job_config)
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._jsonl.__exit__(kind, error, trace)
        self._logger.finish()
