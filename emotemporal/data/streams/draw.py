"""A planned stream as frames: stills one after the other, seen by a camera."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, UInt8

from emotemporal.data.streams.camera import CameraConfig, frame_times
from emotemporal.data.streams.effects import EFFECTS
from emotemporal.data.streams.plan import Segment, stream_generator
from emotemporal.types import FaceClip

ReadFace = Callable[[int], UInt8[np.ndarray, "s s 3"]]
"""A still's row to its face crop."""


def draw_stream(
    segments: Sequence[Segment],
    read_face: ReadFace,
    camera: CameraConfig,
    seed: int,
    index: int,
    source: str,
) -> FaceClip:
    """Return the frames of stream `index`, and what is true when.

    Args:
        segments: From `plan_stream`.
        read_face: Gives a still's crop; all are of one size.
        camera: What happens to every frame.
        seed: Of the set of streams: same seed and index, same bytes.
        index: Of the stream.
        source: What the clip is called.

    Raises:
        ImageError: A still cannot be read, by name.
    """
    times_s = frame_times(segments[-1].end_s, camera, seed, index)
    pictures = [_picture(segment, read_face) for segment in segments]
    side_px = pictures[0].shape[0]
    effects = [
        effect(camera, times_s, side_px, stream_generator(seed, index, number))
        for number, effect in enumerate(EFFECTS, start=2)
    ]
    crops = np.empty((len(times_s), side_px, side_px, 3), dtype=np.uint8)
    for i, time_s in enumerate(times_s):
        picture = mixed_at(float(time_s), segments, pictures)
        for effect in effects:
            picture = effect.apply(picture, i)
        crops[i] = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    return FaceClip(crops, times_s, [segment.target for segment in segments], "", source)


def mixed_at(
    time_s: float, segments: Sequence[Segment], pictures: Sequence[Float[np.ndarray, "s s 3"]]
) -> Float[np.ndarray, "s s 3"]:
    """Return what is shown at a time: one segment's picture, or two in a blend.

    Where two meet, half of each shows; from then on the later one is true.
    """
    k = next((k for k, s in enumerate(segments) if time_s < s.end_s), len(segments) - 1)
    for later in (k, k + 1):
        if not 0 < later < len(segments) or segments[later].blend_s == 0:
            continue
        share = (time_s - segments[later].start_s) / segments[later].blend_s + 0.5
        if 0 < share < 1:
            return (1 - share) * pictures[later - 1] + share * pictures[later]
    return pictures[k]


def _picture(segment: Segment, read_face: ReadFace) -> Float[np.ndarray, "s s 3"]:
    total: Float[np.ndarray, "s s 3"] | None = None
    for shown in segment.stills:
        face = read_face(shown.row).astype(np.float32)
        part = np.float32(shown.weight) * (face[:, ::-1] if shown.is_mirrored else face)
        total = part if total is None else total + part
    assert total is not None
    return np.ascontiguousarray(total)
