"""A tracker that may fail: it is a view of a run, and stops neither the run nor its record."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from emotemporal.types import ClipPrediction

_log = logging.getLogger(__name__)
FINISH_S = 300.0
"""How long a tracker may take to send what is left; what lies in its folder can be sent later."""


@runtime_checkable
class Tracker(Protocol):
    """What is guarded; `train.log.Logger` says what each does."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Take figures."""

    def predictions(self, name: str, clips: Sequence[ClipPrediction]) -> None:
        """Take answers."""

    def files(self, name: str, kind: str, paths: Sequence[Path]) -> None:
        """Take files."""

    def finish(self) -> None:
        """End."""


class GuardedLogger:
    """Passes everything on until the tracker fails; says so once, and writes no more.

    Its process may be killed, its disk full, its server out of reach: trackers tell of that by
    errors that share no type, or by never coming back.
    """

    def __init__(self, tracker: Tracker, folder: Path, finish_s: float = FINISH_S) -> None:
        self._tracker: Tracker | None = tracker
        self._folder, self._finish_s = folder, finish_s

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Log figures of one step."""
        self._try(lambda tracker: tracker.log(values, step))

    def predictions(self, name: str, clips: Sequence[ClipPrediction]) -> None:
        """Show answers."""
        self._try(lambda tracker: tracker.predictions(name, clips))

    def files(self, name: str, kind: str, paths: Sequence[Path]) -> None:
        """Keep files."""
        self._try(lambda tracker: tracker.files(name, kind, paths))

    def finish(self) -> None:
        """Write what is still to be written, within the time that is left for it."""
        # A thread of its own, which dies with the program: one that hangs cannot be stopped.
        ending = threading.Thread(target=self._try, args=(_finish,), daemon=True)
        ending.start()
        ending.join(self._finish_s)
        if ending.is_alive():
            _log.warning(
                "the tracker has not finished within %.0f s and is left; log.jsonl in %s is "
                "complete, and 'wandb sync' sends its folder later",
                self._finish_s,
                self._folder,
            )

    def _try(self, told: Callable[[Tracker], Any]) -> None:
        if self._tracker is None:
            return
        try:
            told(self._tracker)
        except Exception as error:  # see the class: none may stop a training
            self._tracker = None
            _log.warning(
                "the tracker failed (%s: %s) and is told nothing more; log.jsonl in %s is complete",
                type(error).__name__,
                error,
                self._folder,
            )


def _finish(tracker: Tracker) -> None:
    tracker.finish()
