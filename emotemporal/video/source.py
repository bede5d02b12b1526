"""What everything that gives frames has in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, Self, runtime_checkable

from emotemporal.types import Frame


@runtime_checkable
class FrameSource(Protocol):
    """Frames in time order. A context manager; leaving it frees the device."""

    def __iter__(self) -> Iterator[Frame]: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


class VideoError(ValueError):
    """A video cannot be read or written whole; the message names the file and the reason."""
