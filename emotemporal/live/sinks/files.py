"""Files that grow while a program runs, and have their names once they are whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TextIO, runtime_checkable

from emotemporal.storage import replacing


@runtime_checkable
class TextOut(Protocol):
    """Somewhere to write text: a file, standard output, a string."""

    def write(self, text: str, /) -> object:
        """Append."""


@contextmanager
def growing_path(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to; what is there gets its name when it is left well.

    Left with an exception, what stood under the name before still does.

    Raises:
        FileNotFoundError: There is no such folder: it may be mistyped, so it is not made.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"{path.parent}: there is no such folder for {path.name}; make it first"
        )
    with replacing(path) as part:
        yield part


@contextmanager
def growing_file(path: Path) -> Iterator[TextIO]:
    """Open a text file to be written bit by bit; see `growing_path`."""
    with growing_path(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        yield file
