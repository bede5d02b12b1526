"""Decoding by OpenCV's FFmpeg: everywhere at hand, rotates, silent on damage, poor at seeking."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from emotemporal.video.container import Declared
from emotemporal.video.source import VideoError


class OpenCVDecoder:
    """One open file. Frame times come from a first pass over all frames, without their colours.

    Raises:
        VideoError: Not a video that OpenCV can read.
    """

    def __init__(self, path: Path, declared: Declared) -> None:
        self._path = path
        self._capture = self._open()
        self.times_s = self._scan(declared)
        self._restart()

    def _open(self) -> cv2.VideoCapture:
        capture = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG)
        if not capture.isOpened():
            raise VideoError(f"{self._path}: not a video that OpenCV can read")
        return capture

    def _scan(self, declared: Declared) -> Float[np.ndarray, " n"]:
        rate_hz = self._capture.get(cv2.CAP_PROP_FPS)
        times = []
        while self._capture.grab():
            times.append(self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
        if declared.kind == "avi" and rate_hz > 0:  # stores a rate, no times
            return np.arange(len(times)) / rate_hz
        return np.asarray(times, dtype=np.float64)

    def _restart(self) -> None:
        # Opened anew, not sought: OpenCV's seeking is off by frames in files with B-frames.
        self._capture.release()
        self._capture = self._open()
        self._next = 0

    def images(self) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        """Give every frame, from the first."""
        self._restart()
        while self._capture.grab():
            self._next += 1
            yield self._retrieve()

    def read(self, indices: Sequence[int]) -> UInt8[np.ndarray, "t h w 3"]:
        """Read chosen frames by going through the file once."""
        if min(indices) < self._next:
            self._restart()
        images = {}
        for index in sorted(set(indices)):
            while self._next <= index:
                if not self._capture.grab():
                    raise VideoError(f"{self._path}: frame {self._next} cannot be decoded")
                self._next += 1
            images[index] = self._retrieve()
        return np.stack([images[index] for index in indices])

    def _retrieve(self) -> UInt8[np.ndarray, "h w 3"]:
        is_good, image_bgr = self._capture.retrieve()
        if not is_good:
            raise VideoError(f"{self._path}: frame {self._next - 1} cannot be decoded")
        return np.asarray(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)

    def close(self) -> None:
        """Free the file."""
        self._capture.release()
