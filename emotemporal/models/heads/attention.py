"""Attention pooling: which frames of a stream count, whatever their order."""

from __future__ import annotations

import torch
from einops import einsum, rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from emotemporal.models.config import ModelConfig
from emotemporal.models.temporal import TemporalState


class AttentionPoolingHead(nn.Module):
    """Judge the weighted mean of the frames so far; a learned score says how much each counts.

    Its answer after the last frame does not depend on the order of the frames: it shows what can be
    gained from a better mean than the plain one, without time.

    Its memory is the mean so far, the logarithm of its weight, and 1 where the stream has begun. A
    new frame joins by their two weights alone, so an endless stream needs no more (the online
    softmax).

    Source:
        Gated attention: Ilse et al. 2018, "Attention-based deep multiple instance learning", eq. 9;
        for frames of a face: Meng et al. 2019, "Frame attention networks". The running form:
        Milakov and Gimelshein 2018, "Online normalizer calculation for softmax".
    """

    def __init__(self, feature_dim: int, num_labels: int, config: ModelConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(feature_dim)
        self.dropout = nn.Dropout(config.dropout)
        self.value = nn.Linear(feature_dim, config.hidden_dim)
        self.content = nn.Linear(feature_dim, config.hidden_dim)
        self.gate = nn.Linear(feature_dim, config.hidden_dim)
        self.score = nn.Linear(config.hidden_dim, 1)
        self.classifier = nn.Linear(config.hidden_dim, num_labels)

    def forward(
        self,
        features: Float[Tensor, "b t d"],
        state: TemporalState | None = None,
        lengths: Int[Tensor, " b"] | None = None,
    ) -> tuple[Float[Tensor, "b t k"], TemporalState]:
        """Advance the stream by `t` frames; `t = 1` is the live case, `t = T` the offline one."""
        inputs = self.dropout(self.norm(features))
        values = torch.relu(self.value(inputs))
        gated = torch.tanh(self.content(inputs)) * torch.sigmoid(self.gate(inputs))
        scores = self.score(gated)[..., 0]
        num_frames = values.shape[1]
        if state is not None:
            widths = [values.shape[-1], 1, 1]
            mean, log_weight, has_begun = torch.split(state.hidden[0], widths, dim=-1)
            # What was so far joins as one more frame; before the first there is none.
            past = torch.where(has_begun > 0, log_weight, -torch.inf)
            values = torch.cat([mean[:, None], values], dim=1)
            scores = torch.cat([past, scores], dim=1)
        means, log_weights = _running_means(values, scores, num_frames)
        last = [means[:, -1], log_weights[:, -1:], torch.ones_like(log_weights[:, -1:])]
        return self.classifier(means), TemporalState(torch.cat(last, dim=-1)[None])


def _running_means(
    values: Float[Tensor, "b s d"], scores: Float[Tensor, "b s"], num_answers: int
) -> tuple[Float[Tensor, "b t d"], Float[Tensor, "b t"]]:
    """Return the softmax-weighted mean up to each of the last rows, and the log of its weight."""
    frames = torch.arange(scores.shape[1], device=scores.device)
    is_past = frames[None] <= frames[-num_answers:, None]
    allowed = torch.where(is_past, rearrange(scores, "b s -> b 1 s"), -torch.inf)
    means = einsum(allowed.softmax(-1), values, "b t s, b s d -> b t d")
    return means, allowed.logsumexp(-1)
