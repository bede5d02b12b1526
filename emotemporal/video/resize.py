"""A video at another size, in a copy."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from emotemporal.video.file import VideoFile
from emotemporal.video.write import VideoWriter


def resized_copy(source: Path, target: Path, width_px: int) -> Path:
    """Write `source` to `target` at a width, the height in proportion (both even); return that.

    Frame times become even where the source's vary.
    """
    with VideoFile(source) as video, VideoWriter(target, video.info.frame_rate_hz) as out:
        height_px = 2 * round(video.info.height_px * width_px / video.info.width_px / 2)
        for frame in video:
            small = cv2.resize(frame.image, (width_px, height_px), interpolation=cv2.INTER_AREA)
            out.write(np.asarray(small, dtype=np.uint8))
    return target
