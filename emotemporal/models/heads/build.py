"""From a config to the head that it names."""

from __future__ import annotations

from collections.abc import Mapping

from emotemporal.models.config import ModelConfig
from emotemporal.models.heads.attention import AttentionPoolingHead
from emotemporal.models.heads.change_filter import ChangeFilterHead
from emotemporal.models.heads.convolution import TemporalConvolutionHead
from emotemporal.models.heads.frame import FrameHead
from emotemporal.models.heads.recurrent import (
    BidirectionalGRUHead,
    GRUHead,
    LogitsGRUHead,
    LSTMHead,
)
from emotemporal.models.heads.transformer import TransformerHead
from emotemporal.models.heads.window import WindowGRUHead

Head = (
    FrameHead
    | AttentionPoolingHead
    | GRUHead
    | LogitsGRUHead
    | LSTMHead
    | BidirectionalGRUHead
    | WindowGRUHead
    | TemporalConvolutionHead
    | TransformerHead
    | ChangeFilterHead
)

_HEADS: Mapping[str, type[Head]] = {
    "frame": FrameHead,
    "attention": AttentionPoolingHead,
    "gru": GRUHead,
    "lstm": LSTMHead,
    "bigru": BidirectionalGRUHead,
    "window_gru": WindowGRUHead,
    "tcn": TemporalConvolutionHead,
    "transformer": TransformerHead,
    "change_filter": ChangeFilterHead,
}


def build_head(feature_dim: int, num_labels: int, config: ModelConfig) -> Head:
    """Return the head that `config` names.

    Raises:
        ValueError: Another name.
    """
    if config.head not in _HEADS:
        raise ValueError(f"head is {config.head!r}; it can be {', '.join(_HEADS)}")
    kind = LogitsGRUHead if config.head_input == "logits" else _HEADS[config.head]
    return kind(feature_dim, num_labels, config)
