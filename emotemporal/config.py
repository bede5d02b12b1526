"""Load, check and write configs, and the run folders that belong to one config each."""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
import subprocess
from argparse import ArgumentError
from collections.abc import Mapping, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, get_type_hints

import yaml
from filelock import FileLock, Timeout
from jsonargparse import ArgumentParser, Namespace, set_parsing_settings

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
    set_parsing_settings(
        docstring_parse_attribute_docstrings=True,
        # A class path in somebody else's file would import, and so run, what it names.
        import_path_denylist=["*"],
        import_path_allowlist=[kind.__module__.partition(".")[0]],
    )
    parser = ArgumentParser(
        prog=prog,
        exit_on_error=False,
        description=_first_line(kind),
        allow_abbrev=False,  # a mistyped option is refused, not guessed
    )
    parser.add_argument("--config", action="config", help="a YAML file of these options")
    parser.add_class_arguments(kind)
    return parser


def parse_config(kind: type[Config], arguments: Sequence[str], prog: str) -> Config:
    """Build a job's config from `--config FILE` and single options, the later winning.

    A file that is not there is looked for among the shipped ones: `--config
    configs/runs/students_baseline.yaml` works without a checkout, too.

    Raises:
        ConfigError: An option or a field is unknown, or a value is refused.
    """
    parser = build_parser(kind, prog)
    try:
        parsed = parser.parse_args(_find_shipped(arguments))
        _refuse_single_values(parsed, kind)
        values = parser.instantiate(parsed)
        return kind(**{name: values[name] for name in _names(kind)})
    except (ArgumentError, ValueError, TypeError) as error:
        raise ConfigError(_explain(error, kind, prog)) from error


def _find_shipped(arguments: Sequence[str]) -> list[str]:
    found = list(arguments)
    for i, word in enumerate(found[1:], start=1):
        if found[i - 1] != "--config" or Path(word).exists():
            continue
        with as_file(files("emotemporal.configs")) as folder:
            shipped = folder / word.removeprefix("configs/")
        if shipped.is_file():
            found[i] = str(shipped)
    return found


def to_plain(config: object) -> dict[str, Any]:
    """Return a config as dictionaries, lists, strings and numbers, as JSON and YAML hold them."""
    assert dataclasses.is_dataclass(config)
    assert not isinstance(config, type)
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return plain


def to_yaml(config: object) -> str:
    """Return a config as YAML that `--config` reads again."""
    return _dump(to_plain(config))


class _Dumper(yaml.SafeDumper):
    """Quotes text such as 1e3 too: PyYAML takes it for text, jsonargparse reads a number."""


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d[\d_]*[eE][-+]?\d+$"), list("-+0123456789")
)


def _dump(plain: Mapping[str, Any]) -> str:
    return yaml.dump(plain, Dumper=_Dumper, sort_keys=False)


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

    def __init__(
        self, path: Path, job: str, identity: Mapping[str, Any], config: object | None = None
    ) -> None:
        """Name the folder, the job and what identifies its result (not devices or workers).

        `config.yaml` holds the whole `config`, for `--config` to read; without one, the identity.
        """
        self.path = path
        self._text = _dump(identity) if config is None else to_yaml(config)
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
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise RunFolderError(f"{file} is not a run's ({error}); use another --out") from error


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


def _first_line(kind: type[Any]) -> str:
    return (kind.__doc__ or "").strip().split("\n\n")[0]


def _refuse_single_values(parsed: Namespace, kind: type[Any]) -> None:
    """Refuse `optim: 3` where `optim` has fields of its own: jsonargparse lets it through."""
    for name, group in _groups(kind).items():
        if not isinstance(parsed[name], Namespace):
            names = ", ".join(_option_names(group, f"{name}."))
            raise ValueError(f"{name} is {parsed[name]!r}; it has fields of its own: {names}")


def _explain(error: Exception, kind: type[Any], prog: str) -> str:
    message = str(error).strip()
    unknown = _unknown_names(message)
    if not unknown:
        return f"{message}\nSee '{prog} --help'."
    names = _option_names(kind)
    near = sorted({name for word in unknown for name in _near(word, names)})
    hint = f"did you mean {', '.join(near)}? " if near else ""
    return f"{message}\n{hint}Fields are: {', '.join(names)}"


def _unknown_names(message: str) -> list[str]:
    """Return the names that jsonargparse did not know, by how it words that."""
    if "unrecognized arguments" in message:
        return re.findall(r"--([\w.]+)", message)
    in_group = re.findall(r"Group '([\w.]+)' does not accept option '([\w.]+)'", message)
    return re.findall(r"Option '([\w.]+)' is not accepted", message) + list(map(".".join, in_group))


def _near(word: str, names: Sequence[str]) -> list[str]:
    """Return the names like `word`, whole or in their last part."""
    last = {name: name.rpartition(".")[2] for name in names}
    near = difflib.get_close_matches(word.rpartition(".")[2], {*last.values()}, cutoff=0.75)
    whole = difflib.get_close_matches(word, names, n=2, cutoff=0.75)
    return whole or [name for name in names if last[name] in near]


def _names(kind: type[Any]) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


def _groups(kind: type[Any]) -> dict[str, type[Any]]:
    """Return the fields that are config dataclasses themselves."""
    hints = get_type_hints(kind)
    return {name: hints[name] for name in _names(kind) if dataclasses.is_dataclass(hints[name])}


def _option_names(kind: type[Any], prefix: str = "") -> list[str]:
    groups = _groups(kind)
    names = []
    for name in _names(kind):
        group = groups.get(name)
        names += _option_names(group, f"{prefix}{name}.") if group else [prefix + name]
    return names
