"""Which files `predict` is asked for, and what each is called in its results."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emotemporal.video.source import IMAGE_SUFFIXES, VIDEO_SUFFIXES


@dataclass(frozen=True)
class Input:
    """One file to judge."""

    path: Path
    name: str
    """Of its results, with slashes: from the folder that was named, that folder's name first."""

    @property
    def is_image(self) -> bool:
        """Whether it is one picture."""
        return is_image(self.path)


@dataclass(frozen=True)
class Inputs:
    """All files to judge, and what else lay in the folders."""

    files: tuple[Input, ...]
    num_ignored: dict[str, int]
    """Files that are neither videos nor images, by suffix."""


def is_image(path: Path) -> bool:
    """Tell whether a file is one picture, by its name."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def list_inputs(paths: Sequence[str], out: Path | None = None) -> Inputs:
    """Find the files that paths name: files as they are, folders with all below them, sorted.

    A file named twice is judged once. What begins with a dot is not looked at, nor what lies in
    `out`, the results' own folder.

    Raises:
        ValueError: Two files would have results of one name.
    """
    found: dict[Path, Input] = {}
    ignored: Counter[str] = Counter()
    for path in map(Path, paths):
        if not path.is_dir():
            found.setdefault(path.resolve(), Input(path, path.name))
            continue
        folder_name = path.resolve().name
        for file in _files_below(path, out):
            if file.suffix.lower() in IMAGE_SUFFIXES | VIDEO_SUFFIXES:
                name = f"{folder_name}/{file.relative_to(path).as_posix()}"
                found.setdefault(file.resolve(), Input(file, name))
            else:
                ignored[file.suffix.lower() or "no suffix"] += 1
    _refuse_same_names(list(found.values()))
    return Inputs(tuple(found.values()), dict(ignored))


def _files_below(folder: Path, out: Path | None) -> list[Path]:
    own = None if out is None else out.resolve()
    files = []
    for where, folders, names in os.walk(folder, followlinks=True):
        here = Path(where)
        folders[:] = sorted(
            name for name in folders if name[0] != "." and (here / name).resolve() != own
        )
        files += [here / name for name in sorted(names) if name[0] != "."]
    return files


def _refuse_same_names(inputs: Sequence[Input]) -> None:
    # Folders of results on macOS and Windows do not tell A.mp4 from a.mp4.
    seen: dict[str, Path] = {}
    for item in inputs:
        other = seen.setdefault(item.name.casefold(), item.path)
        if other != item.path:
            raise ValueError(
                f"{other} and {item.path} would both have results called {item.name}; name a "
                "folder that holds both, or judge them into two folders"
            )
