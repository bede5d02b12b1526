"""What a network is made of. No torch here: a live program reads this and starts fast."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

HeadName = Literal[
    "frame",
    "attention",
    "gru",
    "lstm",
    "bigru",
    "window_gru",
    "tcn",
    "transformer",
    "change_filter",
]

TCN_KERNEL = 3
"""Taps of a temporal convolution; one is the frame itself."""
TRANSFORMER_HEADS = 4
"""Each attends by itself, over its own distances."""

_WITH_WINDOW = ("window_gru", "transformer")
_WITHOUT_LAYERS = ("attention", "window_gru", "change_filter")
_USUAL_WINDOW = 16
_MAX_MEMORY = 1 << 24  # numbers a stream: 64 MB. A broken file must not fill the memory


@dataclass(frozen=True)
class ModelConfig:
    """Which network: a frame encoder and what joins its features over time."""

    encoder: Literal["resnet18", "resnet50"] = "resnet18"
    head: HeadName = "frame"
    """Each frame by itself; or, over time, `attention` pooling, a `gru`, an `lstm`, a `bigru` (both
    ways, offline only), a `window_gru` (the last frames only), a `tcn` (causal convolution), a
    causal `transformer`; or a `change_filter` of two dozen learned numbers, which averages a frozen
    frame classifier's answers since the features last changed."""
    hidden_dim: int = 256
    """Width of the memory; a frame head has none."""
    num_layers: int = 1
    """Of a `tcn` they set how far it looks back: 2 ** (num_layers + 1) - 1 frames."""
    window_frames: int = 16
    """How many frames, the last included, a `window_gru` is run over, or a layer of a `transformer`
    attends to. At the model's clip rate, so it is a time."""
    dropout: float = 0.0
    """Share of features dropped before the head, and of outputs between layers."""
    answer: Literal["last", "mean"] = "last"
    """The one answer to a whole clip: after its last frame, when the head has seen everything, or,
    of one that learned to follow changes, the mean. A frame head's is always the mean, and so is a
    `bigru`'s, which has seen everything at every frame."""
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
        if self.head in _WITHOUT_LAYERS and self.num_layers != 1:
            name = self.head.replace("_", " ")
            raise ValueError(f"num_layers is {self.num_layers}; a {name} has 1")
        self._refuse_bad_window()

    def _refuse_bad_window(self) -> None:
        if self.window_frames < 2:
            raise ValueError(f"window_frames is {self.window_frames}; a window has at least 2")
        if self.window_frames != _USUAL_WINDOW and self.head not in _WITH_WINDOW:
            raise ValueError(
                f"window_frames is {self.window_frames}, but a {self.head} has no window; leave it "
                f"out, or take one of {', '.join(_WITH_WINDOW)}"
            )
        if self.head == "transformer" and self.hidden_dim % TRANSFORMER_HEADS:
            raise ValueError(
                f"hidden_dim is {self.hidden_dim}; a transformer's is a multiple of "
                f"{TRANSFORMER_HEADS}, which share it"
            )
        if math.prod(self.memory_shape) > _MAX_MEMORY:
            raise ValueError(
                f"a {self.head} of this size remembers {self.memory_shape} numbers a stream; at "
                f"most {_MAX_MEMORY} in all: lower hidden_dim, num_layers or window_frames"
            )

    @property
    def memory_shape(self) -> tuple[int, int]:
        """Rows and width of a stream's memory, zeros where it starts; (0, 0) is no memory."""
        layers, dim, before = self.num_layers, self.hidden_dim, self.window_frames - 1
        shapes: dict[str, tuple[int, int]] = {
            "attention": (1, dim + 2),
            "gru": (layers, dim),
            "lstm": (2 * layers, dim),
            "window_gru": (before, 3 * dim + 1),
            "tcn": ((TCN_KERNEL - 1) * (2**layers - 1), dim),
            "transformer": (layers * before, 2 * dim + 1),
            "change_filter": (1, dim),
        }
        return shapes.get(self.head, (0, 0))

    @property
    def has_memory(self) -> bool:
        """Whether the head goes on from a state; it begins as zeros."""
        return self.memory_shape != (0, 0)

    @property
    def looks_ahead(self) -> bool:
        """Whether an answer needs later frames, so that the head judges whole clips only."""
        return self.head == "bigru"

    @property
    def answers_by_mean(self) -> bool:
        """Whether the answer to a whole clip is the mean over its frames, not the last one's."""
        return self.head == "frame" or self.looks_ahead or self.answer == "mean"

    @property
    def is_order_blind(self) -> bool:
        """Whether the answer to a whole clip is the same for its frames in any order."""
        return self.head == "frame" or (self.head == "attention" and self.answer == "last")

    @property
    def has_frame_classifier(self) -> bool:
        """Whether the head with memory holds a frame classifier that is trained already."""
        return self.head == "change_filter" or self.head_input == "logits"
