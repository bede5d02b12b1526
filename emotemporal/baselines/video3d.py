"""A small 3-D convolutional network as a second opinion on whether time helps.

X3D by pytorchvideo, from random weights, at the size of our face crops: the whole clip at once,
so it cannot run live. On two cores one training clip of 13 frames at 112 px takes seconds; the
defaults take a fraction of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from emotemporal.data.sampling import SamplingConfig, clip_indices
from emotemporal.preprocess import PreprocessConfig, preprocess
from emotemporal.types import FaceClip

_NUM_FRAMES = {"x3d_xs": 4, "x3d_s": 13}  # Feichtenhofer, CVPR 2020, table 2
_JUDGED_AT_ONCE = 8  # clips: bounds the memory
_MEAN, _DEVIATION = 0.45, 0.225  # what X3D was designed around (Kinetics), of pixels 0 to 1


@dataclass(frozen=True)
class Video3DConfig:
    """Which X3D, and at what size.

    Source: Feichtenhofer, "X3D: Expanding Architectures for Efficient Video Recognition", CVPR
    2020. XS and S are one network, shown 4 or 13 frames.
    """

    name: Literal["x3d_xs", "x3d_s"] = "x3d_xs"
    size_px: int = 64
    dropout: float = 0.5

    def __post_init__(self) -> None:
        if self.name not in _NUM_FRAMES:
            raise ValueError(f"name is {self.name!r}; it can be {', '.join(_NUM_FRAMES)}")
        if self.size_px < 32 or self.size_px % 32:
            raise ValueError(
                f"size_px is {self.size_px}; X3D halves a picture five times: a multiple of 32"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; it is 0 to below 1")

    @property
    def num_frames(self) -> int:
        """How many frames the network is shown, spread over the clip."""
        return _NUM_FRAMES[self.name]


class Video3D(nn.Module):
    """Clip in, one row of logits out."""

    def __init__(self, config: Video3DConfig, num_labels: int) -> None:
        from pytorchvideo.models.x3d import create_x3d

        super().__init__()
        self.config = config
        self.network = create_x3d(
            input_clip_length=config.num_frames,
            input_crop_size=config.size_px,
            model_num_class=num_labels,
            dropout_rate=config.dropout,
            # pytorchvideo 0.1.5's own Swish reads `saved_variables`, which torch is about to drop.
            inner_act=nn.SiLU,
            head_activation=None,
        )

    def forward(self, frames: UInt8[Tensor, "b t n n 3"]) -> Float[Tensor, "b k"]:
        """Judge whole clips; pixels as they come, 0 to 255.

        Raises:
            ValueError: Not the number of frames or the size that the network was built for.
        """
        expected = (self.config.num_frames, self.config.size_px, self.config.size_px, 3)
        if frames.shape[1:] != expected:
            raise ValueError(
                f"clips are {tuple(frames.shape[1:])} (frames, height, width, colours); "
                f"{self.config.name} was built for {expected}"
            )
        scaled = (frames.float() / 255 - _MEAN) / _DEVIATION
        logits: Tensor = self.network(rearrange(scaled, "b t h w c -> b c t h w"))
        return logits


def video3d_frames(clip: FaceClip, config: Video3DConfig) -> UInt8[np.ndarray, "t n n 3"]:
    """Return the frames of a clip that the network is shown: spread evenly, brought to its size."""
    sampling = SamplingConfig(num_frames=config.num_frames, strategy="uniform")
    crops = clip.crops[clip_indices(clip.times_s, sampling)]
    return preprocess(crops, PreprocessConfig(size_px=config.size_px))


@torch.inference_mode()
def judge_clips(
    net: Video3D, clips: Sequence[UInt8[np.ndarray, "t n n 3"]]
) -> Float[np.ndarray, "m k"]:
    """Return the probabilities of clips, each as `video3d_frames` gives it.

    The network is left in `eval()`.
    """
    net.eval()
    device = next(net.parameters()).device
    parts = [
        net(torch.from_numpy(np.stack(clips[i : i + _JUDGED_AT_ONCE])).to(device))
        for i in range(0, len(clips), _JUDGED_AT_ONCE)
    ]
    probabilities: Float[np.ndarray, "m k"] = (
        torch.cat(parts).softmax(dim=-1).double().cpu().numpy()
    )
    return probabilities
