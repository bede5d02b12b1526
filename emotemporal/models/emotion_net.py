"""Encoder and head as one network. Its first layer normalises, so pixels arrive as uint8."""

from __future__ import annotations

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn

from emotemporal.models.encoder import build_encoder
from emotemporal.models.heads.build import build_head
from emotemporal.models.meta import ModelConfig
from emotemporal.models.temporal import TemporalState

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Normalise(nn.Module):
    """Pixels as they come (uint8, channels last) to what a ResNet expects."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD) * 255, persistent=False)

    def forward(self, frames: UInt8[Tensor, "n h w 3"]) -> Float[Tensor, "n 3 h w"]:
        """Return floats in the network's own precision."""
        scaled = (frames.to(self.mean.dtype) - self.mean) / self.std
        return rearrange(scaled, "n h w c -> n c h w")


def frame_mask(lengths: Int[Tensor, " b"], num_frames: int) -> Bool[Tensor, "b t"]:
    """Return which frames are real; the others pad a clip on the right."""
    return torch.arange(num_frames, device=lengths.device)[None] < lengths[:, None]


class EmotionNet(nn.Module):
    """Frames in, logits a frame out, with the memory of the stream beside them."""

    def __init__(self, config: ModelConfig, num_labels: int) -> None:
        super().__init__()
        self.config = config
        self.normalise = Normalise()
        self.encoder, self.feature_dim = build_encoder(config.encoder)
        self.head = build_head(self.feature_dim, num_labels, config)

    def encode(
        self, frames: UInt8[Tensor, "b t h w 3"], lengths: Int[Tensor, " b"] | None = None
    ) -> Float[Tensor, "b t d"]:
        """Return each frame's features. Padding is not encoded: its features are zero.

        So padding never enters batch normalisation, and costs nothing.
        """
        b, t = frames.shape[:2]
        if lengths is None:
            encoded = self.encoder(self.normalise(rearrange(frames, "b t h w c -> (b t) h w c")))
            return rearrange(encoded, "(b t) d -> b t d", b=b)
        is_real = frame_mask(lengths, t)
        encoded = self.encoder(self.normalise(frames[is_real]))
        features = encoded.new_zeros(b, t, self.feature_dim)
        features[is_real] = encoded
        return features

    def forward(
        self,
        frames: UInt8[Tensor, "b t h w 3"],
        state: TemporalState | None = None,
        lengths: Int[Tensor, " b"] | None = None,
    ) -> tuple[Float[Tensor, "b t k"], TemporalState]:
        """Advance `b` streams by `t` frames; `t = 1` is the live case, `t = T` the offline one.

        With `lengths`, clips are padded on the right; logits at padding mean nothing, and the
        state that comes back is not the streams' own.
        """
        return self.head(self.encode(frames, lengths), state, lengths)
