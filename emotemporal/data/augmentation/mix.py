"""Mix the clips of a batch with each other: mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019).

torchvision has both, drawing from the global generator and for images of one length.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor

from emotemporal.data.collate import Batch


@dataclass(frozen=True)
class MixConfig:
    """How often, and how evenly, clips are mixed. Both alphas zero: never.

    Raises:
        ValueError: A share outside 0 to 1, or a negative alpha.
    """

    mixup_alpha: float = 0.0
    """Blends whole frames; the share of each clip is drawn from Beta(alpha, alpha)."""
    cutmix_alpha: float = 0.0
    """Pastes a rectangle, the same in all frames. With mixup on as well, a batch gets either."""
    share: float = 1.0
    """Of the batches that are mixed at all."""

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"share is {self.share}; it can be 0 to 1")
        if not (self.mixup_alpha >= 0 and self.cutmix_alpha >= 0):
            raise ValueError(
                f"mixup_alpha is {self.mixup_alpha} and cutmix_alpha {self.cutmix_alpha}; "
                "neither can be below 0"
            )


def mix_batch(batch: Batch, config: MixConfig, generator: torch.Generator) -> Batch:
    """Mix each clip with another of the batch, and its targets in the same proportion.

    Two clips have truth together only where both have it: masks are joined by AND, and a mixed
    clip is as long as the shorter one. Subjects and sources are those of the clip that was mixed
    into.

    Args:
        batch: On any device. Not written to.
        config: How often and how evenly.
        generator: On the CPU; the only source of randomness.
    """
    is_mixed, is_cut = torch.rand(2, generator=generator).tolist()
    partner = torch.randperm(len(batch), generator=generator)
    # torch's own beta distribution takes no generator.
    rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
    if not is_mixed < config.share or config.mixup_alpha == config.cutmix_alpha == 0:
        return batch
    if config.cutmix_alpha > 0 and (config.mixup_alpha == 0 or is_cut < 0.5):
        return _cut(batch, partner.to(batch.frames.device), config.cutmix_alpha, rng)
    return _blend(batch, partner.to(batch.frames.device), config.mixup_alpha, rng)


def _blend(
    batch: Batch, partner: Int[Tensor, " b"], alpha: float, rng: np.random.Generator
) -> Batch:
    kept = torch.from_numpy(rng.beta(alpha, alpha, len(batch)).astype(np.float32))
    kept = kept.to(batch.frames.device)
    share = rearrange(kept, "b -> b 1 1 1 1")
    frames = torch.lerp(batch.frames[partner].float(), batch.frames.float(), share)
    return _join(replace(batch, frames=frames.round().to(torch.uint8)), batch, partner, kept)


def _cut(batch: Batch, partner: Int[Tensor, " b"], alpha: float, rng: np.random.Generator) -> Batch:
    height, width = batch.frames.shape[2:4]
    is_pasted = np.zeros((len(batch), height, width), dtype=bool)
    for mask in is_pasted:
        side = np.sqrt(1 - rng.beta(alpha, alpha))
        y, x = int(rng.integers(height)), int(rng.integers(width))
        mask[_around(y, side * height), _around(x, side * width)] = True
    pasted = torch.from_numpy(is_pasted).to(batch.frames.device)
    frames = torch.where(
        rearrange(pasted, "b h w -> b 1 h w 1"), batch.frames[partner], batch.frames
    )
    # The rectangle may reach over the edge: what counts is how much of it is seen.
    kept = 1 - pasted.float().mean(dim=(1, 2))
    return _join(replace(batch, frames=frames), batch, partner, kept)


def _around(centre: int, length: float) -> slice:
    return slice(max(0, round(centre - length / 2)), round(centre + length / 2))


def _join(
    mixed: Batch, batch: Batch, partner: Int[Tensor, " b"], kept: Float[Tensor, " b"]
) -> Batch:
    lengths = torch.minimum(batch.lengths, batch.lengths[partner])
    share = rearrange(kept, "b -> b 1 1").to(batch.targets.dtype)
    targets = torch.lerp(batch.targets[partner], batch.targets, share)
    mask = batch.target_mask & batch.target_mask[partner]
    ticks = torch.arange(batch.frames.shape[1], device=batch.frames.device)
    is_real: Bool[Tensor, "b t"] = ticks < lengths[:, None]
    return replace(
        mixed,
        frames=mixed.frames * rearrange(is_real, "b t -> b t 1 1 1"),
        lengths=lengths,
        targets=targets * is_real[:, :, None],
        target_mask=mask & is_real,
    )
