"""Where a checkpoint comes from, told to others: without the paths of the machine it is from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath
from typing import Any

from emotemporal.models.meta import CheckpointMeta


def without_paths(meta: CheckpointMeta) -> CheckpointMeta:
    """Return the description with only the last part of each absolute path in its origin."""
    config = {name: _shorten(value) for name, value in meta.origin.config.items()}
    return replace(meta, origin=replace(meta.origin, config=config))


def _shorten(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shorten(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_shorten(inner) for inner in value]
    if isinstance(value, str) and PurePath(value).is_absolute():
        return PurePath(value).name
    return value
