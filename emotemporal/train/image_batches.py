"""An epoch of images as batches: loaded, changed one by one or on the device, mixed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from einops import rearrange

from emotemporal.data.augmentation.batch import augment_batch
from emotemporal.data.augmentation.changes import AugmentConfig, draw_changes
from emotemporal.data.augmentation.mix import MixConfig, mix_batch
from emotemporal.data.collate import Batch
from emotemporal.data.images import ImageSet
from emotemporal.data.loading import load_batches
from emotemporal.data.seeds import derive_seed, sample_generator


@dataclass(frozen=True)
class ImageBatches:
    """What happens to training images between a set and the network, besides loading."""

    mix: MixConfig
    seed: int
    rank: int
    """This process among those that share the training; its noise and mixing are its own."""
    num_workers: int
    device: torch.device

    def load(
        self, images: ImageSet, rows: Sequence[Sequence[int]], epoch: int, first: int
    ) -> Iterator[Batch]:
        """Return an epoch's batches from number `first` on.

        What a set leaves for the device (`change_on`) is done there, for a whole batch at a time.

        Args:
            images: To train on.
            rows: Of every batch of the epoch.
            epoch: Its number; randomness is a function of seed, epoch and row or batch.
            first: The first batch that is wanted.
        """
        loaded = load_batches(images, rows[first:], self.seed, epoch, self.num_workers)
        for number, batch in enumerate(loaded, start=first):
            ready = batch
            if images.augment is not None and images.change_on == "device":
                ready = self._change(batch, images, images.augment, rows[number], epoch, number)
            seed = derive_seed(self.seed, "mix", epoch, number, self.rank)
            yield mix_batch(ready, self.mix, torch.Generator().manual_seed(seed))

    def _change(
        self,
        batch: Batch,
        images: ImageSet,
        config: AugmentConfig,
        rows: Sequence[int],
        epoch: int,
        number: int,
    ) -> Batch:
        side = images.preprocess.size_px
        drawn = [draw_changes(config, side, sample_generator(self.seed, epoch, i)) for i in rows]
        seed = derive_seed(self.seed, "noise", epoch, number, self.rank)
        noise = torch.Generator(self.device).manual_seed(seed)
        there = batch.to(self.device)
        changed = augment_batch(rearrange(there.frames, "b 1 h w c -> b h w c"), drawn, noise)
        return replace(there, frames=rearrange(changed, "b h w c -> b 1 h w c"))
