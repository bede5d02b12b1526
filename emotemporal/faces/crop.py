"""From a face box to a square crop, the same one whichever detector drew the box. No torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
from jaxtyping import UInt8

from emotemporal.types import Box


@dataclass(frozen=True)
class CropMap:
    """How one detector's boxes become the square that the network sees.

    Detectors disagree about where a face ends. Each has its own map, so that one face gives one
    crop; the map travels in the checkpoint.
    """

    scale: float
    """Side of the square, in heights of the box."""
    shift_y: float = 0.0
    """How far the centre moves down, in heights of the box."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.scale) and 0.1 <= self.scale <= 10):
            raise ValueError(f"crop scale is {self.scale}; it can be 0.1 to 10 box heights")
        if not (math.isfinite(self.shift_y) and abs(self.shift_y) <= 1):
            raise ValueError(f"shift_y is {self.shift_y}; it can be -1 to 1 box heights")


def _default_maps() -> dict[str, CropMap]:
    # Measured: the frame of FER's images is 0.96 of YuNet's box height and well centred on it; on
    # nine real clips Haar's side is 0.90 of that height, its centre 0.015 higher.
    haar = CropMap(scale=1.06, shift_y=0.015)
    return {"haar": haar, "yunet": CropMap(scale=0.96), "annotation": haar}


@dataclass(frozen=True)
class CropConfig:
    """Size of the crops, and one map a detector. Kept in prepared data and in every checkpoint."""

    size_px: int = 96
    maps: Mapping[str, CropMap] = field(default_factory=_default_maps)
    """By detector name; `annotation` is for boxes that a data set brings with it, drawn as tightly
    as Haar's."""

    def __post_init__(self) -> None:
        if not 16 <= self.size_px <= 1024:
            raise ValueError(f"crop size_px is {self.size_px}; it can be 16 to 1024")

    def map_of(self, detector: str) -> CropMap:
        """Return the map of a detector's boxes.

        Raises:
            ValueError: There is none; those there are, are named.
        """
        if detector not in self.maps:
            raise ValueError(
                f"no crop map for the boxes of {detector!r}; there are maps for "
                f"{', '.join(sorted(self.maps))}"
            )
        return self.maps[detector]

    def to_json(self) -> dict[str, object]:
        """Return plain values that `json.dumps` takes, and `from_json` gives back as they were."""
        maps = {
            name: {"scale": m.scale, "shift_y": m.shift_y} for name, m in sorted(self.maps.items())
        }
        return {"size_px": self.size_px, "maps": maps}

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> CropConfig:
        """Build a config from what `to_json` gave.

        Raises:
            ValueError: A field is missing, unknown or of another type.
        """
        size_px, maps = values.get("size_px"), values.get("maps")
        if set(values) != {"size_px", "maps"}:
            raise ValueError(f"a crop config has size_px and maps; found {', '.join(values)}")
        if not isinstance(size_px, int) or not isinstance(maps, Mapping):
            raise ValueError(f"crop config: size_px {size_px!r} is no integer or maps no mapping")
        return cls(size_px, {str(name): _map_from_json(name, m) for name, m in maps.items()})


def _map_from_json(name: object, values: object) -> CropMap:
    if not isinstance(values, Mapping) or set(values) != {"scale", "shift_y"}:
        raise ValueError(f"crop map {name!r} has scale and shift_y; found {values!r}")
    if any(isinstance(v, bool) or not isinstance(v, int | float) for v in values.values()):
        raise ValueError(f"crop map {name!r} is two numbers; found {values!r}")
    return CropMap(scale=float(values["scale"]), shift_y=float(values["shift_y"]))


def crop_face(
    image: UInt8[np.ndarray, "h w 3"], box: Box, crop_map: CropMap, size_px: int
) -> UInt8[np.ndarray, "s s 3"]:
    """Cut the square that `crop_map` makes of `box`, at `size_px`.

    To a fraction of a pixel: on whole pixels, a small face would shake as its box drifts. What lies
    outside the frame repeats the frame's edge.
    """
    side = crop_map.scale * box.height_px
    left = (box.x1 + box.x2 - side) / 2
    top = (box.y1 + box.y2 - side) / 2 + crop_map.shift_y * box.height_px
    # Bilinear sampling aliases below half size, area averaging knows whole factors only: so sample
    # at a whole multiple of the wanted size, near the image's own resolution, then average.
    factor = max(1, math.ceil(side / size_px - 1e-6))
    step = side / (factor * size_px)
    # Pixel centres are at half integers: without the 0.5 every crop would move up and left.
    to_image = np.array(
        [[step, 0, left + step / 2 - 0.5], [0, step, top + step / 2 - 0.5]], dtype=np.float64
    )
    patch = cv2.warpAffine(
        image,
        to_image,
        (factor * size_px, factor * size_px),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    if factor > 1:
        patch = cv2.resize(patch, (size_px, size_px), interpolation=cv2.INTER_AREA)
    return np.asarray(patch, dtype=np.uint8)


def whole_crop(image: UInt8[np.ndarray, "h w 3"], size_px: int) -> UInt8[np.ndarray, "s s 3"]:
    """Bring an image that is a face crop already to the crops' size; squared at its middle."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side]
    if side == size_px:
        return square
    interpolation = cv2.INTER_AREA if side > size_px else cv2.INTER_LINEAR
    return cv2.resize(square, (size_px, size_px), interpolation=interpolation)
