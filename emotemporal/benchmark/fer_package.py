"""The `fer` package beside us on the same file: how fast, and what it says of which face."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from jaxtyping import Float

from emotemporal.types import Box

_NAMES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
_MIN_OVERLAP = 0.2  # fer's boxes are Haar's, larger than YuNet's


class FerError(ValueError):
    """The other package cannot be run, or broke off."""


@dataclass(frozen=True, eq=False)
class FerRun:
    """What one pass over the video gave."""

    seconds: float
    faces: Sequence[Sequence[tuple[Box, Float[np.ndarray, " k"]]]]
    """Of each frame."""
    note: str

    @property
    def frames_per_second(self) -> float:
        """Decoding included."""
        return len(self.faces) / self.seconds

    def answer(self, frame: int, box: Box) -> Float[np.ndarray, " k"] | None:
        """Return its probabilities of the face on `box` in a frame; None if it has none."""
        if not 0 <= frame < len(self.faces):
            return None
        found = [(_overlap(box, other), shares) for other, shares in self.faces[frame]]
        best = max(found, key=lambda pair: pair[0], default=(0.0, None))
        return best[1] if best[0] >= _MIN_OVERLAP else None


class FerPackage:
    """The package in a process of its own, ready for one pass after another. A context manager.

    Args:
        python: The Python that has it installed.
        folder: Where `fer` lies, if it is unpacked and not installed; or empty.
        video: To go through.

    Raises:
        FerError: There is no such Python, or it has no fer.
    """

    def __init__(self, python: Path, folder: str, video: Path) -> None:
        self._words = [
            str(python),
            str(Path(__file__).with_name("fer_side.py")),
            str(video),
            folder,
        ]
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._process: subprocess.Popen[str] = self._stack.enter_context(
                subprocess.Popen(
                    self._words,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                )
            )
        except OSError as error:
            raise FerError(f"{self._words[0]} cannot be run ({error}); see --fer_python") from error
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.kill()
        self._stack.close()

    def run(self) -> FerRun:
        """Go through the video once."""
        ask, answer = self._process.stdin, self._process.stdout
        assert ask is not None
        assert answer is not None
        try:
            ask.write("run\n")
            ask.flush()
            line = answer.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise FerError(
                f"{self._words[0]} ended without an answer: does it have fer and OpenCV? Try "
                f"'{' '.join(self._words)}'"
            )
        value: dict[str, Any] = json.loads(line)
        faces = [[_read_face(face) for face in frame] for frame in value["frames"]]
        return FerRun(float(value["seconds"]), faces, str(value["note"]))


def _read_face(face: Any) -> tuple[Box, Float[np.ndarray, " k"]]:
    (x, y, width, height), emotions = face
    shares = np.array([float(emotions[name]) for name in _NAMES])
    return Box(x, y, x + width, y + height, 1.0), shares


def _overlap(a: Box, b: Box) -> float:
    width = max(0.0, min(a.x2, b.x2) - max(a.x1, b.x1))
    height = max(0.0, min(a.y2, b.y2) - max(a.y1, b.y1))
    common = width * height
    return common / (a.width_px * a.height_px + b.width_px * b.height_px - common)
