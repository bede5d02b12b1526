"""Load, check and write configs, and the run folders that belong to one config each."""

from __future__ import annotations

import dataclasses
import difflib
import json
import subprocess
from argparse import ArgumentError
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import yaml
from filelock import FileLock, Timeout
from jsonargparse import ArgumentParser, set_parsing_settings

from emotemporal.storage import digest, write_atomically, write_json

Config = TypeVar("Config")
_FOLDER_FILE = "run.json"


class ConfigError(ValueError):
    """A config that cannot be used; the command line shows it without a stack trace."""


class InterruptedJob(Exception):  # noqa: N818 (not an error: the state is saved)
    """A job was asked to stop and saved its state; the same command goes on from there."""

    EXIT_CODE = 75
    """EX_TEMPFAIL of sysexits.h: try again."""


class RunFolderError(ValueError):
    """A run folder that belongs to another config, or to another process just now."""


def build_parser(kind: type[Any], prog: str) -> ArgumentParser:
    """Return the command line of a job: one option a field of its config dataclass."""
    set_parsing_settings(docstring_parse_attribute_docstrings=True)
    parser = ArgumentParser(prog=prog, exit_on_error=False, description=_first_line(kind))
    parser.add_argument("--config", action="config", help="a YAML file of these options")
    parser.add_class_arguments(kind)
    return parser


def parse_config(kind: type[Config], arguments: Sequence[str], prog: str) -> Config:
    """Build a job's config from `--config FILE` and single options, the later winning.

    Raises:
        ConfigError: An option or a field is unknown, or a value is refused.
    """
    parser = build_parser(kind, prog)
    try:
        values = parser.instantiate(parser.parse_args(list(arguments)))
        return kind(**{field.name: values[field.name] for field in _fields(kind)})
    except (ArgumentError, ValueError, TypeError) as error:
        raise ConfigError(_explain(error, kind, prog)) from error


def to_plain(config: object) -> dict[str, Any]:
    """Return a config as dictionaries, lists, strings and numbers, as JSON and YAML hold them."""
    assert dataclasses.is_dataclass(config)
    assert not isinstance(config, type)
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return plain


def to_yaml(config: object) -> str:
    """Return a config as YAML that `--config` reads again."""
    return yaml.safe_dump(to_plain(config), sort_keys=False)


def config_digest(value: object) -> str:
    """Return a short digest of a plain value: equal for equal content, whatever its key order."""
    return digest(json.dumps(value, sort_keys=True).encode())[:16]


def git_commit() -> str:
    """Return the commit of the code that runs: `+changes` if edited, `unknown` outside git."""
    # An installed copy may lie inside somebody else's repository, whose commit is not ours:
    # --error-unmatch fails there.
    git = ["git", "-C", str(Path(__file__).parent)]
    commands = (
        [*git, "ls-files", "--error-unmatch", "config.py"],
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

    def __init__(self, path: Path, job: str, identity: Mapping[str, Any]) -> None:
        """Name the folder, the job and what identifies its result (not devices or workers)."""
        self.path = path
        self._identity = {"job": job, "config": dict(identity)}
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
            write_json(file, self._identity)
            text = yaml.safe_dump(self._identity["config"], sort_keys=False)
            write_atomically(self.path / "config.yaml", text.encode())
            return
        found = json.loads(file.read_text(encoding="utf-8"))
        mine = json.loads(json.dumps(self._identity))
        differing = differences(found, mine)
        if differing:
            raise RunFolderError(
                f"{self.path} holds a run of another config:\n  "
                + "\n  ".join(differing)
                + "\nUse another --out, or remove that folder."
            )


def differences(found: Mapping[str, Any], wanted: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return one line a field in which two nested configs differ: name, there, here."""
    lines = []
    for key in sorted({*found, *wanted}):
        there, here = found.get(key), wanted.get(key)
        if isinstance(there, dict) and isinstance(here, dict):
            lines += differences(there, here, f"{prefix}{key}.")
        elif there != here:
            lines.append(f"{prefix}{key}: there {there!r}, here {here!r}")
    return lines


def _fields(kind: type[Any]) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(kind)


def _first_line(kind: type[Any]) -> str:
    return (kind.__doc__ or "").strip().split("\n\n")[0]


def _explain(error: Exception, kind: type[Any], prog: str) -> str:
    message = str(error).strip()
    names = _option_names(kind)
    unknown = [word.strip("'\"-:,.") for word in message.split()]
    near = {m for word in unknown for m in difflib.get_close_matches(word, names, n=2, cutoff=0.75)}
    if "unrecognized" in message or "not accepted" in message:
        hint = f"did you mean {', '.join(sorted(near))}? " if near else ""
        return f"{message}\n{hint}Fields are: {', '.join(names)}"
    return f"{message}\nSee '{prog} --help'."


def _option_names(kind: type[Any], prefix: str = "") -> list[str]:
    names = []
    for field in _fields(kind):
        default = field.default
        if default is dataclasses.MISSING and field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        if dataclasses.is_dataclass(default) and not isinstance(default, type):
            names += _option_names(type(default), f"{prefix}{field.name}.")
        else:
            names.append(f"{prefix}{field.name}")
    return names
