"""A folder or file that is drawn once: run twice it is left alone, run otherwise it is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

DRAWING_VERSION = 1
"""Goes up whenever the same config draws other pictures, so that no set is half old, half new."""


def claim(record: Path, config: DataclassInstance, holds_others: bool) -> bool:
    """Say whether something is still to be drawn, and note that it is being drawn.

    Args:
        record: JSON file that `finish` writes last, beside or in what is drawn.
        config: What is to be drawn.
        holds_others: Whether there are already files where this one would draw.

    Returns:
        False when the very same has been drawn to the end before.

    Raises:
        FileExistsError: Another config was drawn here, or the files here are not ours.
    """
    wanted = _describe(config)
    for path in (record, _unfinished(record)):
        if not path.exists():
            continue
        found = json.loads(path.read_text(encoding="utf-8"))
        if found != wanted:
            raise FileExistsError(
                f"{record.parent} holds a synthetic set of another config "
                f"({_differences(found, wanted)}). "
                "Delete it, or draw into another folder."
            )
        return path != record
    if holds_others:
        raise FileExistsError(
            f"{record.parent} holds files that were not drawn by emotemporal (no {record.name}). "
            "Draw into an empty folder."
        )
    record.parent.mkdir(parents=True, exist_ok=True)
    write_text(_unfinished(record), _dump(wanted))
    return True


def finish(record: Path, config: DataclassInstance) -> None:
    """Note that all is drawn."""
    write_text(record, _dump(_describe(config)))
    _unfinished(record).unlink()


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content)
    partial.replace(path)


def _unfinished(record: Path) -> Path:
    return record.with_name(f"{record.stem}.unfinished{record.suffix}")


def _describe(config: DataclassInstance) -> dict[str, Any]:
    plain = json.loads(json.dumps(asdict(config)))
    return {"kind": type(config).__name__, "drawing_version": DRAWING_VERSION, "config": plain}


def _dump(description: Mapping[str, Any]) -> str:
    return json.dumps(description, indent=2) + "\n"


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    before = {**found, **found.get("config", {})}
    after = {**wanted, **wanted["config"]}
    keys = [
        k
        for k in sorted(set(before) | set(after))
        if k != "config" and before.get(k) != after.get(k)
    ]
    return ", ".join(f"{key} is {before.get(key)!r}, not {after.get(key)!r}" for key in keys)
