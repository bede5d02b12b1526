"""A window on a screen, and the keys that it takes."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, Literal, Protocol, Self, runtime_checkable

import cv2
import numpy as np
from jaxtyping import UInt8

_Picture = UInt8[np.ndarray, "h w 3"]

Action = Literal["quit", "pause", "screenshot", "record", "smoother", "help"]
_KEYS: Mapping[int, Action] = {
    ord("q"): "quit",
    27: "quit",  # escape
    ord(" "): "pause",
    ord("p"): "pause",
    ord("s"): "screenshot",
    ord("r"): "record",
    ord("m"): "smoother",
    ord("h"): "help",
    ord("?"): "help",
}
HELP: tuple[tuple[str, str], ...] = (
    ("space", "pause, go on"),
    ("s", "screenshot"),
    ("r", "record, stop recording"),
    ("m", "next smoother"),
    ("h", "this help"),
    ("q", "quit"),
)
"""Keys and what they do, as the help panel tells it."""


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
    """Shows pictures as they come, and tells the keys pressed. A context manager.

    Args:
        title: Of the window.
        gui: OpenCV, or what stands in for it.
    """

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

    def write(self, picture: _Picture, wait_ms: int = 1) -> Action | None:
        """Show an RGB picture; return what the key pressed meanwhile asks for.

        `q`, escape and the window's own button close it.
        """
        self._gui.imshow(self._title, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        key = self._gui.waitKey(wait_ms)
        action = _KEYS.get(key & 0xFF) if key >= 0 else None
        is_visible = self._gui.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1
        if is_visible and action == "quit":
            self._gui.destroyWindow(self._title)
        self.is_closed = action == "quit" or not is_visible
        return action


def has_display() -> bool:
    """Tell whether a window can be seen here."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
