"""Run folders that belong to one config each, and the commit that a result comes from (law 8)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from filelock import FileLock, Timeout

from emotemporal.config import differences, dump_yaml, to_yaml
from emotemporal.reading import UnreadableError, read_json_object
from emotemporal.storage import write_atomically, write_json

_FOLDER_FILE = "run.json"


class RunFolderError(ValueError):
    """A run folder that belongs to another config, or to another process just now."""


def git_commit() -> str:
    """Return the commit of the code that runs: `+changes` if edited, `unknown` outside git."""
    # An installed copy may lie inside somebody else's repository, whose commit is not ours:
    # --error-unmatch fails there.
    git = ["git", "-C", str(Path(__file__).parent)]
    commands = (
        [*git, "ls-files", "--error-unmatch", "run_folder.py"],
        [*git, "rev-parse", "--short=12", "HEAD"],
        [*git, "status", "--porcelain", "--untracked-files=no"],
    )
    try:
        _, commit, changes = (
            subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
            for command in commands
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{commit}+changes" if changes else commit


class RunFolder:
    """A folder that belongs to one config. A context manager that locks it.

    The same config resumes what is there; another is refused with the fields that differ; two
    processes at once are locked out.

    Raises:
        RunFolderError: On entering, for the reasons above.
    """

    def __init__(
        self, path: Path, job: str, identity: Mapping[str, Any], config: object | None = None
    ) -> None:
        """Name the folder, the job and what identifies its result (not devices or workers).

        `config.yaml` holds the whole `config`, for `--config` to read; without one, the identity.
        """
        self.path = path
        self._text = dump_yaml(identity) if config is None else to_yaml(config)
        self._identity: dict[str, Any] = {"job": job, "config": dict(identity)}
        self._lock = FileLock(path / ".lock", timeout=0)

    def __enter__(self) -> Self:
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout:
            raise RunFolderError(
                f"{self.path} is in use by another process. Wait for it, or use another --out."
            ) from None
        try:
            self._claim()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()

    def _claim(self) -> None:
        file = self.path / _FOLDER_FILE
        if not file.exists():
            # run.json last: it is what claims, and a kill between the two must leave neither out.
            write_atomically(self.path / "config.yaml", self._text.encode())
            write_json(file, self._identity)
            return
        found = _read_identity(file)
        mine = json.loads(json.dumps(self._identity))
        differing = differences(found, mine)
        if differing:
            raise RunFolderError(
                f"{self.path} holds a run of another config:\n  "
                + "\n  ".join(differing)
                + "\nUse another --out, or remove that folder."
            )


def _read_identity(file: Path) -> dict[str, Any]:
    try:
        return read_json_object(file)
    except UnreadableError as error:
        raise RunFolderError(f"{file} is not a run's ({error}); use another --out") from error
