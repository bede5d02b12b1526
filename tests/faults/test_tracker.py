"""wandb killed, out of reach, its disk full: training goes on, and the JSONL is complete."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from emotemporal.storage import read_jsonl
from emotemporal.train import log as train_log
from emotemporal.train.guard import GuardedLogger
from emotemporal.train.history import EpochRow
from emotemporal.train.log import RunLog, TrackingConfig, build_logger
from emotemporal.train.state import Progress

ROW = EpochRow(1, 10, 1.0, 0.5, 1.1, 0.4, 0.3, 0.3)
ROWS = [replace(ROW, epoch=i, step=10 * i) for i in range(1, 5)]


class Failing:
    """A tracker that fails from the second figure on, or never ends."""

    def __init__(self, error: Exception, hangs: bool = False) -> None:
        self.told: list[int] = []
        self._error, self._hangs = error, hangs

    def log(self, values, step):
        self.told.append(step)
        if len(self.told) > 1:
            raise self._error

    def predictions(self, name, clips):
        raise self._error

    def files(self, name, kind, paths):
        raise self._error

    def finish(self):
        if self._hangs:
            time.sleep(3600)
        raise self._error


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch, request):
    if "picture" not in request.node.name:
        monkeypatch.setattr(train_log, "draw_curves", lambda *_: None)


def train(folder: Path, logger) -> list[int]:
    with RunLog(folder, logger, Progress()) as log:
        for count in range(1, len(ROWS) + 1):
            log.epoch(ROWS[:count], 1.0)
    return [row["step"] for row in read_jsonl(folder / "log.jsonl")]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        BrokenPipeError("the service has ended"),
        ConnectionError("unreachable"),
        RuntimeError("a type of its own"),
    ],
)
def test_a_tracker_that_fails_is_told_of_once_and_left(tmp_path, caplog, error):
    tracker = Failing(error)
    with caplog.at_level(logging.WARNING):
        assert train(tmp_path, GuardedLogger(tracker, tmp_path)) == [10, 20, 30, 40]
    assert tracker.told == [10, 20]
    assert caplog.text.count("the tracker failed") == 1


def test_a_tracker_that_never_ends_is_left_behind(tmp_path, caplog):
    logger = GuardedLogger(Failing(OSError(), hangs=True), tmp_path, finish_s=0.05)
    logger.finish()
    assert "has not finished" in caplog.text


def test_a_tracker_that_cannot_start_stops_nothing(tmp_path, monkeypatch, caplog):
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(train_log, "WandbLogger", refuse)
    assert train(tmp_path, build_logger(TrackingConfig(), tmp_path, "x", {})) == [10, 20, 30, 40]
    assert "wandb could not start" in caplog.text


WANDB_KILLED = """
import os, signal, sys
from pathlib import Path
from emotemporal.train.log import RunLog, TrackingConfig, build_logger
from emotemporal.train.state import Progress
from tests.faults.test_tracker import ROWS

def children():
    tasks = Path(f"/proc/{os.getpid()}/task").iterdir()
    return {int(word) for task in tasks for word in (task / "children").read_text().split()}

before = children()
folder = Path(sys.argv[1])
logger = build_logger(TrackingConfig(wandb="offline"), folder, "pretrain", {})
with RunLog(folder, logger, Progress()) as log:
    log.epoch(ROWS[:1], 1.0)
    services = children() - before
    assert services, "wandb has no process of its own here"
    for pid in services:
        os.kill(pid, signal.SIGKILL)
    for count in range(2, len(ROWS) + 1):
        log.epoch(ROWS[:count], 1.0)
print("went on")
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="asks Linux for wandb's process")
def test_wandb_itself_killed_in_mid_run_stops_nothing(tmp_path):
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "tests")])}
    command = [sys.executable, "-c", WANDB_KILLED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert "went on" in done.stdout, done.stderr
    assert [row["step"] for row in read_jsonl(tmp_path / "log.jsonl")] == [10, 20, 30, 40]


def test_the_picture_of_an_epoch_that_a_kill_left_out_is_drawn_when_the_run_goes_on(tmp_path):
    done = replace(Progress(), epoch=4, step=40, rows=tuple(ROWS))
    logger = build_logger(TrackingConfig(wandb="off"), tmp_path, "pretrain", {})
    with RunLog(tmp_path, logger, done):
        pass
    assert (tmp_path / "curves.png").is_file()
