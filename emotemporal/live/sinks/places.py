"""Where one file lies, seen from another: what pages and annotations say of their video."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote


def as_uri(path: Path) -> str:
    """Return a file's place from the root, as `file:///...`."""
    return path.resolve().as_uri()


def relative_url(path: Path, folder: Path) -> str | None:
    """Return a file's place from `folder`, quoted for a page; None on another drive."""
    try:
        relative = os.path.relpath(path.resolve(), folder.resolve())
    except ValueError:  # Windows: no way leads from one drive to another
        return None
    return quote(Path(relative).as_posix())
