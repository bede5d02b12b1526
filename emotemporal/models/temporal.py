"""A stream's memory as a value: joined, taken apart, and as it is before the first frame."""

from __future__ import annotations

from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from emotemporal.models.config import ModelConfig


class TemporalState(NamedTuple):
    """What the head remembers of a stream. `b` streams advance together.

    Whatever the head, one tensor of `ModelConfig.memory_shape`, zeros where a stream starts. What
    its rows are is the head's to know.
    """

    hidden: Float[Tensor, "layers b d"]


def stack_states(states: list[TemporalState]) -> TemporalState:
    """Join the memories of single streams, so that they advance as one batch."""
    return TemporalState(torch.cat([state.hidden for state in states], dim=1))


def split_states(state: TemporalState) -> list[TemporalState]:
    """Take a batch's memory apart into one a stream."""
    return [
        TemporalState(rearrange(hidden, "layers d -> layers 1 d"))
        for hidden in state.hidden.unbind(dim=1)
    ]


def blank_state(config: ModelConfig) -> TemporalState:
    """Return the memory of one stream that has seen nothing; the same as passing None.

    So that a stream that starts can advance in one batch with others that run.
    """
    rows, width = config.memory_shape
    return TemporalState(torch.zeros(rows, 1, width))
