"""A folder of images as a source of frames: a video that was taken apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
from jaxtyping import Float

from emotemporal.types import Frame
from emotemporal.video.image import ImageError, read_image
from emotemporal.video.source import IMAGE_SUFFIXES, VideoError

_UNITS_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_NUMBER = re.compile(r"[0-9]+")
_TIME = re.compile(r"[0-9]+(?:\.[0-9]+)?")


@dataclass(frozen=True)
class ImageFolderConfig:
    """When each image of a folder was taken."""

    times: Literal["rate", "s", "ms", "us", "ns"] = "rate"
    """`rate`: one after the other; else the last number of each name is its time in that unit."""
    rate_hz: float = 25.0
    """Images a second, where `times` is `rate`."""

    def __post_init__(self) -> None:
        if not 0.01 <= self.rate_hz <= 1000:
            raise ValueError(f"rate_hz is {self.rate_hz}; it can be 0.01 to 1000")


class ImageFolder:
    """The images of a folder as frames. A context manager; read one by one, as they are asked for.

    In natural order: `frame9.png` comes before `frame10.png`. Times count from the first image.
    Other files, hidden ones, and folders within are left alone.

    Raises:
        VideoError: No images, names without times, or times that do not grow.
        ImageError: An image cannot be read; it is named.
    """

    def __init__(self, path: Path, config: ImageFolderConfig | None = None) -> None:
        self.path, self._config = Path(path), config or ImageFolderConfig()
        self._files: list[Path] = []
        self.times_s: Float[np.ndarray, " n"] = np.zeros(0)
        """When each image was taken, from the first; known once it is open."""

    def __enter__(self) -> Self:
        if not self.path.is_dir():
            raise FileNotFoundError(f"{self.path}: there is no such folder")
        files = [p for p in self.path.iterdir() if _is_image(p)]
        if not files:
            raise VideoError(
                f"{self.path}: no images in it; images end in {', '.join(sorted(IMAGE_SUFFIXES))}. "
                "Of a folder of videos, name one"
            )
        self._files, self.times_s = self._in_order(files)
        return self

    def __exit__(self, *exc: object) -> None:
        self._files = []

    def __len__(self) -> int:
        return len(self._files)

    @property
    def frame_rate_hz(self) -> float:
        """Images a second: the mean, where names give the times."""
        if self._config.times == "rate" or len(self.times_s) < 2:
            return self._config.rate_hz
        return float((len(self.times_s) - 1) / self.times_s[-1])

    def __iter__(self) -> Iterator[Frame]:
        for index, (file, time_s) in enumerate(zip(self._files, self.times_s, strict=True)):
            try:
                image = read_image(file)
            except ImageError as error:
                raise ImageError(f"image {index + 1} of {len(self._files)}: {error}") from error
            yield Frame(image, float(time_s), index)

    def _in_order(self, files: list[Path]) -> tuple[list[Path], Float[np.ndarray, " n"]]:
        if self._config.times == "rate":
            files = sorted(files, key=natural_key)
            return files, np.arange(len(files)) / self._config.rate_hz
        unit_s = _UNITS_S[self._config.times]
        stamps = [(_stamp(file), file.name) for file in files]
        order = sorted(range(len(files)), key=stamps.__getitem__)
        # Whole numbers first: nanoseconds since 1970 do not fit into a float.
        values = [stamps[i][0] for i in order]
        whole = int(values[0][0])
        times_s = np.array([(n - whole + part) * unit_s for n, part in values])
        times_s = times_s - times_s[0]
        late = np.flatnonzero(np.diff(times_s) <= 0)
        if len(late):
            one, two = files[order[int(late[0])]], files[order[int(late[0]) + 1]]
            raise VideoError(
                f"{self.path}: {one.name} and {two.name} have the same time; a camera takes one "
                "image at a time"
            )
        return [files[i] for i in order], times_s


def _is_image(path: Path) -> bool:
    # What begins with a dot is what archives leave behind: ._1.jpg beside 1.jpg.
    return (
        path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def natural_key(path: Path) -> tuple[tuple[str | int, ...], str]:
    """Return what sorts names as people do: numbers by their value."""
    words = _NUMBER.split(path.name.lower())
    numbers = [int(number) for number in _NUMBER.findall(path.name)]
    # Words and numbers alternate in every name, so like is compared with like.
    mixed = [part for pair in zip(words, [*numbers, 0], strict=True) for part in pair]
    return tuple(mixed), path.name


def _stamp(path: Path) -> tuple[int, float]:
    found = _TIME.findall(path.stem)
    if not found:
        raise VideoError(
            f"{path}: no number in its name, from which to read a time; give the images a rate"
        )
    whole, _, part = found[-1].partition(".")
    return int(whole), float(f"0.{part or 0}")
