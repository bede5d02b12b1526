"""Emotions that are rare: shown more often or weighed more, and the prior that this leaves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from emotemporal.data.seeds import balanced_permutation, permutation
from emotemporal.labels import LabelSpace
from emotemporal.train.optim import OptimConfig

Classes = Sequence[int] | Int[np.ndarray, " n"]


def epoch_order(
    classes: Classes, config: OptimConfig, seed: int, epoch: int
) -> Int[np.ndarray, " n"]:
    """Return the order in which an epoch visits samples of these classes."""
    if config.sampling == "balanced":
        return balanced_permutation(classes, seed, epoch)
    return permutation(len(classes), seed, epoch)


def class_weights(
    counts: Float[np.ndarray, " k"], labels: LabelSpace, config: OptimConfig
) -> Float[Tensor, " k"] | None:
    """Return a loss weight an emotion, or None where all weigh alike.

    Inverse to how often it occurs; 1 on average over samples.

    Raises:
        ValueError: An emotion does not occur at all.
    """
    if config.class_weights == "none":
        return None
    _refuse_absent(counts, labels, "class_weights none")
    return torch.from_numpy(counts.sum() / (len(labels) * counts)).float()


def logit_offsets(
    counts: Float[np.ndarray, " k"], labels: LabelSpace, config: OptimConfig
) -> Float[Tensor, " k"] | None:
    """Return what the loss adds to the logits, or None where it takes them as they are.

    Logarithms of how often each emotion occurs (Menon et al. 2021, eq. 10, with tau = 1).

    Raises:
        ValueError: An emotion does not occur at all.
    """
    if config.loss == "cross_entropy":
        return None
    _refuse_absent(counts, labels, "loss cross_entropy")
    return torch.from_numpy(np.log(counts / counts.sum())).float()


def training_prior(counts: Float[np.ndarray, " k"], config: OptimConfig) -> tuple[float, ...]:
    """Return the prior that a network's logits assume: as collected, or alike where balanced."""
    return collected_prior(np.ones(len(counts)) if config.balanced_by else counts)


def collected_prior(counts: Float[np.ndarray, " k"]) -> tuple[float, ...]:
    """Return how often each emotion occurs."""
    return tuple(float(share) for share in counts / counts.sum())


def _refuse_absent(counts: Float[np.ndarray, " k"], labels: LabelSpace, instead: str) -> None:
    if np.any(counts == 0):
        absent = [name for name, count in zip(labels.names, counts, strict=True) if count == 0]
        raise ValueError(
            f"there is no {', '.join(absent)} to train on: a weight cannot make up for it. "
            f"Choose labels without it, or {instead}."
        )
