"""The head without time."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor, nn

from emotemporal.models.config import ModelConfig
from emotemporal.models.temporal import TemporalState


class FrameHead(nn.Module):
    """Judge each frame by itself: the baseline every temporal head is held against."""

    def __init__(self, feature_dim: int, num_labels: int, config: ModelConfig) -> None:
        super().__init__()
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(feature_dim, num_labels)

    def forward(
        self,
        features: Float[Tensor, "b t d"],
        state: TemporalState | None = None,
        lengths: Int[Tensor, " b"] | None = None,
    ) -> tuple[Float[Tensor, "b t k"], TemporalState]:
        """Return logits; the state is empty and stays so."""
        if state is None:
            state = TemporalState(features.new_zeros(0, features.shape[0], 0))
        return self.classifier(self.dropout(features)), state
