"""What the processes of one training tell each other. With one process nothing is said."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from lightning_fabric import Fabric
from torch import Tensor


def sum_over(fabric: Fabric, values: Sequence[float]) -> list[float]:
    """Return the sums of each value over all processes."""
    if fabric.world_size == 1:
        return list(values)
    local = torch.tensor(values, dtype=torch.float64, device=fabric.device)
    total = fabric.all_reduce(local, reduce_op="sum")
    assert isinstance(total, Tensor)
    return [float(value) for value in total.tolist()]


def is_true_anywhere(fabric: Fabric, claims: Sequence[bool]) -> list[bool]:
    """Return of each claim whether any process makes it: what one does, all must do."""
    return [value > 0 for value in sum_over(fabric, [float(claim) for claim in claims])]
