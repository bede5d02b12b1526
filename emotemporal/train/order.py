"""The ablation of time: training streams whose segments, or frames, come in another order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int

from emotemporal.types import Target

Shuffle = Literal["no", "segments", "frames"]


def shuffled_order(
    times_s: Float[np.ndarray, " t"],
    targets: Sequence[Target],
    shuffle: Shuffle,
    generator: torch.Generator,
) -> Int[np.ndarray, " t"]:
    """Return the order in which a stream's frames are trained on; each keeps its truth.

    `segments` moves the intervals of the truth as a whole: how long things last stays, what
    follows what does not, and every cut is hard. `frames` leaves nothing of time but that frames of
    one stream are alike.
    """
    if shuffle == "no":
        return np.arange(len(times_s))
    if shuffle == "frames":
        return torch.randperm(len(times_s), generator=generator).numpy()
    starts_s = np.sort([target.start_s for target in targets])  # a table of truth has any order
    segment = np.searchsorted(starts_s, times_s, side="right")
    present = np.unique(segment)
    order = present[torch.randperm(len(present), generator=generator).numpy()]
    return np.concatenate([np.flatnonzero(segment == number) for number in order])
