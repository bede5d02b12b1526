"""Recurrent heads: what is remembered of a stream has a fixed size."""

from __future__ import annotations

from typing import TypeVar

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from emotemporal.models.config import ModelConfig
from emotemporal.models.temporal import TemporalState

_Kind = TypeVar("_Kind", nn.GRU, nn.LSTM)

_LEAST_LOG = -7.0
"""Of a probability: about 0.001. What a sure classifier says of the others must not fill the GRU's
input."""


class GRUHead(nn.Module):
    """A causal GRU (Cho et al. 2014): frame `i`'s logits depend on frames up to `i` only."""

    def __init__(self, feature_dim: int, num_labels: int, config: ModelConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(feature_dim)
        self.dropout = nn.Dropout(config.dropout)
        self.gru = _layers(nn.GRU, feature_dim, config)
        self.classifier = nn.Linear(config.hidden_dim, num_labels)

    def forward(
        self,
        features: Float[Tensor, "b t d"],
        state: TemporalState | None = None,
        lengths: Int[Tensor, " b"] | None = None,
    ) -> tuple[Float[Tensor, "b t k"], TemporalState]:
        """Advance the stream by `t` frames; `t = 1` is the live case, `t = T` the offline one."""
        hidden = None if state is None else state.hidden
        outputs, hidden = self.gru(self.dropout(self.norm(features)), hidden)
        return self.classifier(outputs), TemporalState(hidden)


class LSTMHead(nn.Module):
    """A causal LSTM (Hochreiter and Schmidhuber 1997, with forget gates: Gers et al. 2000).

    Its memory is the layers' outputs, then the layers' cells.
    """

    def __init__(self, feature_dim: int, num_labels: int, config: ModelConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(feature_dim)
        self.dropout = nn.Dropout(config.dropout)
        self.lstm = _layers(nn.LSTM, feature_dim, config)
        self.classifier = nn.Linear(config.hidden_dim, num_labels)

    def forward(
        self,
        features: Float[Tensor, "b t d"],
        state: TemporalState | None = None,
        lengths: Int[Tensor, " b"] | None = None,
    ) -> tuple[Float[Tensor, "b t k"], TemporalState]:
        """Advance the stream by `t` frames; `t = 1` is the live case, `t = T` the offline one."""
        before = None
        if state is not None:
            outputs, cells = rearrange(state.hidden, "(two layers) b d -> two layers b d", two=2)
            before = (outputs.contiguous(), cells.contiguous())
        outputs, after = self.lstm(self.dropout(self.norm(features)), before)
        return self.classifier(outputs), TemporalState(torch.cat(after))


class LogitsGRUHead(nn.Module):
    """A causal GRU that is told only what a frame classifier made of each frame.

    The classifier is part of the head, so that it travels with it, but never learns here: what the
    GRU adds is what can be known from answers over time alone.
    """

    def __init__(self, feature_dim: int, num_labels: int, config: ModelConfig) -> None:
        super().__init__()
        self.frame_classifier = nn.Linear(feature_dim, num_labels).requires_grad_(False)
        self.gru = _layers(nn.GRU, num_labels, config)
        self.classifier = nn.Linear(config.hidden_dim, num_labels)

    def forward(
        self,
        features: Float[Tensor, "b t d"],
        state: TemporalState | None = None,
        lengths: Int[Tensor, " b"] | None = None,
    ) -> tuple[Float[Tensor, "b t k"], TemporalState]:
        """Advance the stream by `t` frames; `t = 1` is the live case, `t = T` the offline one."""
        hidden = None if state is None else state.hidden
        answers = self.frame_classifier(features).log_softmax(-1).clamp(min=_LEAST_LOG)
        outputs, hidden = self.gru(answers, hidden)
        return self.classifier(outputs), TemporalState(hidden)


class BidirectionalGRUHead(nn.Module):
    """Two GRUs, one from each end of the clip (Schuster and Paliwal 1997): offline only.

    Every frame's logits have seen the whole clip, to its last real frame and not into the padding.
    There is no memory to go on from: what comes next would change what was said.
    """

    def __init__(self, feature_dim: int, num_labels: int, config: ModelConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(feature_dim)
        self.dropout = nn.Dropout(config.dropout)
        self.gru = _layers(nn.GRU, feature_dim, config, bidirectional=True)
        self.classifier = nn.Linear(2 * config.hidden_dim, num_labels)

    def forward(
        self,
        features: Float[Tensor, "b t d"],
        state: TemporalState | None = None,
        lengths: Int[Tensor, " b"] | None = None,
    ) -> tuple[Float[Tensor, "b t k"], TemporalState]:
        """Judge whole clips; with `lengths`, the frames beyond are padding and their logits void.

        Raises:
            ValueError: A state is given: the clip would begin before its first frame.
        """
        if state is not None:
            raise ValueError(
                "a bidirectional GRU cannot go on from a state: it judges a frame by what comes "
                "after it, so it needs the whole clip at once. For streams train a 'gru'"
            )
        inputs = self.dropout(self.norm(features))
        if lengths is None:
            outputs, _ = self.gru(inputs)
        else:
            # The backward GRU starts at each clip's own last frame.
            packed = pack_padded_sequence(
                inputs, lengths.cpu(), batch_first=True, enforce_sorted=False
            )
            outputs, _ = pad_packed_sequence(
                self.gru(packed)[0], batch_first=True, total_length=features.shape[1]
            )
        nothing = features.new_zeros(0, features.shape[0], 0)
        return self.classifier(outputs), TemporalState(nothing)


def _layers(
    kind: type[_Kind], input_dim: int, config: ModelConfig, bidirectional: bool = False
) -> _Kind:
    return kind(
        input_dim,
        config.hidden_dim,
        config.num_layers,
        batch_first=True,
        dropout=config.dropout if config.num_layers > 1 else 0.0,
        bidirectional=bidirectional,
    )
