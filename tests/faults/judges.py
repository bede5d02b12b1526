"""A process that reads what may be hostile, watched for what no reader may do."""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

Read = Callable[[Path], None]
"""Reads a file as a job would, to the end; what it raises is what a user would be told."""

FORBIDDEN = (
    "subprocess.Popen", "os.system", "os.exec", "os.spawn", "os.posix_spawn", "os.symlink",
    "os.link", "socket.connect",
)  # fmt: skip
MAX_BYTES = 12 << 30
"""Of address space: torch alone maps several gigabytes."""
MAX_GROWN_BYTES = 3 << 29
"""Of memory in use, over that before the first file."""


@dataclass(frozen=True)
class Verdict:
    """What became of a file: `read`, `refused`, or what must not be."""

    kind: str
    told: str = ""

    @property
    def is_good(self) -> bool:
        return self.kind in ("read", "refused")


class Judge:
    """Reads files in a process of its own, made anew after a crash or a hang."""

    def __init__(self, make_readers: Callable[[], Mapping[str, Read]], limit_s: float) -> None:
        self._make, self._limit_s = make_readers, limit_s
        self._context = get_context("spawn")
        self._pipe: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def read(self, reader: str, path: Path) -> Verdict:
        """Let a reader read a file."""
        if self._pipe is None:
            self._pipe, theirs = self._context.Pipe()
            self._process = self._context.Process(target=_judge, args=(theirs, self._make))
            self._process.start()
            theirs.close()
            assert self._pipe.recv() == "ready"
        try:
            self._pipe.send((reader, str(path)))
            if self._pipe.poll(self._limit_s):
                verdict = Verdict(*self._pipe.recv())
                if verdict.kind == "bomb":  # its peak stays: the next is for a new process
                    self._end()
                return verdict
        except (EOFError, OSError):
            self._process.join(10)
            code = self._process.exitcode
            self._end()
            return Verdict("crash", f"exit code {code}")
        self._end()
        return Verdict("hang", f"over {self._limit_s} s")

    def _end(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
            self._process.kill()
            self._process.join()
        self._pipe = None


def _judge(pipe: Connection, make_readers: Callable[[], Mapping[str, Read]]) -> None:
    readers = make_readers()
    watch = Watch()
    pipe.send("ready")
    while True:
        try:
            name, path = pipe.recv()
        except EOFError:
            return
        pipe.send(_verdict(readers[name], Path(path), watch))


def _verdict(read: Read, path: Path, watch: Watch) -> tuple[str, str]:
    watch.begin()
    try:
        read(path)
        kind, told = "read", ""
    except (ValueError, OSError, ArithmeticError) as error:  # those that the command line tells
        # Where a file is one of a data set's, the set's folder names it.
        # So is a change of a grid, which stands by its name in the one file that was given.
        names = (path.name.split(".")[0], str(path.parent), "the base cannot be", "change '")
        is_named = any(name in str(error) for name in names)
        is_named |= isinstance(error, FileNotFoundError)  # a file that this one names
        kind = "refused" if is_named else "refused without a name"
        told = f"{type(error).__name__}: {error}"[:1500]
        if not is_named:
            told += "\n" + "".join(traceback.format_exc()[-1500:])
    except BaseException as error:
        kind, told = "leak", f"{type(error).__name__}: {traceback.format_exc()[-1500:]}"
    if watch.seen:
        return "misdeed", f"{watch.seen[:3]}"
    if watch.grown_bytes > MAX_GROWN_BYTES:
        return "bomb", f"{watch.grown_bytes >> 20} MiB"
    return kind, told


class Watch:
    """Sees what this process does, by Python's audit events, and how much memory it takes."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self._is_on = False
        self._allowed = tuple({tempfile.gettempdir(), "/dev/null", "/dev/shm/sem.", "/proc/self"})
        limits = (MAX_BYTES, MAX_BYTES)
        resource.setrlimit(resource.RLIMIT_AS, limits)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        self._before = _peak_bytes()
        sys.addaudithook(self._see)

    @property
    def grown_bytes(self) -> int:
        return _peak_bytes() - self._before

    def begin(self) -> None:
        self.seen.clear()
        self._is_on = True

    def _see(self, event: str, given: tuple[Any, ...]) -> None:
        if not self._is_on:
            return
        is_foreign_class = event == "pickle.find_class" and not _is_own(given)
        if is_foreign_class or (event in FORBIDDEN and not _is_systems(given)):
            self.seen.append((event, repr(given)[:200]))
        elif event == "open" and len(given) == 3:
            path, mode, flags = given
            is_writing = (isinstance(mode, str) and any(c in mode for c in "wax+")) or (
                isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            )
            if is_writing and isinstance(path, str) and not path.startswith(self._allowed):
                self.seen.append((event, path, mode))


def _is_systems(given: tuple[Any, ...]) -> bool:
    # A decoding process that is started anew, and ctypes' search for a library.
    told = repr(given)
    return "/pymp-" in told or "ldconfig" in told


def _is_own(given: tuple[Any, ...]) -> bool:
    # What a decoding process tells its parent: no file's word.
    return str(given[0]).startswith("emotemporal.video")


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
