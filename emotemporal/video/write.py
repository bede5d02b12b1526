"""Writing video files: whole under their name, or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, Self

import cv2
import numpy as np
from jaxtyping import UInt8

from emotemporal.storage import PartFile
from emotemporal.video.source import VideoError

Codec = Literal["auto", "avc1", "vp08", "vp09", "mp4v", "mjpg"]
# Browsers play the first three; the wheels of opencv-python bring no H.264 encoder on Linux.
_CODECS_OF = {
    ".mp4": ("avc1", "vp09", "mp4v"),
    ".webm": ("vp08", "vp09"),
    ".avi": ("mjpg",),
}
_USUAL: dict[str, Codec] = {".mp4": "mp4v", ".webm": "vp08", ".avi": "mjpg"}
_FOURCC = {"avc1": "avc1", "vp08": "VP80", "vp09": "VP90", "mp4v": "mp4v", "mjpg": "MJPG"}


class VideoWriter:
    """Writes RGB images as a video. A context manager: the file has its name when it is left well.

    Left with an exception, nothing stands under the name. All images have the size of the first,
    which loses its last row or column where it is odd.

    Args:
        path: `.mp4`, `.webm` or `.avi`.
        frame_rate_hz: Of the video; images are given at this rate.
        codec: `mp4v`, usual for `.mp4`, is fast (1 ms a 640 x 360 frame) and plays in players, not
            in browsers. `vp08`, usual for `.webm`, plays in browsers and takes 20 ms; `vp09` also
            in `.mp4`, and takes 100 ms. `mjpg` is for `.avi`. `auto` is what browsers play, if this
            OpenCV can write it (H.264 before VP9), else the usual.

    Raises:
        VideoError: OpenCV cannot write such a file, an image has another size, or what was written
            cannot be read back.
    """

    def __init__(self, path: Path, frame_rate_hz: float, codec: Codec | None = None) -> None:
        self.path = Path(path)
        suffix = self.path.suffix.lower()
        if suffix not in _CODECS_OF:
            raise VideoError(f"{path}: can write {', '.join(_CODECS_OF)}, not {suffix!r}")
        if not 0.1 <= frame_rate_hz <= 1000:
            raise VideoError(f"{path}: frame rate is {frame_rate_hz} Hz; it can be 0.1 to 1000")
        fits = _CODECS_OF[suffix]
        codec = _USUAL[suffix] if codec is None else codec
        if codec not in ("auto", *fits):
            raise VideoError(f"{path}: {suffix} takes {', '.join(fits)}, not {codec}")
        self._codecs = fits if codec == "auto" else (codec,)
        self._frame_rate_hz = frame_rate_hz
        self._part: PartFile | None = None
        self._writer: cv2.VideoWriter | None = None
        self._size_wh = (0, 0)
        self.num_frames = 0
        self.codec = ""
        """Which codec is in use; known from the first image on."""

    def __enter__(self) -> Self:
        if not self.path.parent.is_dir():
            raise FileNotFoundError(
                f"{self.path.parent}: there is no such folder for {self.path.name}; make it first"
            )
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        if self._writer is not None:
            self._writer.release()
        self._writer = None
        part, self._part = self._part, None
        if part is None:
            return
        try:
            if kind is None:
                self._check(part.path)
                part.keep()
        finally:
            part.drop()

    def write(self, image: UInt8[np.ndarray, "h w 3"]) -> None:
        """Append one image."""
        if self._writer is None:
            self._writer = self._open(image.shape[1] // 2 * 2, image.shape[0] // 2 * 2)
        width, height = self._size_wh
        if (image.shape[1] // 2 * 2, image.shape[0] // 2 * 2) != self._size_wh:
            raise VideoError(
                f"{self.path}: image is {image.shape[1]} x {image.shape[0]}, the first was "
                f"{width} x {height}"
            )
        self._writer.write(cv2.cvtColor(image[:height, :width], cv2.COLOR_RGB2BGR))
        self.num_frames += 1

    def _open(self, width: int, height: int) -> cv2.VideoWriter:
        self._size_wh = (width, height)
        self._part = PartFile(self.path)
        for codec in self._codecs:
            if codec == "avc1" and len(self._codecs) > 1 and not _has_h264():
                continue
            fourcc = cv2.VideoWriter.fourcc(*_FOURCC[codec])
            writer = cv2.VideoWriter(
                str(self._part.path), cv2.CAP_FFMPEG, fourcc, self._frame_rate_hz, self._size_wh
            )
            if writer.isOpened():
                self.codec = codec
                return writer
        raise VideoError(
            f"{self.path}: OpenCV cannot write {width} x {height} as "
            f"{' or '.join(self._codecs)}; is the disk full?"
        )

    def _check(self, part: Path) -> None:
        # A full disk is silent in OpenCV: the file is looked at again before it gets its name.
        capture = cv2.VideoCapture(str(part), cv2.CAP_FFMPEG)
        found = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
        capture.release()
        is_counted = self.path.suffix.lower() != ".webm"  # which declares a duration only
        if found <= 0 or (is_counted and found != self.num_frames):
            raise VideoError(
                f"{self.path}: {self.num_frames} images were written, {found} are in the file; "
                "is the disk full?"
            )


def _has_h264() -> bool:
    """Tell whether OpenCV is built with an H.264 encoder; asking the writer prints errors."""
    return "openh264" in cv2.getBuildInformation().lower() or os.name == "nt"
