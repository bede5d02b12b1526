"""Drawn frames as a video file, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2

from emotemporal.synthetic.paint import Picture

_CODECS = {".avi": ("MJPG", cv2.CAP_OPENCV_MJPEG), ".mp4": ("mp4v", cv2.CAP_FFMPEG)}


def write_video(path: Path, frames: Iterable[Picture], frame_rate_hz: float) -> None:
    """Write frames to an AVI (MJPG: each frame by itself) or an MP4 (MPEG-4).

    Raises:
        ValueError: Neither `.avi` nor `.mp4`, or no frames.
        OSError: OpenCV cannot write there.
    """
    if path.suffix not in _CODECS:
        raise ValueError(f"{path.name}: drawn videos end in {' or '.join(_CODECS)}")
    code, backend = _CODECS[path.suffix]
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    writer: cv2.VideoWriter | None = None
    for frame in frames:
        if writer is None:
            size = (frame.shape[1], frame.shape[0])
            fourcc = cv2.VideoWriter.fourcc(*code)
            writer = cv2.VideoWriter(str(partial), backend, fourcc, frame_rate_hz, size)
            if not writer.isOpened():
                raise OSError(f"OpenCV cannot write {code} video to {path}; does the folder exist?")
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    if writer is None:
        raise ValueError(f"{path.name}: a video needs at least one frame")
    writer.release()
    partial.replace(path)
