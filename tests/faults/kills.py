"""Jobs that are killed at a chosen point, run again, and compared with one that was not."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parents[2]
NO_RESULT = {".lock"}
"""Files that say nothing about a result."""


@dataclass(frozen=True)
class Kill:
    """Where a signal comes: at the `at`-th event of a kind, or after so many seconds."""

    event: str
    at: float
    number: int

    def __str__(self) -> str:
        name = signal.Signals(self.number).name
        when = f"{self.at:.3f}s" if self.event == "delay" else f"{self.at:.0f}"
        return f"{name}-{self.event}-{when}"


NEVER = Kill("never", 0, signal.SIGKILL)


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    code: int | None
    seconds: float
    said: str
    counts: Mapping[str, int]


class Zygote:
    """A process that runs commands in its forks; see `tests/faults/zygote.py`."""

    def __enter__(self) -> Self:
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            # Results name the commit: code that is edited meanwhile must not tell two runs apart.
            "GIT_DIR": os.devnull,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.faults.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=ROOT,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def run(
        self, words: Sequence[str], folder: Path, kill: Kill = NEVER, timeout_s: float = 120
    ) -> Ended:
        """Run a command in `folder`."""
        log, counts = folder.parent / f"{folder.name}.log", folder.parent / "counts.json"
        counts.unlink(missing_ok=True)
        before = log.stat().st_size if log.exists() else 0
        request: dict[str, Any] = {
            "words": list(words),
            "folder": str(folder),
            "log": str(log),
            "counts": str(counts),
            "event": kill.event,
            "at": kill.at,
            "signal": kill.number,
            "timeout_s": timeout_s,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        told = json.loads(self._process.stdout.readline())
        said = log.read_bytes()[before:].decode(errors="replace")
        found = json.loads(counts.read_text()) if counts.exists() else {}
        return Ended(told["code"], told["seconds"], said, found)


def choose_kills(seed: int, number: int, whole: Ended) -> list[Kill]:
    """Draw kill points of a job whose whole run is known."""
    draw = random.Random(seed)
    kinds = [*sorted(whole.counts), "delay"]
    kills = []
    for i in range(number):
        event = kinds[i % len(kinds)]
        at: float
        if event == "delay":
            at = draw.uniform(0.02, 0.95) * whole.seconds
        else:
            at = draw.randint(1, whole.counts[event])
        kills.append(Kill(event, at, draw.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])))
    return kills


def contents(folder: Path, is_result: Callable[[str], bool] = lambda name: True) -> dict[str, str]:
    """Return the digest of every result below a folder."""
    from emotemporal.storage import file_digest

    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and path.name not in NO_RESULT and is_result(name):
            found[name] = file_digest(path)
    return found


def resume_until_done(zygote: Zygote, words: Sequence[str], folder: Path) -> str:
    """Run a command again, as its user would, until it ends well; once is enough."""
    ended = zygote.run(words, folder)
    assert ended.code == 0, f"code {ended.code}: {ended.said[-3000:]}"
    return ended.said
