"""Changes to face crops, a whole batch at a time, on whatever device it is on.

Does with tensors what `augment` does image by image, for the same draws, so that a GPU need not
wait for the CPU that feeds it. Rounding differs by a level or two where pixels are interpolated,
and noise comes from the device's own generator; far cameras and the codec, which a batch cannot
do, are left to the loader (`far_and_compressed`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from einops import rearrange, repeat
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional

from emotemporal.data.augmentation.changes import Changes

_LEAST_BLUR_PX = 0.1
"""As in `degrade`: below, the kernel is one pixel."""


def augment_batch(
    crops: UInt8[Tensor, "b s s 3"], drawn: Sequence[Changes], noise: torch.Generator
) -> UInt8[Tensor, "b s s 3"]:
    """Change crops, each as was drawn for it.

    Args:
        crops: RGB, 0 to 255. Not written to.
        drawn: One a crop, for crops of this size.
        noise: Of the crops' device.
    """
    values = rearrange(crops, "b h w c -> b c h w").float()
    values = _warp(values, drawn)
    values = _recolour(values, drawn)
    values = _blur(values, drawn)
    values = _add_noise(values, drawn, noise)
    values = _hide(values, drawn)
    # Laid out as loaded batches are: the layout decides which convolutions the network is given.
    return rearrange(values.to(torch.uint8), "b c h w -> b h w c").contiguous()


def _warp(values: Float[Tensor, "b c s s"], drawn: Sequence[Changes]) -> Float[Tensor, "b c s s"]:
    side = values.shape[-1]
    whole = np.stack([np.vstack([one.matrix, [0, 0, 1]]) for one in drawn])
    # From where each pixel comes, in pixels; grid_sample counts from -1 to 1, corner to corner.
    backwards = np.linalg.inv(whole)
    to_pixels = np.array([[(side - 1) / 2, 0, (side - 1) / 2], [0, (side - 1) / 2, (side - 1) / 2]])
    to_pixels = np.vstack([to_pixels, [0, 0, 1]])
    theta = (np.linalg.inv(to_pixels) @ backwards @ to_pixels)[:, :2]
    grid = functional.affine_grid(
        _on(theta, values), [len(values), 1, side, side], align_corners=True
    )
    warped = functional.grid_sample(
        values, grid, mode="bilinear", padding_mode="border", align_corners=True
    )
    return warped.round()


def _recolour(
    values: Float[Tensor, "b c s s"], drawn: Sequence[Changes]
) -> Float[Tensor, "b c s s"]:
    colours = _on(np.stack([one.colours for one in drawn]), values)
    mixed = torch.einsum("b d c, b c h w -> b d h w", colours, values).round().clamp(0, 255)
    tones = _on(np.stack([one.tones for one in drawn]), values)
    looked_up = tones.gather(1, rearrange(mixed, "b c h w -> b (c h w)").long())
    return looked_up.view_as(values)


def _blur(values: Float[Tensor, "b c s s"], drawn: Sequence[Changes]) -> Float[Tensor, "b c s s"]:
    sizes = np.array([one.blur_px for one in drawn])
    rows = np.flatnonzero(sizes > _LEAST_BLUR_PX)
    if not len(rows):
        return values
    # OpenCV's rule for the width of an 8-bit kernel: 3 deviations to each side, rounded.
    radii = (np.round(sizes[rows] * 6 + 1).astype(int) | 1) // 2
    reach = min(int(radii.max()), values.shape[-1] - 1)
    offsets = np.arange(-reach, reach + 1)
    kernels = np.exp(-0.5 * (offsets[None] / sizes[rows, None]) ** 2)
    kernels *= np.abs(offsets)[None] <= radii[:, None]
    kernels /= kernels.sum(axis=1, keepdims=True)
    channels = values.shape[1]
    kernel = repeat(_on(kernels, values), "b k -> (b c) 1 1 k", c=channels)
    chosen = torch.from_numpy(rows).to(values.device)
    blurred = rearrange(values[chosen], "b c h w -> 1 (b c) h w")
    for turned in (kernel, kernel.transpose(-1, -2)):
        margin = [reach, reach, 0, 0] if turned.shape[-1] > 1 else [0, 0, reach, reach]
        padded = functional.pad(blurred, margin, mode="reflect")
        blurred = functional.conv2d(padded, turned, groups=len(turned))
    split = rearrange(blurred, "1 (b c) h w -> b c h w", c=channels)
    return values.index_copy(0, chosen, split.round().clamp(0, 255))


def _add_noise(
    values: Float[Tensor, "b c s s"], drawn: Sequence[Changes], noise: torch.Generator
) -> Float[Tensor, "b c s s"]:
    deviations = np.array([one.noise for one in drawn], dtype=np.float32)
    if not deviations.any():
        return values
    normal = torch.randn(values.shape, generator=noise, device=values.device)
    added = values + normal * rearrange(_on(deviations, values), "b -> b 1 1 1")
    return added.round().clamp(0, 255)


def _hide(values: Float[Tensor, "b c s s"], drawn: Sequence[Changes]) -> Float[Tensor, "b c s s"]:
    side = values.shape[-1]
    at = torch.arange(side, device=values.device)
    x1, y1, x2, y2 = _on(np.array([one.rectangle for one in drawn]), values).T[:, :, None]
    is_across, is_down = (at >= x1) & (at < x2), (at >= y1) & (at < y2)
    is_covered = rearrange(is_down, "b h -> b 1 h 1") & rearrange(is_across, "b w -> b 1 1 w")
    fill = rearrange(_on(np.stack([one.fill for one in drawn]), values), "b c -> b c 1 1")
    values = torch.where(is_covered, fill, values)
    if all(one.ellipse is None for one in drawn):
        return values
    everywhere = (0.5, 0.5, 9.0, 9.0)
    ellipses = np.array([one.ellipse or everywhere for one in drawn])
    x, y, radius_x, radius_y = _on(ellipses, values).T[:, :, None]
    middles = (at + 0.5) / side
    across, down = ((middles - x) / radius_x) ** 2, ((middles - y) / radius_y) ** 2
    is_outside = rearrange(down, "b h -> b 1 h 1") + rearrange(across, "b w -> b 1 1 w") > 1
    return torch.where(is_outside, torch.zeros_like(values), values)


def _on(array: np.ndarray, values: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(values.device, torch.float32)
