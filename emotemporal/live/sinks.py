"""Where results go: a table, a video, a window. Files have their names once they are whole."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol, Self, TextIO, runtime_checkable

import cv2
import numpy as np
from jaxtyping import UInt8

from emotemporal.inference.predictor import Judgement
from emotemporal.labels import LabelSpace
from emotemporal.storage import replacing
from emotemporal.timing import ClipRate, FrameBuffer
from emotemporal.video.write import VideoWriter

_Picture = UInt8[np.ndarray, "h w 3"]
_KEYS_TO_CLOSE = (ord("q"), 27)  # q, escape
_CAMERA_RATE_HZ = 30.0


@runtime_checkable
class TextOut(Protocol):
    """Somewhere to write text: a file, standard output, a string."""

    def write(self, text: str, /) -> object:
        """Append."""


class JudgementTable:
    """One CSV row a face and tick of the model's clock. `labels` name the columns."""

    def __init__(self, out: TextOut, labels: LabelSpace, has_source: bool = False) -> None:
        # Not the csv module's own line end: the same bytes everywhere, and diff stays readable.
        self._writer = csv.writer(out, lineterminator="\n")
        self._has_source = has_source
        self._writer.writerow(
            [
                *(["source"] if has_source else []),
                *("time_s", "track_id", "x1", "y1", "x2", "y2"),
                *(f"raw_{name}" for name in labels.names),
                *(f"smoothed_{name}" for name in labels.names),
                *("shown", "is_warm_up", "is_uncertain"),
            ]
        )

    def write(self, judgements: Iterable[Judgement], source: str = "") -> None:
        """Append judgements in the order given; an empty `shown` means that nothing was shown."""
        for judgement in judgements:
            box = judgement.box
            self._writer.writerow(
                [
                    *([source] if self._has_source else []),
                    f"{judgement.time_s:.6f}",
                    judgement.track_id,
                    *(f"{edge:.2f}" for edge in (box.x1, box.y1, box.x2, box.y2)),
                    *(f"{share:.7f}" for share in judgement.raw),
                    *(f"{share:.7f}" for share in judgement.smoothed),
                    "" if judgement.shown is None else judgement.shown.value,
                    int(judgement.is_warm_up),
                    int(judgement.is_uncertain),
                ]
            )


@contextmanager
def growing_file(path: Path) -> Iterator[TextIO]:
    """Open a text file to be written bit by bit; it gets its name when it is left well.

    Left with an exception, nothing stands under the name.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent}: there is no such folder")
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        yield file


class Recording:
    """Labelled pictures to a video file. A context manager.

    Args:
        path: Of the video; its suffix chooses the kind.
        frame_rate_hz: Of the source, every picture of which is written. None for a camera, whose
            frames come as they can: they are held, so that the video runs as fast as life did.
    """

    def __init__(self, path: Path, frame_rate_hz: float | None) -> None:
        rate_hz = _CAMERA_RATE_HZ if frame_rate_hz is None else frame_rate_hz
        self._writer = VideoWriter(path, rate_hz)
        self._held: FrameBuffer[_Picture] | None = None
        if frame_rate_hz is None:
            self._held = FrameBuffer(ClipRate(_CAMERA_RATE_HZ))

    def __enter__(self) -> Self:
        self._writer.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        with ExitStack() as stack:
            stack.push(self._writer)  # closed as well where the last pictures cannot be written
            if self._held is not None and kind is None:
                for picture, _ in self._held.flush():
                    self._writer.write(picture)
            elif kind is not None:
                stack.pop_all()
                self._writer.__exit__(kind, *exc)

    def write(self, picture: _Picture, time_s: float) -> None:
        """Append a picture."""
        pictures = [picture]
        if self._held is not None:
            pictures = [held for held, _ in self._held.push(picture, time_s)]
        for due in pictures:
            self._writer.write(due)


@runtime_checkable
class Gui(Protocol):
    """What a window needs of OpenCV."""

    def namedWindow(self, title: str, flags: int, /) -> None:  # noqa: N802 (OpenCV's names)
        """Open a window."""

    def imshow(self, title: str, picture: np.ndarray, /) -> None:
        """Show a BGR picture."""

    def waitKey(self, delay_ms: int, /) -> int:  # noqa: N802
        """Let the window live for some milliseconds; return the key pressed, or -1."""

    def getWindowProperty(self, title: str, which: int, /) -> float:  # noqa: N802
        """Return a property; -1 or 0 for visibility once it is closed."""

    def destroyWindow(self, title: str, /) -> None:  # noqa: N802
        """Close it."""


class Window:
    """Shows pictures as they come. A context manager; q, escape or its button close it."""

    def __init__(self, title: str, gui: Gui | None = None) -> None:
        self._title = title
        self._gui: Any = cv2 if gui is None else gui  # mypy sees no protocol in a C module
        self.is_closed = False

    def __enter__(self) -> Self:
        self._gui.namedWindow(self._title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        return self

    def __exit__(self, *exc: object) -> None:
        if not self.is_closed:
            self._gui.destroyWindow(self._title)

    def write(self, picture: _Picture) -> None:
        """Show an RGB picture."""
        self._gui.imshow(self._title, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        is_asked = self._gui.waitKey(1) & 0xFF in _KEYS_TO_CLOSE
        is_visible = self._gui.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1
        if is_visible and is_asked:
            self._gui.destroyWindow(self._title)
        self.is_closed = is_asked or not is_visible


def has_display() -> bool:
    """Tell whether a window can be seen here."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
