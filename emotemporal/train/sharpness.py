"""Sharpness-aware minimisation (Foret et al. 2021): the gradient from the worst place nearby."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def at_worst_nearby(net: nn.Module, rho: float) -> Iterator[None]:
    """Move the weights up their gradient by `rho`, clear the gradient, and move them back after.

    Equation 2 of the paper, with the Euclidean norm over all weights. The gradients that are there
    when it is entered say where up is; those made inside are what the optimiser then follows. Where
    they are not finite, no weight moves.
    """
    learning = [p for p in net.parameters() if p.grad is not None]
    before = [p.detach().clone() for p in learning]
    with torch.no_grad():
        grads = [p.grad for p in learning if p.grad is not None]
        norm = torch.linalg.vector_norm(torch.stack([g.norm() for g in grads]))
        for parameter, grad in zip(learning, grads, strict=True):
            step = grad * (rho / norm.clamp(min=1e-12))
            # In 16 bits the first gradients may overflow, which only skips a step; a weight that is
            # no number for a moment would stay in batch normalisation's statistics.
            parameter.add_(step.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0))
            parameter.grad = None
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, value in zip(learning, before, strict=True):
                parameter.copy_(value)  # exact, where taking the step off again would round
