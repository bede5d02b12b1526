"""The face in an image of a table: cut out by its annotated box, or the whole. No torch."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8

from emotemporal.data.table import DatasetTable, box_of, file_of
from emotemporal.faces.crop import CropConfig, crop_face, whole_crop
from emotemporal.video.image import read_image


def read_crop(table: DatasetTable, row: int, crop: CropConfig) -> UInt8[np.ndarray, "s s 3"]:
    """Read the image of a row, and crop it.

    Raises:
        FileNotFoundError: It is not there.
        ImageError: The file cannot be read, by name.
    """
    return crop_image(read_image(file_of(table, row)), table, row, crop)


def crop_image(
    image: UInt8[np.ndarray, "h w 3"], table: DatasetTable, row: int, crop: CropConfig
) -> UInt8[np.ndarray, "s s 3"]:
    """Crop a row's image: by its annotated box, or whole if it has none."""
    box = box_of(table, row)
    if box is not None:
        return crop_face(image, box, crop.map_of("annotation"), crop.size_px)
    return whole_crop(image, crop.size_px)
