"""Load, check and write configs. What is in them is for the jobs to say."""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
from argparse import ArgumentError
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.resources import as_file, files
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar, get_type_hints

import yaml
from jsonargparse import ArgumentParser, Namespace, set_parsing_settings

from emotemporal.option_help import OptionHelp, explain
from emotemporal.reading import read_text, refuse_large_yaml
from emotemporal.storage import digest

Config = TypeVar("Config")


class ConfigError(ValueError):
    """A config that cannot be used; the command line shows it without a stack trace."""


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
        usage=f"{prog} [--config FILE.yaml] [--option value ...]",
        formatter_class=OptionHelp,
        allow_abbrev=False,  # a mistyped option is refused, not guessed
    )
    parser.add_argument("--config", action="config", help="A YAML file of these options.")
    parser.add_class_arguments(kind)
    return parser


def parse_config(kind: type[Config], arguments: Sequence[str], prog: str) -> Config:
    """Build a job's config from `--config FILE` and single options, the later winning.

    A file that is not there is looked for among the shipped ones: `--config
    configs/runs/students_baseline.yaml` works without a checkout, too.

    Raises:
        ConfigError: An option or a field is unknown, or a value is refused.
    """
    words = _find_shipped(arguments)
    files = [word for before, word in pairwise(words) if before == "--config"]
    for file in files:
        _refuse_no_config(Path(file), prog)
    try:
        return _parse(kind, words, prog)
    except ConfigError as error:
        if not files:
            raise
        raise ConfigError(f"{error}\n(options of {', '.join(files)} among them)") from error


def _parse(kind: type[Config], words: Sequence[str], prog: str) -> Config:
    parser = build_parser(kind, prog)
    try:
        parsed = parser.parse_args(words)
        _refuse_single_values(parsed, kind)
        values = parser.instantiate(parsed)
        return kind(**{name: values[name] for name in _names(kind)})
    except (ArgumentError, ValueError, TypeError, RecursionError) as error:
        raise ConfigError(explain(error, prog, _option_names(kind))) from error


def _refuse_no_config(file: Path, prog: str) -> None:
    if not file.is_file():
        raise ConfigError(f"{file} is not there; {_near_shipped(file)}.\nSee '{prog} --help'.")
    found = load_yaml(read_text(file), str(file))
    if not isinstance(found, dict):
        raise ConfigError(f"{file} is no config: it holds no fields, such as 'seed: 1'")


def _near_shipped(file: Path) -> str:
    """Say which shipped configs have a name like a file's, or where all of them are."""
    with as_file(files("emotemporal.configs")) as folder:
        shipped = {path.name: path.parent.name for path in sorted(folder.glob("*/*.yaml"))}
    near = difflib.get_close_matches(file.name, shipped)
    told = ", ".join(f"configs/{shipped[name]}/{name}" for name in near)
    return f"shipped with a name like it: {told}" if near else "shipped ones are in configs/"


def _find_shipped(arguments: Sequence[str]) -> list[str]:
    words: list[str] = []
    for word in arguments:
        name, equals, file = word.partition("=")
        words += [name, file] if equals and name == "--config" else [word]
    return [
        str(find_config(word)) if before == "--config" else word
        for before, word in pairwise(["", *words])
    ]


def find_config(name: str) -> Path:
    """Return the file of that name; if there is none, the shipped one; if none ships, the name."""
    path = Path(name)
    if not path.exists():
        with as_file(files("emotemporal.configs")) as folder:
            shipped = folder / name.removeprefix("configs/")
        if shipped.is_file():
            return shipped
    return path


def parse_plain(kind: type[Config], plain: Mapping[str, Any], prog: str) -> Config:
    """Build a job's config from plain values, as from a YAML file that holds them.

    Raises:
        ConfigError: A field is unknown, or a value is refused.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / "config.yaml"
        file.write_text(dump_yaml(plain), encoding="utf-8")
        return _parse(kind, ["--config", str(file)], prog)


def to_plain(config: object) -> dict[str, Any]:
    """Return a config as dictionaries, lists, strings and numbers, as JSON and YAML hold them."""
    assert dataclasses.is_dataclass(config)
    assert not isinstance(config, type)
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return plain


def to_yaml(config: object) -> str:
    """Return a config as YAML that `--config` reads again."""
    return dump_yaml(to_plain(config))


class _Dumper(yaml.SafeDumper):
    """Quotes text such as 1e3 too: PyYAML takes it for text, jsonargparse reads a number."""


class _Loader(yaml.SafeLoader):
    """Reads 1e3 as a number, as jsonargparse does, and refuses a name that stands twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        names = Counter(str(self.construct_object(key)) for key in keys)
        twice = sorted(name for name, count in names.items() if count > 1)
        if twice:
            raise ConfigError(f"{', '.join(twice)} stands twice,{node.start_mark}")
        return super().construct_mapping(node, deep)


for _kind in (_Dumper, _Loader):
    _kind.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"[-+]?\d[\d_]*[eE][-+]?\d+$"), list("-+0123456789")
    )


def dump_yaml(plain: Mapping[str, Any]) -> str:
    """Return plain values as YAML; text that looks like a number stays text."""
    return yaml.dump(plain, Dumper=_Dumper, sort_keys=False)


def load_yaml(text: str, name: str) -> Any:
    """Read YAML of plain values; `name` is for the message.

    Raises:
        ConfigError: It is no YAML, a name stands twice in one mapping, or it is larger, written
            out, than any real one: aliases of aliases grow without end.
    """
    try:
        refuse_large_yaml(text)
        loader = _Loader(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from error
    # Numbers and dates that are none are ValueErrors; keys that cannot be keys are TypeErrors.
    except (yaml.YAMLError, ValueError, TypeError, OverflowError) as error:
        raise ConfigError(f"{name} is no YAML of plain values: {error}") from error


def config_digest(value: object) -> str:
    """Return a short digest of a plain value: equal for equal content, whatever its key order."""
    return digest(json.dumps(value, sort_keys=True).encode())[:16]


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


def _refuse_single_values(parsed: Namespace, kind: type[Any]) -> None:
    """Refuse `optim: 3` where `optim` has fields of its own: jsonargparse lets it through."""
    for name, group in _groups(kind).items():
        if not isinstance(parsed[name], Namespace):
            names = ", ".join(_option_names(group, f"{name}."))
            raise ValueError(f"{name} is {parsed[name]!r}; it has fields of its own: {names}")


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
