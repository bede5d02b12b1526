"""Heads: what turns a stream of features into a stream of logits, with its memory in the open."""

from __future__ import annotations

from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from emotemporal.models.meta import ModelConfig

_LEAST_LOG = -7.0
"""Of a probability: about 0.001. What a sure classifier says of the others must not fill the GRU's
input."""


class TemporalState(NamedTuple):
    """What the head remembers of a stream. `b` streams advance together."""

    hidden: Float[Tensor, "layers b d"]


class FrameHead(nn.Module):
    """Judge each frame by itself: the baseline every temporal head is held against."""

    def __init__(self, feature_dim: int, num_labels: int, config: ModelConfig) -> None:
        super().__init__()
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(feature_dim, num_labels)

    def forward(
        self, features: Float[Tensor, "b t d"], state: TemporalState | None = None
    ) -> tuple[Float[Tensor, "b t k"], TemporalState]:
        """Return logits; the state is empty and stays so."""
        if state is None:
            state = TemporalState(features.new_zeros(0, features.shape[0], 0))
        return self.classifier(self.dropout(features)), state


class GRUHead(nn.Module):
    """A causal GRU (Cho et al. 2014): frame `i`'s logits depend on frames up to `i` only."""

    def __init__(self, feature_dim: int, num_labels: int, config: ModelConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(feature_dim)
        self.dropout = nn.Dropout(config.dropout)
        between_layers = config.dropout if config.num_layers > 1 else 0.0
        self.gru = nn.GRU(
            feature_dim,
            config.hidden_dim,
            config.num_layers,
            batch_first=True,
            dropout=between_layers,
        )
        self.classifier = nn.Linear(config.hidden_dim, num_labels)

    def forward(
        self, features: Float[Tensor, "b t d"], state: TemporalState | None = None
    ) -> tuple[Float[Tensor, "b t k"], TemporalState]:
        """Advance the stream by `t` frames; `t = 1` is the live case, `t = T` the offline one."""
        hidden = None if state is None else state.hidden
        outputs, hidden = self.gru(self.dropout(self.norm(features)), hidden)
        return self.classifier(outputs), TemporalState(hidden)


class LogitsGRUHead(nn.Module):
    """A causal GRU that is told only what a frame classifier made of each frame.

    The classifier is part of the head, so that it travels with it, but never learns here: what the
    GRU adds is what can be known from answers over time alone.
    """

    def __init__(self, feature_dim: int, num_labels: int, config: ModelConfig) -> None:
        super().__init__()
        self.frame_classifier = nn.Linear(feature_dim, num_labels).requires_grad_(False)
        between_layers = config.dropout if config.num_layers > 1 else 0.0
        self.gru = nn.GRU(
            num_labels,
            config.hidden_dim,
            config.num_layers,
            batch_first=True,
            dropout=between_layers,
        )
        self.classifier = nn.Linear(config.hidden_dim, num_labels)

    def forward(
        self, features: Float[Tensor, "b t d"], state: TemporalState | None = None
    ) -> tuple[Float[Tensor, "b t k"], TemporalState]:
        """Advance the stream by `t` frames; `t = 1` is the live case, `t = T` the offline one."""
        hidden = None if state is None else state.hidden
        answers = self.frame_classifier(features).log_softmax(-1).clamp(min=_LEAST_LOG)
        outputs, hidden = self.gru(answers, hidden)
        return self.classifier(outputs), TemporalState(hidden)


Head = FrameHead | GRUHead | LogitsGRUHead


def build_head(feature_dim: int, num_labels: int, config: ModelConfig) -> Head:
    """Return the head that `config` names.

    Raises:
        ValueError: Another name.
    """
    if config.head == "frame":
        return FrameHead(feature_dim, num_labels, config)
    if config.head == "gru" and config.head_input == "logits":
        return LogitsGRUHead(feature_dim, num_labels, config)
    if config.head == "gru":
        return GRUHead(feature_dim, num_labels, config)
    raise ValueError(f"head is {config.head!r}; it can be 'frame' or 'gru'")


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
    if config.head == "frame":
        return TemporalState(torch.zeros(0, 1, 0))
    return TemporalState(torch.zeros(config.num_layers, 1, config.hidden_dim))
