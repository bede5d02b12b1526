"""A causal temporal convolution: a stack of filters over the frames before."""

from __future__ import annotations

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from emotemporal.models.config import TCN_KERNEL, ModelConfig
from emotemporal.models.temporal import TemporalState


class TemporalConvolutionHead(nn.Module):
    """Residual blocks of dilated causal convolutions: block `i` looks back in strides of 2**i.

    `num_layers` blocks of three taps see 2 ** (num_layers + 1) - 1 frames, the last included.

    Its memory is each block's last inputs, block after block. Before a stream there are zeros,
    which is how a causal convolution pads: a blank memory is a stream's start.

    Source:
        Bai et al. 2018, "An empirical evaluation of generic convolutional and recurrent networks
        for sequence modeling", section 3; with layer norm before, in place of weight norm.
    """

    def __init__(self, feature_dim: int, num_labels: int, config: ModelConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(feature_dim)
        self.dropout = nn.Dropout(config.dropout)
        self.narrow = nn.Linear(feature_dim, config.hidden_dim)
        self.blocks = nn.ModuleList(
            _Block(config.hidden_dim, 2**i, config.dropout) for i in range(config.num_layers)
        )
        self.last_norm = nn.LayerNorm(config.hidden_dim)
        self.classifier = nn.Linear(config.hidden_dim, num_labels)
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
        x = self.narrow(self.dropout(self.norm(features)))
        kept = []
        spans = [(TCN_KERNEL - 1) * 2**i for i in range(len(self.blocks))]
        for block, before in zip(self.blocks, torch.split(past, spans), strict=True):
            x, after = block(x, before)
            kept.append(after)
        return self.classifier(self.last_norm(x)), TemporalState(torch.cat(kept))


class _Block(nn.Module):
    def __init__(self, dim: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.conv = nn.Conv1d(dim, dim, TCN_KERNEL, dilation=dilation)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "b t d"], past: Float[Tensor, "span b d"]
    ) -> tuple[Float[Tensor, "b t d"], Float[Tensor, "span b d"]]:
        """Return the block's output, and the inputs that its next output needs."""
        inputs = torch.cat([rearrange(past, "span b d -> b span d"), self.norm(x)], dim=1)
        filtered = rearrange(self.conv(rearrange(inputs, "b t d -> b d t")), "b d t -> b t d")
        kept = rearrange(inputs[:, x.shape[1] :], "b span d -> span b d")
        return x + self.dropout(torch.relu(filtered)), kept
