"""Files that survive a kill: written beside their target, synced, then renamed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from emotemporal.reading import read_text

# Eight characters are mkstemp's; libraries choose a format by the suffix, so it stays the last.
_PART_PREFIX = ".emotemporal."
_PART_NAME = re.compile(r"\.emotemporal\..+\.[a-z0-9_]{8}\.part(\.\w+)?$")


def write_atomically(path: Path, data: bytes) -> None:
    """Put `data` under `path`, so that the name holds either the old bytes or all of the new.

    The temporary file and the folder are both synced: after this returns, a power cut keeps it.

    Raises:
        OSError: The disk is full, the folder read-only; nothing stands under the new name then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part, held = _make_part(path, f"{_PART_PREFIX}{path.name}.", ".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(0o644)  # mkstemp gives 0600; others may read a result
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    finally:
        _let_go(held)
    _sync_folder(path.parent)


class PartFile:
    """A file that a library writes by name, beside its target, until it is known to be whole.

    Raises:
        OSError: The folder is not there, read-only or full.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        handle, self.path, self._held = _make_part(
            target, f"{_PART_PREFIX}{target.stem}.", f".part{target.suffix}"
        )
        os.close(handle)

    def keep(self) -> None:
        """Sync what was written and give it its name; nothing stands under it if that fails."""
        try:
            with self.path.open("rb+") as file:
                os.fsync(file.fileno())
            self.path.chmod(0o644)
            self.path.replace(self.target)
        except BaseException:
            self.drop()
            raise
        _let_go(self._held)
        _sync_folder(self.target.parent)

    def drop(self) -> None:
        """Remove what was written."""
        self.path.unlink(missing_ok=True)
        _let_go(self._held)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a name for a library to write under; left well, what it wrote is `path`'s new content.

    Raises:
        OSError: As of `write_atomically`; what was under the name before is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = PartFile(path)
    try:
        yield part.path
    except BaseException:
        part.drop()
        raise
    part.keep()


def _make_part(target: Path, prefix: str, suffix: str) -> tuple[int, Path, list[int]]:
    """Open a new file beside `target`, marked as in use while this process lives and holds it."""
    _remove_leftovers(target.parent)
    while True:
        try:
            handle, name = tempfile.mkstemp(dir=target.parent, prefix=prefix, suffix=suffix)
        except OSError as error:  # by the name that was asked for, not by the part's
            raise OSError(error.errno, error.strerror, str(target)) from error
        held = [os.dup(handle)] if _lock(handle) else []
        if os.fstat(handle).st_nlink:
            return handle, Path(name), held
        # Taken for a leftover in the moment before it was marked.
        os.close(handle)
        _let_go(held)


@lru_cache(maxsize=256)
def _remove_leftovers(folder: Path) -> None:
    """Remove what killed writers left in a folder; once a process, before its first write there."""
    with os.scandir(folder) as entries:
        found = [Path(entry) for entry in entries if _PART_NAME.match(entry.name)]
    for part in found:
        # Gone already, or another user's: not ours to remove.
        with contextlib.suppress(OSError), part.open("rb+") as file:
            if _lock(file.fileno()):
                part.unlink()


def _lock(handle: int) -> bool:
    """Mark an open file as in use; False where somebody else has, or no mark can be made.

    The kernel takes the mark off when its process dies, however that happens.
    """
    try:
        import fcntl
    except ImportError:  # Windows has no such mark; leftovers stay there
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _let_go(held: list[int]) -> None:
    while held:
        os.close(held.pop())


def write_json(path: Path, value: object) -> None:
    """Write `value` as indented JSON, atomically."""
    write_atomically(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def digest(data: bytes) -> str:
    """Return the SHA-256 of `data` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open a folder; its rename is journalled
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class JsonlLog:
    """A log of rows, each on disk before `append` returns. A context manager.

    Rows carry an integer `step`. A run that resumes at step `n` cuts the log back to the rows up
    to `n` first, so a killed run leaves no row twice and no half row.

    Raises:
        ValueError: A row is not JSON or has no step: the file was edited or is another's. Of a
            last row that a kill cut short, nothing is said.
    """

    def __init__(self, path: Path, keep_up_to_step: int) -> None:
        kept = [row for row in _read_rows(path) if _step_of(row, path) <= keep_up_to_step]
        write_atomically(path, "".join(json.dumps(row) + "\n" for row in kept).encode())
        self._file = path.open("a", encoding="utf-8")

    def append(self, row: Mapping[str, Any]) -> None:
        """Write one row and sync it."""
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def _step_of(row: Mapping[str, Any], path: Path) -> int:
    if isinstance(row.get("step"), int):
        return int(row["step"])
    raise ValueError(f"{path} is not a log of rows with a step: it holds {row!r}")


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a JSONL file; none where there is no file."""
    return _read_rows(path)


def _read_rows(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    rows = []
    # Not splitlines(): it would also split at what Unicode calls a line's end.
    lines = read_text(path).split("\n")
    for number, line in enumerate(lines, start=1):
        # A row is written with its line's end, so a kill in mid-write leaves at most a half row
        # without one, behind the last.
        is_cut_short = number == len(lines)
        try:
            row = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            if is_cut_short:
                break
            raise ValueError(f"{path}, line {number} is not JSON ({error}); remove it") from error
        if not isinstance(row, dict):
            raise ValueError(f"{path}, line {number} is not a row but {row!r}")
        rows.append(row)
    return rows
