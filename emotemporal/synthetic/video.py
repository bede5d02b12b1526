"""Drawn frames as a video in which every frame stands by itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2

from emotemporal.storage import replacing
from emotemporal.synthetic.paint import Picture

_QUALITY = 50  # 90 would take 1.6 times the disk for 0.8 decibels


def write_intra_avi(path: Path, frames: Sequence[Picture], frame_rate_hz: float) -> None:
    """Write frames as MJPG, whole or not at all: the same frame gives the same bytes anywhere.

    `video.write.VideoWriter` goes through FFmpeg, whose rate control codes a frame more coarsely
    after costly ones; a clip and its reversal would then differ in their decoded pixels.

    Raises:
        ValueError: No frames.
        OSError: OpenCV cannot write there, or the file came out short.
    """
    if not frames:
        raise ValueError(f"{path.name}: a video needs at least one frame")
    with replacing(path) as part:
        _write(part, frames, frame_rate_hz)


def _write(path: Path, frames: Sequence[Picture], frame_rate_hz: float) -> None:
    size_wh = (frames[0].shape[1], frames[0].shape[0])
    writer = cv2.VideoWriter(
        str(path),
        cv2.CAP_OPENCV_MJPEG,
        cv2.VideoWriter.fourcc(*"MJPG"),
        frame_rate_hz,
        size_wh,
    )
    if not writer.isOpened():
        raise OSError(f"OpenCV cannot write MJPG video to {path}; does the folder exist?")
    writer.set(cv2.VIDEOWRITER_PROP_QUALITY, _QUALITY)
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
    # OpenCV says nothing about a full disk.
    found = int(cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT))
    if found != len(frames):
        raise OSError(f"{path}: {len(frames)} frames written, {found} in the file; disk full?")
