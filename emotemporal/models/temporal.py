"""Heads: what turns a stream of features into a stream of logits, with its memory in the open."""

from __future__ import annotations

from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from emotemporal.models.config import ModelConfig

_LEAST_LOG = -7.0
"""Of a probability: about 0.001. What a sure classifier says of the others must not fill the GRU's
input."""

_LEAST_SHARE = 1e-3
"""Added to a change filter's averages before their logarithm is taken, for the same reason."""
_LEAST_SKETCH = 16


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


class ChangeFilterHead(nn.Module):
    """Averages a frame classifier's answers since the features last changed: a learned filter.

    As long as the picture stays alike, frames are views of the same thing and their answers are
    averaged; a change of features, and not the answers, says that what came before counts less. It
    learns some two dozen numbers, too few to know stills by heart: how far frames are trusted,
    which change counts, how fast the rest is forgotten. The classifier stands still.

    Its memory holds a sketch of the features (a random projection, which keeps angles), the sum of
    answers and their number, and the smoothed answer; all zero where a stream starts.
    """

    def __init__(self, feature_dim: int, num_labels: int, config: ModelConfig) -> None:
        super().__init__()
        sketch_dim = config.hidden_dim - 2 * num_labels - 1
        if sketch_dim < _LEAST_SKETCH:
            raise ValueError(
                f"hidden_dim is {config.hidden_dim}; a change filter of {num_labels} labels needs "
                f"{_LEAST_SKETCH + 2 * num_labels + 1} or more"
            )
        self.frame_classifier = nn.Linear(feature_dim, num_labels).requires_grad_(False)
        self.sketch = nn.Linear(feature_dim, sketch_dim, bias=False).requires_grad_(False)
        self.trust = nn.Parameter(torch.tensor(1.0))
        self.frame_bias = nn.Parameter(torch.zeros(num_labels))
        # At first a change is one minus a cosine of 0.05; 0.98 of the sum is kept from frame to
        # frame, and sketch and answer go half of the way to the new ones.
        self.change_slope = nn.Parameter(torch.tensor(4.0))
        self.change_at = nn.Parameter(torch.tensor(-3.0))
        self.keep = nn.Parameter(torch.tensor(4.0))
        self.follow = nn.Parameter(torch.tensor(0.0))
        self.settle = nn.Parameter(torch.tensor(0.0))
        self.sharpness = nn.Parameter(torch.tensor(1.0))
        self.bias = nn.Parameter(torch.zeros(num_labels))

    def forward(
        self, features: Float[Tensor, "b t d"], state: TemporalState | None = None
    ) -> tuple[Float[Tensor, "b t k"], TemporalState]:
        """Advance the stream by `t` frames; `t = 1` is the live case, `t = T` the offline one."""
        sketches = functional.normalize(self.sketch(features), dim=-1)
        frames = (self.trust * self.frame_classifier(features) + self.frame_bias).softmax(-1)
        num_labels = frames.shape[-1]
        widths = [sketches.shape[-1], num_labels, 1, num_labels]
        if state is None:
            state = TemporalState(features.new_zeros(1, features.shape[0], sum(widths)))
        memory = _Memory(*torch.split(state.hidden[0], widths, dim=-1))
        answers = []
        for i in range(features.shape[1]):
            memory = self._advance(memory, sketches[:, i], frames[:, i])
            answers.append(memory.answer)
        shown = torch.stack(answers, dim=1)
        logits = self.sharpness * (shown + _LEAST_SHARE).log() + self.bias
        return logits, TemporalState(torch.cat(list(memory), dim=-1)[None])

    def _advance(
        self, memory: _Memory, sketch: Float[Tensor, "b d"], frame: Float[Tensor, "b k"]
    ) -> _Memory:
        is_new = memory.number == 0
        cosine = functional.cosine_similarity(sketch, memory.sketch, dim=-1)[:, None]
        change = (1 - cosine).clamp(min=1e-4).log()
        kept = torch.sigmoid(self.change_slope * (self.change_at - change))
        still_counts = kept * self.keep.sigmoid()
        total = still_counts * memory.total + frame
        number = still_counts * memory.number + 1
        # After a change the sketch is of the new picture at once.
        follow = 1 - kept * (1 - self.follow.sigmoid())
        settle = self.settle.sigmoid()
        one = torch.ones_like(number)
        return _Memory(
            memory.sketch + torch.where(is_new, one, follow) * (sketch - memory.sketch),
            total,
            number,
            memory.answer + torch.where(is_new, one, settle) * (total / number - memory.answer),
        )


class _Memory(NamedTuple):
    """A change filter's memory of `b` streams, taken apart."""

    sketch: Float[Tensor, "b d"]
    total: Float[Tensor, "b k"]
    number: Float[Tensor, "b 1"]
    answer: Float[Tensor, "b k"]


Head = FrameHead | GRUHead | LogitsGRUHead | ChangeFilterHead


def build_head(feature_dim: int, num_labels: int, config: ModelConfig) -> Head:
    """Return the head that `config` names.

    Raises:
        ValueError: Another name.
    """
    if config.head == "frame":
        return FrameHead(feature_dim, num_labels, config)
    if config.head == "gru" and config.head_input == "logits":
        return LogitsGRUHead(feature_dim, num_labels, config)
    if config.head == "change_filter":
        return ChangeFilterHead(feature_dim, num_labels, config)
    if config.head == "gru":
        return GRUHead(feature_dim, num_labels, config)
    raise ValueError(f"head is {config.head!r}; it can be 'frame', 'gru' or 'change_filter'")


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
