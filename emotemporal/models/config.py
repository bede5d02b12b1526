"""What a network is made of. No torch here: a live program reads this and starts fast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ModelConfig:
    """Which network: a frame encoder and what joins its features over time."""

    encoder: Literal["resnet18", "resnet50"] = "resnet18"
    head: Literal["frame", "gru", "change_filter"] = "frame"
    """Each frame by itself; a GRU; or a filter of two dozen learned numbers, which averages a
    frozen frame classifier's answers since the features last changed."""
    hidden_dim: int = 256
    """Width of the memory; a frame head has none."""
    num_layers: int = 1
    dropout: float = 0.0
    """Share of features dropped before the head, and of outputs between GRU layers."""
    answer: Literal["last", "mean"] = "last"
    """A GRU's one answer to a whole clip: after its last frame, when it has seen everything, or,
    of one that learned to follow changes, the mean. A frame head's is always the mean."""
    head_input: Literal["features", "logits"] = "features"
    """What a GRU is given: features, or no more than a frozen frame classifier's logits of them."""

    def __post_init__(self) -> None:
        # The upper ends are far above any real one: a broken file must not fill the memory.
        if not (1 <= self.hidden_dim <= 8192 and 1 <= self.num_layers <= 8):
            raise ValueError(
                f"hidden_dim is {self.hidden_dim} and num_layers {self.num_layers}; "
                "they can be 1 to 8192 and 1 to 8"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; it can be 0 up to, not including, 1")
        if self.head_input == "logits" and self.head != "gru":
            raise ValueError("head_input logits is of a GRU's; a frame head takes features")
        if self.head == "change_filter" and self.num_layers != 1:
            raise ValueError(f"num_layers is {self.num_layers}; a change filter has 1")

    @property
    def has_memory(self) -> bool:
        """Whether an answer depends on earlier frames; the memory begins as zeros."""
        return self.head != "frame"

    @property
    def has_frame_classifier(self) -> bool:
        """Whether the head with memory holds a frame classifier that is trained already."""
        return self.head == "change_filter" or self.head_input == "logits"
