"""Text, JSON and CSV from files that anybody may have written: read, or refused by name."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

MAX_TEXT_BYTES = 1 << 28
"""Far above any real config, card or note: a wrong file must not fill the memory."""
MAX_YAML_VALUES, MAX_YAML_DEPTH = 100_000, 50
"""The same, of a YAML file with its aliases written out."""


class UnreadableError(ValueError):
    """A file does not hold what it should; the message names it."""


def read_text(path: Path) -> str:
    """Read a text file, whole.

    Raises:
        OSError: It is not there, or may not be read.
        UnreadableError: It is not text, or larger than `MAX_TEXT_BYTES`.
    """
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise UnreadableError(f"{path} is larger than {MAX_TEXT_BYTES >> 20} MB: a wrong file?")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableError(f"{path} is not text in UTF-8 ({error})") from error


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        OSError: It is not there, or may not be read.
        UnreadableError: It is not JSON, or nests deeper than anything real.
    """
    try:
        return json.loads(read_text(path))
    except (json.JSONDecodeError, RecursionError) as error:
        raise UnreadableError(f"{path} is not JSON that can be read ({error})") from error


def read_json_object(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds names and values.

    Raises:
        OSError: It is not there, or may not be read.
        UnreadableError: It is no such file.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise UnreadableError(f"{path} holds {str(value)[:60]!r}, not names and values")
    return value


def read_rows(path: Path, errors: str = "strict") -> Iterator[tuple[int, list[str]]]:
    """Give the rows of a CSV with their numbers, from 1; empty lines are left out.

    Args:
        path: In UTF-8, with or without a byte-order mark.
        errors: What to do about other bytes; `replace` puts a mark in their place.

    Raises:
        OSError: It is not there, or may not be read.
        UnreadableError: It is no CSV.
    """
    number = 0
    with path.open(newline="", encoding="utf-8-sig", errors=errors) as lines:
        try:
            for number, cells in enumerate(csv.reader(lines), 1):
                if cells:
                    yield number, cells
        except (csv.Error, UnicodeDecodeError) as error:
            raise UnreadableError(
                f"{path}, after row {number}: not a CSV in UTF-8 ({error})"
            ) from error


def read_loose_table(path: Path) -> tuple[list[str], list[tuple[int, dict[Any, Any]]]]:
    """Read a CSV whose first row names its columns, whatever the length of the others.

    A cell that a row lacks is None; what it has too many stands under None, as `csv.DictReader`
    has it.

    Raises:
        OSError: It is not there, or may not be read.
        UnreadableError: It is no CSV.
    """
    rows = list(read_rows(path))
    columns = rows[0][1] if rows else []
    told = []
    for number, cells in rows[1:]:
        row: dict[Any, Any] = dict(zip_longest(columns, cells[: len(columns)]))
        if len(cells) > len(columns):
            row[None] = cells[len(columns) :]
        told.append((number, row))
    return columns, told


def read_table(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Read a CSV whose first row names its columns: the names, and numbered rows.

    Raises:
        OSError: It is not there, or may not be read.
        UnreadableError: It is no CSV, names a column twice, or has a row of more or fewer cells.
    """
    rows = list(read_rows(path))
    columns = rows[0][1] if rows else []
    if twice := {name for name in columns if columns.count(name) > 1}:
        raise UnreadableError(f"{path} names {', '.join(sorted(twice))} twice in its first row")
    for number, cells in rows[1:]:
        if len(cells) != len(columns):
            raise UnreadableError(
                f"{path}, row {number} has {len(cells)} cells, the first {len(columns)}; it is "
                "cut off, or a comma stands in a cell without quotes"
            )
    return columns, [(number, dict(zip(columns, cells, strict=True))) for number, cells in rows[1:]]


def refuse_large_yaml(text: str) -> None:
    """Refuse YAML that would be larger, written out, or nest deeper than any real config.

    An alias stands for all that its anchor holds: a few lines of aliases of aliases stand for more
    than a memory takes. Looked at piece by piece, before anything is built.

    Raises:
        UnreadableError: It would be; or an alias stands within its own anchor.
        yaml.YAMLError: It is no YAML.
    """
    import yaml

    sizes: dict[str | None, int] = {}
    opened: list[_Opened] = [_Opened(None)]
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            opened.append(_Opened(event.anchor))
        elif isinstance(event, yaml.CollectionEndEvent):
            ended = opened.pop()
            sizes[ended.anchor] = ended.size
            opened[-1].size += ended.size
        elif isinstance(event, yaml.AliasEvent):
            opened[-1].size += sizes.get(event.anchor, 1)
            if event.anchor in {one.anchor for one in opened}:
                raise UnreadableError(f"alias *{event.anchor} stands within its own anchor")
        else:
            opened[-1].size += 1
        if opened[-1].size > MAX_YAML_VALUES or len(opened) > MAX_YAML_DEPTH:
            raise UnreadableError(
                f"it has more than {MAX_YAML_VALUES} values or {MAX_YAML_DEPTH} levels, written out"
            )


@dataclass
class _Opened:
    """A list or mapping that is not at its end yet."""

    anchor: str | None
    size: int = 1
