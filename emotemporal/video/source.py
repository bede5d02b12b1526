"""What everything that gives frames has in common."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, Self, runtime_checkable

from emotemporal.types import Frame

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".flv", ".mpg", ".mpeg", ".wmv", ".ts"}
)
"""By these a file is taken for a video, wherever files are looked for."""
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
"""By these one is taken for an image."""

SourceState = Literal["running", "stalled", "reconnecting"]


@runtime_checkable
class FrameSource(Protocol):
    """Frames in time order. A context manager; leaving it frees the device."""

    def __iter__(self) -> Iterator[Frame]: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


@dataclass(frozen=True)
class SourceStatus:
    """How a live source fares at one moment; `str` is for whoever looks on."""

    state: SourceState = "running"
    """`stalled`: no frame for longer than usual; `reconnecting`: lost, and tried again."""
    age_s: float = 0.0
    """Since the newest frame came."""
    num_dropped: int = 0
    """Frames that came while others were worked on; the newest wins."""
    num_reconnects: int = 0
    """How often it was lost and came back."""
    retry_in_s: float = 0.0
    """Until the next attempt; 0 while one is under way."""
    reason: str = ""
    """Why it was lost."""

    @property
    def is_running(self) -> bool:
        """Whether frames are coming."""
        return self.state == "running"

    def __str__(self) -> str:
        if self.state == "running":
            return "live"
        words = f"no picture for {self.age_s:.0f} s"
        if self.state == "reconnecting":
            words += ", reconnecting"
            words += f" in {self.retry_in_s:.0f} s" if self.retry_in_s >= 0.5 else ""
        return words


@runtime_checkable
class LiveSource(Protocol):
    """A source that goes on whether anybody looks or not."""

    def watch(self) -> Iterator[Frame | None]:
        """Give the newest frame when there is a new one, and None now and then while none comes."""

    @property
    def status(self) -> SourceStatus:
        """How it fares now."""

    def now_s(self) -> float:
        """Return the time now, on the scale of its frames."""


class VideoError(ValueError):
    """A video cannot be read or written whole; the message names the file and the reason."""
