"""The face in an image of a table: cut out by its annotated box, or the whole. No torch."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8

from emotemporal.data.table import DatasetTable, box_of, file_of
from emotemporal.faces.crop import CropConfig, crop_face, whole_crop
from emotemporal.video.image import ImageError, read_image

_MAX_HEIGHTS = 4  # of the image: far above any face that is cut off


def read_crop(table: DatasetTable, row: int, crop: CropConfig) -> UInt8[np.ndarray, "s s 3"]:
    """Read the image of a row, and crop it.

    Raises:
        FileNotFoundError: It is not there.
        ImageError: The file cannot be read, or its box is of another image; by name.
    """
    return crop_image(read_image(file_of(table, row)), table, row, crop)


def crop_image(
    image: UInt8[np.ndarray, "h w 3"], table: DatasetTable, row: int, crop: CropConfig
) -> UInt8[np.ndarray, "s s 3"]:
    """Crop a row's image: by its annotated box, or whole if it has none.

    Raises:
        ImageError: The box is many times as high as the image; cutting it out would take memory
            without end.
    """
    box = box_of(table, row)
    if box is not None:
        height, width = image.shape[:2]
        if box.height_px > _MAX_HEIGHTS * max(height, width):
            raise ImageError(
                f"{file_of(table, row)}: its face box is {box.height_px:.0f} px high, in an image "
                f"of {width} x {height} px; correct the list, or leave it out with --exclude"
            )
        return crop_face(image, box, crop.map_of("annotation"), crop.size_px)
    return whole_crop(image, crop.size_px)
