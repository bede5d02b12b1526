"""What somebody looks like, in a hundred numbers: enough to tell who of those in view is who.

No identity network, and nothing that would know a person again on another day: colours and
brightness of hair, face and clothes, kept while somebody is in view and forgotten with the track.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from emotemporal.types import Box

_SIDE = 24  # pixels across the face: colours show, features do not
_BINS = 12
_REACH = (-0.2, 1.0, 1.5)  # hair from a fifth above the box; clothes down to half a box below
_BANDS = ((0, 8), (8, 24), (26, 41))  # rows of hair and brow, of the face, of neck and clothes

Appearance = Float[np.ndarray, " a"]


def describe(image: UInt8[np.ndarray, "h w 3"], box: Box) -> Appearance:
    """Describe who is in a box of an RGB image; of unit length in each band and channel."""
    patch = _patch(image, box)
    ycc = cv2.cvtColor(patch, cv2.COLOR_RGB2YCrCb).astype(np.float64)
    parts = []
    for top, bottom in _BANDS:
        band = ycc[top:bottom].reshape(-1, 3)
        parts.append(_histogram(band[:, 0] * _BINS / 256))
        for channel in (1, 2):
            # Colours of people and clothes lie near grey: twelve bins from 92 to 164.
            parts.append(_histogram((band[:, channel] - 92) / 6))
    return np.concatenate(parts)


def unlikeness(one: Appearance, other: Appearance) -> float:
    """Return how different two people look, 0 to 1: the mean over bands and channels.

    Of each histogram it is 1 - the Bhattacharyya coefficient.
    """
    num_parts = len(one) // _BINS
    return max(0.0, 1 - float(np.dot(one, other)) / num_parts)


def blend(before: Appearance, now: Appearance, weight: float) -> Appearance:
    """Return an appearance drawn towards what is seen now: light and pose change slowly."""
    mixed = np.sqrt((1 - weight) * before**2 + weight * now**2)
    return np.asarray(mixed)


def _patch(image: UInt8[np.ndarray, "h w 3"], box: Box) -> UInt8[np.ndarray, "p q 3"]:
    """Cut hair, face and the top of the clothes, at a size of its own."""
    above, _, below = _REACH
    step = box.height_px / _SIDE
    height = round((below - above) * _SIDE)
    left = (box.x1 + box.x2 - box.height_px) / 2
    top = box.y1 + above * box.height_px
    factor = max(1, round(step))
    fine = step / factor
    to_image = np.array(
        [[fine, 0, left + fine / 2 - 0.5], [0, fine, top + fine / 2 - 0.5]], dtype=np.float64
    )
    size_wh = (_SIDE * factor, height * factor)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    patch = cv2.warpAffine(image, to_image, size_wh, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    if factor > 1:
        patch = cv2.resize(patch, (_SIDE, height), interpolation=cv2.INTER_AREA)
    return np.asarray(patch, dtype=np.uint8)


def _histogram(places: Float[np.ndarray, " n"]) -> Float[np.ndarray, " bins"]:
    """Count each value in the two bins nearest to it, so that a small shift changes little."""
    places = np.clip(places - 0.5, 0, _BINS - 1.001)
    low = places.astype(np.int64)
    share = places - low
    counts = np.bincount(low, 1 - share, _BINS) + np.bincount(low + 1, share, _BINS)
    return np.sqrt(counts / len(places))
