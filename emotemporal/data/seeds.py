"""All randomness of a job from one seed: pure functions of (seed, epoch, index).

A sample's randomness does not depend on who loads it, in what order, or after what interruption,
so any number of workers gives the same bits, and so does a run that was killed and resumed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int


def derive_seed(seed: int, purpose: str, *numbers: int) -> int:
    """Return a seed for one purpose of a job, such as `derive_seed(7, "dropout", epoch)`.

    Hashed, not added: `seed + epoch` would give epoch 1 of seed 0 and epoch 0 of seed 1 the same.
    """
    text = "/".join([purpose, str(seed), *map(str, numbers)])
    # torch's CPU generator keeps only the lower 32 bits; 63 also fit a signed integer.
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def sample_generator(seed: int, epoch: int, index: int) -> torch.Generator:
    """Return the generator from which everything random about one sample in one epoch is drawn.

    Args:
        seed: The job's.
        epoch: Which time the data set is gone through.
        index: The sample's row in its data set, not its place in the epoch.
    """
    return torch.Generator().manual_seed(derive_seed(seed, "sample", epoch, index))


def permutation(n: int, seed: int, epoch: int) -> Int[np.ndarray, " n"]:
    """Return 0 to `n - 1` in the order in which this epoch visits them."""
    generator = torch.Generator().manual_seed(derive_seed(seed, "permutation", epoch))
    return torch.randperm(n, generator=generator).numpy()


def balanced_permutation(
    classes: Sequence[int] | Int[np.ndarray, " n"],
    seed: int,
    epoch: int,
    num_draws: int | None = None,
) -> Int[np.ndarray, " m"]:
    """Return rows in which every class occurs equally often, give or take one.

    No row comes again before every row of its class has come. Which rows of a frequent class an
    epoch leaves out is drawn anew each epoch.

    Args:
        classes: Each row's class. A class that no row has is not drawn.
        seed: The job's.
        epoch: Which time the data set is gone through.
        num_draws: How many rows to return; as many as there are, unless given.

    Raises:
        ValueError: No rows to draw from, or a negative number of draws.
    """
    rows_of = [np.flatnonzero(np.asarray(classes) == c) for c in np.unique(np.asarray(classes))]
    count = len(classes) if num_draws is None else num_draws
    if not rows_of or count < 0:
        raise ValueError(f"cannot draw {count} of {len(classes)} rows; give some rows to draw from")
    generator = torch.Generator().manual_seed(derive_seed(seed, "balanced", epoch))
    share, left_over = divmod(count, len(rows_of))
    gets_one_more = torch.randperm(len(rows_of), generator=generator)[:left_over].tolist()
    drawn = [
        _cycle_shuffled(rows, share + (c in gets_one_more), generator)
        for c, rows in enumerate(rows_of)
    ]
    order = torch.randperm(count, generator=generator).numpy()
    return np.concatenate(drawn)[order]


def _cycle_shuffled(
    rows: Int[np.ndarray, " n"], count: int, generator: torch.Generator
) -> Int[np.ndarray, " m"]:
    num_rounds = -(-count // len(rows))
    rounds = [
        rows[torch.randperm(len(rows), generator=generator).numpy()] for _ in range(num_rounds)
    ]
    return np.concatenate([*rounds, rows[:0]])[:count].astype(np.int64)
