"""Runs commands in forks of one process that has everything imported, and kills them where told.

A process started anew would spend seconds on imports before it can be killed. Requests come as
lines of JSON on standard input, each answered by a line: see `tests/faults/kills.py`.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from emotemporal import cli
from emotemporal.stopping import InterruptedJob
from emotemporal.train import loop
from tests.ablate.grids import Here

IMPORTED = (
    "lightning_fabric",
    "matplotlib.figure",
    "emotemporal.ablate.ablate",
    "emotemporal.ablate.compare",
    "emotemporal.data.prepare",
    "emotemporal.live.predict",
    "emotemporal.train.finetune",
    "emotemporal.train.pretrain",
)
_fsync, _replace, _fdopen, _step = os.fsync, Path.replace, os.fdopen, loop._Run._step


class Killer:
    """Counts what happens, and at the one that it is told of sends its own process a signal."""

    def __init__(self, event: str, at: int, number: int) -> None:
        self.counts: Counter[str] = Counter()
        self._event, self._at, self._number = event, at, number

    def install(self) -> None:
        os.fsync = partial(self._around, "fsync", _fsync)
        Path.replace = lambda path, to: self._around("replace", _replace, path, to)  # type: ignore[method-assign,assignment]
        loop._Run._step = lambda run, *given: self._around("step", _step, run, *given)  # type: ignore[method-assign]
        os.fdopen = self._half_writer  # type: ignore[assignment]

    def _around(self, event: str, really: Callable[..., Any], *given: Any) -> Any:
        self._happen(f"before-{event}")
        done = really(*given)
        self._happen(f"after-{event}")
        return done

    def _half_writer(self, handle: int, *given: Any, **named: Any) -> Any:
        file = _fdopen(handle, *given, **named)
        killer, write = self, file.write

        class HalfFirst:
            def __enter__(self) -> HalfFirst:
                return self

            def __exit__(self, *exc: object) -> None:
                file.close()

            def write(self, data: bytes) -> None:
                write(data[: len(data) // 2])
                file.flush()
                killer._happen("half-write")
                write(data[len(data) // 2 :])

            def __getattr__(self, name: str) -> Any:
                return getattr(file, name)

        return HalfFirst()

    def _happen(self, event: str) -> None:
        self.counts[event] += 1
        if event == self._event and self.counts[event] == self._at:
            os.kill(os.getpid(), self._number)


def run(request: dict[str, Any]) -> None:
    """Run one command in this process, a fork, and leave."""
    os.chdir(request["folder"])
    log = os.open(request["log"], os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    for standard in (1, 2):
        os.dup2(log, standard)
    killer = Killer(request["event"], request["at"], request["signal"])
    killer.install()
    try:
        code = start(request["words"])
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
    sys.stdout.flush()
    sys.stderr.flush()
    if request["counts"]:
        Path(request["counts"]).write_text(json.dumps(killer.counts))
    os._exit(code)


def start(words: list[str]) -> int:
    if words[0] != "ablate":
        return cli.main(words)
    # Its runs are processes that import everything anew: here they run in this one.
    from emotemporal.ablate.ablate import AblateConfig, ablate
    from emotemporal.config import parse_config

    with_time_standing = partial(float, 0)
    here = Here()
    config = parse_config(AblateConfig, ["--grid", *words[1:]], "ablate")
    try:
        return 1 if ablate(config, here, with_time_standing).failures else 0
    except InterruptedJob as stopped:
        return stopped.EXIT_CODE


def serve() -> None:
    torch.set_num_threads(1)
    for name in IMPORTED:
        importlib.import_module(name)
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            # A session of its own, so that whatever it leaves running can be found and ended.
            os.setsid()
            try:
                run(request)
            finally:
                traceback.print_exc()
                os._exit(99)
        sys.stdout.write(json.dumps(wait_for(pid, request)) + "\n")
        sys.stdout.flush()


def wait_for(pid: int, request: dict[str, Any]) -> dict[str, Any]:
    began = time.monotonic()
    is_due = request["event"] == "delay"
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        seconds = time.monotonic() - began
        if found:
            return {"code": os.waitstatus_to_exitcode(status), "seconds": seconds}
        if is_due and seconds > request["at"]:
            os.kill(pid, request["signal"])
            is_due = False
        if seconds > request["timeout_s"]:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return {"code": None, "seconds": seconds}
        time.sleep(0.002)


if __name__ == "__main__":
    serve()
