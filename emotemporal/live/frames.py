"""Frames of whatever Python has at hand: a path, pixels, or frames already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import UInt8

from emotemporal.live.inputs import is_image
from emotemporal.types import Frame
from emotemporal.video.file import VideoFile
from emotemporal.video.image import read_image

Source: TypeAlias = str | Path | np.ndarray | Iterable[Frame]
"""A video's or image's path, RGB pixels `t h w 3` or `h w 3`, or frames in time order."""


@contextmanager
def open_frames(
    source: Source, frame_rate_hz: float | None = None
) -> Iterator[VideoFile | Iterable[Frame]]:
    """Open a source's frames."""
    if isinstance(source, np.ndarray):
        yield _pixel_frames(source, frame_rate_hz)
    elif not isinstance(source, str | Path):
        yield source
    elif is_image(Path(source)):
        yield [Frame(read_image(Path(source)), 0.0, 0)]
    else:
        with VideoFile(Path(source)) as video:
            yield video


def is_still(source: Source) -> bool:
    """Tell whether a source is one picture."""
    if isinstance(source, np.ndarray):
        return source.ndim == 3
    return isinstance(source, str | Path) and is_image(Path(source))


def check_pixels(pixels: np.ndarray, frame_rate_hz: float | None) -> None:
    """Refuse pixels of another shape or kind.

    Raises:
        ValueError: They are, or a video's come without a rate, or an image's with one.
    """
    if pixels.dtype != np.uint8 or pixels.ndim not in (3, 4) or pixels.shape[-1] != 3:
        raise ValueError(
            f"pixels are {pixels.dtype} of shape {pixels.shape}; they are uint8, RGB, "
            "(time, height, width, 3) or, of one image, (height, width, 3)"
        )
    if (pixels.ndim == 4) != (frame_rate_hz is not None):
        raise ValueError(
            f"pixels of shape {pixels.shape} with frame_rate_hz {frame_rate_hz}; a video's pixels "
            "need one, an image's have none"
        )
    if frame_rate_hz is not None and not frame_rate_hz > 0:
        raise ValueError(f"frame_rate_hz is {frame_rate_hz}; it is above 0")


def _pixel_frames(
    pixels: UInt8[np.ndarray, "t h w 3"] | UInt8[np.ndarray, "h w 3"], rate_hz: float | None
) -> Iterator[Frame]:
    if pixels.ndim == 3:
        yield Frame(pixels, 0.0, 0)
        return
    assert rate_hz is not None
    for i, image in enumerate(pixels):
        yield Frame(image, i / rate_hz, i)
