"""A filter of a frame classifier's answers that learns little and forgets at a change."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from emotemporal.models.config import ModelConfig
from emotemporal.models.temporal import TemporalState

_LEAST_SHARE = 1e-3
"""Added to the averages before their logarithm is taken: what a sure classifier says of the others
must not go to minus infinity."""
_LEAST_SKETCH = 16


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
        self,
        features: Float[Tensor, "b t d"],
        state: TemporalState | None = None,
        lengths: Int[Tensor, " b"] | None = None,
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
