"""A causal transformer over the last frames, with a cache of their keys and values."""

from __future__ import annotations

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from emotemporal.models.config import TRANSFORMER_HEADS, ModelConfig
from emotemporal.models.temporal import TemporalState


class TransformerHead(nn.Module):
    """Each layer attends to the last `window_frames` frames, by content and by how long ago.

    Positions are distances (a penalty that grows with them), never counts from a stream's start: a
    stream that has run for an hour is judged as one that has run for a window.

    Its memory is, layer after layer, the keys and values of the frames before in the window. The
    last number of each row is 1 for a frame, and 0 where the stream had not begun: nothing attends
    to those.

    Source:
        Vaswani et al. 2017, with layer norm first; the cached window: Dai et al. 2019,
        "Transformer-XL", section 3.2; distances: Press et al. 2022, "Train short, test long:
        attention with linear biases", section 3.
    """

    def __init__(self, feature_dim: int, num_labels: int, config: ModelConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(feature_dim)
        self.dropout = nn.Dropout(config.dropout)
        self.narrow = nn.Linear(feature_dim, config.hidden_dim)
        self.layers = nn.ModuleList(
            _Layer(config.hidden_dim, config.dropout) for _ in range(config.num_layers)
        )
        self.last_norm = nn.LayerNorm(config.hidden_dim)
        self.classifier = nn.Linear(config.hidden_dim, num_labels)
        self.window = config.window_frames
        self.memory_shape = config.memory_shape

    def forward(
        self,
        features: Float[Tensor, "b t d"],
        state: TemporalState | None = None,
        lengths: Int[Tensor, " b"] | None = None,
    ) -> tuple[Float[Tensor, "b t k"], TemporalState]:
        """Advance the stream by `t` frames; `t = 1` is the live case, `t = T` the offline one."""
        rows, width = self.memory_shape
        past = features.new_zeros(rows, features.shape[0], width) if state is None else state.hidden
        memories = rearrange(past, "(layers w) b d -> layers b w d", layers=len(self.layers))
        biases = self._biases(features.shape[1], memories[0, ..., -1] > 0)
        x = self.narrow(self.dropout(self.norm(features)))
        kept = []
        for layer, memory in zip(self.layers, memories, strict=True):
            x, after = layer(x, memory, biases)
            kept.append(after)
        hidden = rearrange(torch.stack(kept), "layers b w d -> (layers w) b d")
        return self.classifier(self.last_norm(x)), TemporalState(hidden)

    def _biases(
        self, num_frames: int, is_cached: Bool[Tensor, "b w"]
    ) -> Float[Tensor, "b heads t s"]:
        """Return what is added to each frame's attention to each: minus infinity forbids it."""
        num_before = self.window - 1
        keys = torch.arange(num_before + num_frames, device=is_cached.device)
        distance = keys[num_before:, None] - keys[None]
        is_near = (distance >= 0) & (distance < self.window)
        is_new = is_cached.new_ones(is_cached.shape[0], num_frames)
        is_real = rearrange(torch.cat([is_cached, is_new], dim=1), "b s -> b 1 1 s")
        powers = torch.arange(1, TRANSFORMER_HEADS + 1, device=keys.device) * 8 / TRANSFORMER_HEADS
        penalty = rearrange(2.0**-powers, "heads -> heads 1 1") * distance
        return torch.where(is_near & is_real, -penalty, -torch.inf)


class _Layer(nn.Module):
    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.queries_keys_values = nn.Linear(dim, 3 * dim)
        self.mix = nn.Linear(dim, dim)
        self.dropout = nn.Dropout(dropout)
        self.inner = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim)
        )

    def forward(
        self,
        x: Float[Tensor, "b t d"],
        memory: Float[Tensor, "b w m"],
        biases: Float[Tensor, "b heads t s"],
    ) -> tuple[Float[Tensor, "b t d"], Float[Tensor, "b w m"]]:
        """Return the layer's output, and the keys and values that its next output needs."""
        queries, keys_values = self.queries_keys_values(self.norm(x)).split(
            [x.shape[-1], 2 * x.shape[-1]], dim=-1
        )
        new = torch.cat([keys_values, torch.ones_like(keys_values[..., :1])], dim=-1)
        history = torch.cat([memory, new], dim=1)
        keys, values = history[..., :-1].chunk(2, dim=-1)
        seen = functional.scaled_dot_product_attention(
            _by_head(queries), _by_head(keys), _by_head(values), attn_mask=biases
        )
        x = x + self.dropout(self.mix(rearrange(seen, "b heads t d -> b t (heads d)")))
        return x + self.dropout(self.inner(x)), history[:, x.shape[1] :]


def _by_head(x: Float[Tensor, "b s d"]) -> Float[Tensor, "b heads s e"]:
    return rearrange(x, "b s (heads e) -> b heads s e", heads=TRANSFORMER_HEADS)
