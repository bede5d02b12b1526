"""The checkpoint that ships with the package, and its model card."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

SHIPPED_NAME = "emotemporal.safetensors"


def shipped_checkpoint() -> Path:
    """Return where the shipped checkpoint lies.

    Raises:
        FileNotFoundError: This version ships none.
    """
    with as_file(files(__name__)) as folder:
        path = folder / SHIPPED_NAME
    if not path.is_file():
        raise FileNotFoundError(
            "no checkpoint ships with this version; name one with --checkpoint FILE. "
            "'make demo' trains one on drawn faces, 'emotemporal pretrain' on your data."
        )
    return path
