"""Grids of trainings that take a second each, and a starter that needs no new process."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from threading import Event
from typing import Any

import yaml

from emotemporal.cli import main


def small_base(root: Path) -> dict[str, Any]:
    """A pretraining of one epoch on a few drawn faces."""
    return {
        "data": {"name": "affectnet", "root": str(root)},
        "validation_share": 0.2,
        "preprocess": {"size_px": 32},
        "crop": {"size_px": 32},
        "optim": {"epochs": 1, "batch_size": 16},
        "run": {"tracking": {"wandb": "off"}},
    }


def write_grid(path: Path, base: object, changes: Mapping[str, Any], **others: Any) -> Path:
    """Write a grid of `pretrain` as YAML."""
    grid = {"job": "pretrain", "base": base, "changes": dict(changes), **others}
    path.write_text(yaml.safe_dump(grid, sort_keys=False))
    return path


class Here:
    """Starts jobs in this process, and remembers which; a new process takes seconds to import."""

    def __init__(self, before: Callable[[str, str], int] = lambda command, name: 0) -> None:
        """Call `before` with the command and the plan's name; its code, if not 0, is the job's."""
        self.started: list[tuple[str, str]] = []
        self._before = before

    def __call__(self, command: str, config: Path, log: Path, stop: Event) -> int:
        self.started.append((command, config.stem))
        said = io.StringIO()
        code = self._before(command, config.stem)
        if code == 0:
            with redirect_stdout(said), redirect_stderr(said):
                code = main([command, "--config", str(config)])
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a") as file:
            file.write(said.getvalue())
        return code
