"""Streams through a graph that `emotemporal export` wrote, whatever library runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float32, UInt8

from emotemporal.inference.engine import EngineState
from emotemporal.models.config import ModelConfig

CROPS, HIDDEN = "crops", "hidden"
LOGITS, NEXT_HIDDEN = "logits", "next_hidden"
"""What goes into a graph and what comes out; a frame head's has no memory, in or out."""

_CHUNK = 64  # frames judged at once where none needs the one before: bounds a long clip's memory

RunGraph = Callable[[dict[str, np.ndarray]], Sequence[np.ndarray]]
"""Takes a graph's inputs by name, gives its outputs: logits and, of a head with memory, that."""


class GraphSteps:
    """What an `Engine` does, given what runs the graph. Keeps no stream's state."""

    def __init__(self, model: ModelConfig, run_graph: RunGraph) -> None:
        self._run_graph = run_graph
        self._has_memory = model.has_memory
        rows, width = model.memory_shape
        self._blank = np.zeros((rows, 1, width), np.float32)

    def step(
        self, crops: UInt8[np.ndarray, "b n n 3"], states: Sequence[EngineState | None]
    ) -> tuple[Float32[np.ndarray, "b k"], list[EngineState]]:
        """Advance `b` streams by one frame each; a state of None starts a stream."""
        if len(crops) != len(states):
            raise ValueError(f"{len(crops)} crops for {len(states)} streams; one each is needed")
        if not self._has_memory:
            return self._run_graph({CROPS: crops})[0], [EngineState(None) for _ in states]
        before = np.concatenate([self._open(state) for state in states], axis=1)
        logits, after = self._run_graph({CROPS: crops, HIDDEN: before})
        return logits, [EngineState(after[:, i : i + 1]) for i in range(len(states))]

    def run(self, crops: UInt8[np.ndarray, "t n n 3"]) -> Float32[np.ndarray, "t k"]:
        """Judge one whole stream, from its start: what `t` steps would give."""
        if not self._has_memory:
            parts = [crops[i : i + _CHUNK] for i in range(0, len(crops), _CHUNK)]
            return np.concatenate([self._run_graph({CROPS: part})[0] for part in parts])
        state: EngineState | None = None
        rows = []
        for crop in crops:
            logits, (state,) = self.step(crop[None], [state])
            rows.append(logits)
        return np.concatenate(rows)

    def _open(self, state: EngineState | None) -> Float32[np.ndarray, "layers 1 d"]:
        if state is None:
            return self._blank
        assert isinstance(state, np.ndarray), "a state of another engine"
        return state
