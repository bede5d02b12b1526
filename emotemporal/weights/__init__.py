"""The checkpoint that ships with the package, and its model card."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

SHIPPED_NAME = "emotemporal.safetensors"
SHIPPED_INT8_NAME = "emotemporal.int8.onnx"
SHIPPED_SMOOTHING_NAME = "emotemporal.smoothing.json"
"""What is known of the smoothers behind this network; absent where nobody measured them."""
MODEL_CARD_NAME = "MODEL_CARD.md"


def shipped_file(name: str) -> Path:
    """Return where a file that may ship is, or would be."""
    with as_file(files(__name__)) as folder:
        return folder / name


def resolve_checkpoint(path: Path | str | None) -> Path:
    """Return the checkpoint that is named, or the one that ships if none is.

    Raises:
        FileNotFoundError: None is named, and this version ships none.
    """
    if path is not None:
        return Path(path)
    shipped = shipped_file(SHIPPED_NAME)
    if not shipped.is_file():
        raise FileNotFoundError(
            "no checkpoint ships with this version; name one with --checkpoint FILE. "
            "'make demo' trains one on drawn faces, 'emotemporal pretrain' on your data."
        )
    return shipped
