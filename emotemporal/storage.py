"""Files that survive a kill: written beside their target, synced, then renamed."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self


def write_atomically(path: Path, data: bytes) -> None:
    """Put `data` under `path`, so that the name holds either the old bytes or all of the new.

    The temporary file and the folder are both synced: after this returns, a power cut keeps it.

    Raises:
        OSError: The disk is full, the folder read-only; nothing stands under the new name then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    part = Path(name)
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
    _sync_folder(path.parent)


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
    lines = path.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, start=1):
        # A row is written with its line's end, so a kill in mid-write leaves at most a half row
        # without one, behind the last.
        is_cut_short = number == len(lines)
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            if is_cut_short:
                break
            raise ValueError(f"{path}, line {number} is not JSON ({error}); remove it") from error
        if not isinstance(row, dict):
            raise ValueError(f"{path}, line {number} is not a row but {row!r}")
        rows.append(row)
    return rows
