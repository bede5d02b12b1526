"""Cross-entropy against soft targets, over the frames whose truth is known."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def masked_cross_entropy(
    logits: Float[Tensor, "b t k"],
    targets: Float[Tensor, "b t k"],
    target_mask: Bool[Tensor, "b t"],
    class_weights: Float[Tensor, " k"] | None = None,
    label_smoothing: float = 0.0,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Return the summed loss of the known frames, and the weight that its mean divides by.

    Sum and weight apart, because a mean over several processes is the sum of sums over the sum of
    weights, not a mean of means.

    Args:
        logits: Unnormalised.
        targets: Sum to 1 where `target_mask` is true.
        target_mask: Which frames count; padding does not.
        class_weights: One an emotion, 1 on average.
        label_smoothing: Share of each target spread evenly (Szegedy et al. 2016, section 7).
    """
    num_labels = logits.shape[-1]
    targets = targets[target_mask].to(logits.dtype)
    smoothed = targets * (1 - label_smoothing) + label_smoothing / num_labels
    per_label = -smoothed * torch.log_softmax(logits[target_mask], dim=-1)
    if class_weights is None:
        return per_label.sum(), target_mask.sum().to(logits.dtype)
    return (per_label * class_weights).sum(), (targets * class_weights).sum()
