"""Images of faces as clips of one frame: read, cropped, changed for training, brought to size."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt8

from emotemporal.data.augmentation.augment import AugmentConfig, augment, far_and_compressed
from emotemporal.data.augmentation.changes import draw_changes
from emotemporal.data.collate import Sample
from emotemporal.data.crops import read_crop
from emotemporal.data.table import DatasetTable
from emotemporal.faces.crop import CropConfig
from emotemporal.preprocess import PreprocessConfig, preprocess

ChangeOn = Literal["loader", "device"]


@dataclass(frozen=True, eq=False)
class ImageSet:
    """The images of a table, each a clip of one frame.

    What `sample` gives is a function of its arguments, the seed and the files: whoever calls it,
    in whatever process and order, gets the same bytes.
    """

    table: DatasetTable
    targets: Float[np.ndarray, "n k"]
    preprocess: PreprocessConfig
    crop: CropConfig
    crops: CropSource
    augment: AugmentConfig | None = None
    """None where the images are judged, not trained on."""
    change_on: ChangeOn = "loader"
    """With `device`, samples come at the network's size, changed only as a batch cannot be; the
    rest is the caller's (`augment_batch`)."""

    def __len__(self) -> int:
        return len(self.table)

    def sample(self, index: int, generator: torch.Generator) -> Sample:
        """Return image `index` as the network sees it.

        Raises:
            ImageError: The file cannot be read, by name.
        """
        crops = self.crops.get(self, index)[None]
        if self.augment is not None and self.change_on == "loader":
            crops = augment(crops, self.augment, generator)
        frames = preprocess(crops, self.preprocess)
        if self.augment is not None and self.change_on == "device":
            drawn = draw_changes(self.augment, self.preprocess.size_px, generator)
            frames = far_and_compressed(frames, drawn)
        rows = self.table.rows
        return Sample(
            frames=frames,
            targets=self.targets[index][None].astype(np.float32),
            target_mask=np.ones(1, dtype=np.bool_),
            subject=str(rows["subject"].iloc[index]),
            source=str(rows["path"].iloc[index]),
        )

    def read_crop(self, index: int) -> UInt8[np.ndarray, "s s 3"]:
        """Read and crop image `index`."""
        return read_crop(self.table, index, self.crop)


@runtime_checkable
class CropSource(Protocol):
    """Where a set's crops come from; it changes no byte of them."""

    def get(self, images: ImageSet, index: int) -> UInt8[np.ndarray, "s s 3"]:
        """Return the crop of row `index`; not to be written to."""


@dataclass(eq=False)
class ImageCache:
    """Keeps decoded crops in memory, up to a limit, so that later epochs do not decode again.

    It changes no byte of what is given. Each loader process has its own.
    """

    limit_bytes: int = 1 << 30
    _crops: dict[int, UInt8[np.ndarray, "s s 3"]] = field(default_factory=dict, init=False)
    _used: int = field(default=0, init=False)

    def get(self, images: ImageSet, index: int) -> UInt8[np.ndarray, "s s 3"]:
        """Return a crop of `images`, reading it if it is not here yet."""
        if index in self._crops:
            return self._crops[index]
        crop = images.read_crop(index)
        if self._used + crop.nbytes <= self.limit_bytes:
            self._crops[index] = crop
            self._used += crop.nbytes
        return crop
