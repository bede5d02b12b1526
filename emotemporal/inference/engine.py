"""What runs a network for the rest of the house. No torch here: a live program starts fast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NewType, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

from emotemporal.labels import LabelSpace
from emotemporal.models.meta import CheckpointError, CheckpointMeta

EngineState = NewType("EngineState", object)
"""What the head remembers of one stream. Only the engine that made it can read it."""

CAUSAL_HEADS = (
    "frame",
    "attention",
    "gru",
    "lstm",
    "window_gru",
    "tcn",
    "transformer",
    "change_filter",
)
"""Heads whose answer at a frame needs no later frame, so that live can equal offline."""


@runtime_checkable
class Engine(Protocol):
    """Runs encoder and head; torch, ONNX Runtime or OpenVINO behind it. Keeps no stream's state."""

    @property
    def labels(self) -> LabelSpace:
        """The order of the logits."""

    def step(
        self, crops: UInt8[np.ndarray, "b n n 3"], states: Sequence[EngineState | None]
    ) -> tuple[Float[np.ndarray, "b k"], list[EngineState]]:
        """Advance `b` streams by one frame each; a state of None starts a stream."""

    def run(self, crops: UInt8[np.ndarray, "t n n 3"]) -> Float[np.ndarray, "t k"]:
        """Judge one whole stream, from its start: what `t` steps would give.

        A head that looks ahead has no steps; it judges whole streams alone.
        """


def require_causal(meta: CheckpointMeta) -> None:
    """Refuse a head that cannot judge a stream while it runs.

    Raises:
        CheckpointError: The head looks ahead, or is of a kind unknown here.
    """
    if meta.model.head not in CAUSAL_HEADS:
        raise CheckpointError(
            f"head {meta.model.head!r} cannot run on a stream: an answer may only need the frames "
            f"so far, and that is known of {', '.join(CAUSAL_HEADS)} alone. A bidirectional "
            "head needs the end of the video first; train a 'gru' instead"
        )


def require_same_labels(engine: Engine, meta: CheckpointMeta) -> None:
    """Refuse an engine with the description of another network.

    Raises:
        CheckpointError: They name other labels, or in another order.
    """
    if engine.labels != meta.labels:
        raise CheckpointError(
            f"the engine says {', '.join(engine.labels.names)}, the description "
            f"{', '.join(meta.labels.names)}; they are of different checkpoints"
        )
