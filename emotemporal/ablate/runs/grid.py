"""A grid: named changes against a base, as its YAML file says them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from emotemporal.config import ConfigError, find_config, load_yaml
from emotemporal.reading import read_text

Job = Literal["pretrain", "finetune", "crossval", "compare"]
OWN = ("out", "seed", "run.out", "run.tracking.group", "run.tracking.tags", "tracking.group")
"""Options that the study sets for each run."""
BASE = "base"
"""The name under which the base stands among the changes."""


@dataclass(frozen=True)
class Grid:
    """What a study trains and judges. Options are nested mappings, not yet checked by the job."""

    name: str
    """Of the study: the file's, without its ending."""
    job: Job
    base: Mapping[str, Any]
    changes: Mapping[str, Mapping[str, Any]]
    """Name -> the options in which it differs from the base."""
    seeds: tuple[int, ...] = (0,)
    evaluate: Mapping[str, Mapping[str, Any]] | None = None
    """Name -> options of `evaluate`, done with each finished checkpoint; the first is primary."""
    question: str = ""
    """What the study answers, in one sentence."""
    note: str = ""
    """Printed at the head of every output."""

    def __post_init__(self) -> None:
        if self.job not in get_args(Job):
            raise ConfigError(f"job is {self.job!r}; it can be {', '.join(get_args(Job))}")
        if not self.changes:
            raise ConfigError("there are no changes; name one at least, to hold against the base")
        if not self.seeds or len({*self.seeds}) < len(self.seeds):
            raise ConfigError(f"seeds are {list(self.seeds)}; name one at least, each once")
        if self.evaluate and self.job in ("compare", "crossval"):
            raise ConfigError(f"evaluate is for checkpoints; {self.job} judges its own clips")
        names = [BASE, *self.changes]
        folders = [folder_name(name) for name in names]
        for name, folder in zip(names, folders, strict=True):
            if not folder or folders.count(folder) > 1:
                raise ConfigError(
                    f"change {name!r} makes a folder {folder!r}, which is empty or another's; "
                    f"{BASE!r} and each change need names that differ in letters or digits"
                )

    def options_of(self, change: str) -> dict[str, Any]:
        """Return all options of the base, or of a change on top of it."""
        return merge(self.base, {} if change == BASE else self.changes[change])


def folder_name(change: str) -> str:
    """Return a change's name as a folder can carry it: `low light` as `low_light`."""
    return re.sub(r"[^0-9a-z.]+", "_", change.lower()).strip("_.")


def read_grid(name: str, overrides: Sequence[str] = ()) -> Grid:
    """Read a grid's YAML file, or the shipped one of that name.

    Options may be nested or dotted (`optim.epochs: 3`). `base` is such a mapping, the name of a
    config file, or a mapping that starts from one with `config: FILE`; where that one's run went
    and its seed are left out.

    Args:
        name: The file.
        overrides: `name=value`, dotted from the grid's top: `base.optim.epochs=3`.

    Raises:
        FileNotFoundError: The file, or the base's, is not there.
        ConfigError: A field is unknown or missing, or a value is refused.
    """
    path = find_config(name)
    values = _as_mapping(_read(path), str(path))
    if isinstance(values.get("base"), str):
        values["base"] = {"config": values["base"]}
    for text in overrides:
        values = merge(values, _override(text))
    values["base"] = _base(values.get("base"), path)
    known = {field.name for field in fields(Grid)}
    if unknown := sorted(map(str, {*values} - known)):
        raise ConfigError(
            f"{path} has {', '.join(unknown)}, which a grid does not; "
            f"it has {', '.join(sorted(known))}"
        )
    for needed in ("job", "changes"):
        if needed not in values:
            raise ConfigError(f"{path} has no {needed}, which a grid needs")
    return _build(path, values)


def _build(path: Path, values: Mapping[str, Any]) -> Grid:
    try:
        return Grid(
            name=str(values.get("name", path.stem)),
            job=values["job"],
            base=values["base"],
            changes=_named(values["changes"], "changes"),
            seeds=tuple(int(seed) for seed in values.get("seeds", [0])),
            evaluate=_named(values.get("evaluate") or {}, "evaluate"),
            question=str(values.get("question", "")).strip(),
            note=str(values.get("note", "")).strip(),
        )
    except (ConfigError, TypeError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from error


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with the values of `changes`, group by group."""
    merged = dict(base)
    for key, value in changes.items():
        there = merged.get(key)
        is_group = isinstance(value, Mapping) and isinstance(there, Mapping)
        merged[key] = merge(there, value) if is_group else value  # type: ignore[arg-type]
    return merged


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Write dotted names as mappings in mappings."""
    nested: dict[str, Any] = {}
    for key, value in values.items():
        inner = _nested(value) if isinstance(value, Mapping) else value
        for part in reversed(str(key).split(".")):
            inner = {part: inner}
        nested = merge(nested, inner)
    return nested


def _named(values: object, what: str) -> dict[str, dict[str, Any]]:
    """Return name -> options; a name may hold dots, an option's dots are groups."""
    named = _as_mapping(values, what)
    return {
        str(name): _nested(_as_mapping(options, f"{what}, {name}"))
        for name, options in named.items()
    }


def _base(value: object, path: Path) -> dict[str, Any]:
    nested = _nested(_as_mapping(value, "base"))
    if (config := nested.pop("config", None)) is None:
        return nested
    beside = path.parent / str(config)
    file = beside if beside.is_file() else find_config(str(config))
    # A config file says where its own run goes; here that is the study's to say.
    return merge(_without(_nested(_as_mapping(_read(file), str(file))), OWN), nested)


def _without(options: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Leave out the options of these dotted names."""
    kept = {}
    for key, value in options.items():
        inner = [name.removeprefix(f"{key}.") for name in names if name.startswith(f"{key}.")]
        if key not in names:
            kept[key] = _without(value, inner) if isinstance(value, Mapping) else value
    return kept


def _override(text: str) -> dict[str, Any]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ConfigError(f"--set {text}: write name=value, such as base.optim.epochs=3")
    return _nested({name: load_yaml(value, f"--set {text}")})


def _read(path: Path) -> object:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there; name a YAML file, or a shipped one")
    return load_yaml(read_text(path), str(path))


def _as_mapping(value: object, what: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigError(f"{what} is {value!r}; it must be a mapping of names to values")
    return dict(value)
