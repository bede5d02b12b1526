"""One box for a whole clip: for short clips of one person, where order in time must not show.

A follower knows the past only, so a clip and the same clip backwards get slightly different crops.
That is right for live use and wrong for an instrument whose order-blind judges must be held to
50 %. The median of the boxes found on an even grid of looks is the same both ways.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from emotemporal.faces.crop import CropConfig, crop_face
from emotemporal.faces.detect import FaceDetector
from emotemporal.faces.follow import NoFaceError
from emotemporal.timing import ClipRate, hold_indices
from emotemporal.types import Box, FaceView, Frame, Track


def steady_views(
    frames: Iterable[Frame], detector: FaceDetector, crop: CropConfig, look_every_s: float
) -> tuple[list[FaceView], float]:
    """Crop every frame by the median of the largest faces found, and say in how many looks.

    All frames are in memory at once: this is for clips of seconds.

    Args:
        frames: Of one shot with one main face.
        detector: Looks at the frames nearest before each tick of the grid.
        crop: How a box becomes a crop.
        look_every_s: The grid's step; 0 looks at every frame.

    Returns:
        A view a frame, and the share of looks that found a face.

    Raises:
        NoFaceError: No look found one.
    """
    kept = list(frames)
    found = [_largest(detector(kept[i].image)) for i in _looks(kept, look_every_s)]
    boxes = [box for box in found if box is not None]
    if not boxes:
        raise NoFaceError("no face was found; look at the video, or try the other detector")
    x1, y1, x2, y2, score = np.median([(b.x1, b.y1, b.x2, b.y2, b.score) for b in boxes], axis=0)
    box = Box(float(x1), float(y1), float(x2), float(y2), float(score))
    crop_map = crop.map_of(detector.name)
    views = [
        FaceView(
            Track(0, box, frame.time_s - kept[0].time_s),
            crop_face(frame.image, box, crop_map, crop.size_px),
            frame.time_s,
        )
        for frame in kept
    ]
    return views, len(boxes) / len(found)


def _looks(frames: Sequence[Frame], look_every_s: float) -> Iterable[int]:
    if look_every_s == 0:
        return range(len(frames))
    held = hold_indices([frame.time_s for frame in frames], ClipRate(1 / look_every_s))
    return dict.fromkeys(held.tolist())


def _largest(boxes: list[Box]) -> Box | None:
    return max(boxes, key=lambda box: box.height_px, default=None)
