"""Stand-ins for the protocols: exact, in memory, told what to say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np

from emotemporal.inference.engine import EngineState
from emotemporal.labels import LabelSpace
from emotemporal.models.meta import CheckpointMeta, ModelConfig
from emotemporal.types import Box, ClipPrediction, Frame


class FakeSource:
    """Frames from memory; `draw` gives the picture of a time."""

    def __init__(
        self,
        times_s: Sequence[float],
        draw: Callable[[float], np.ndarray],
        error: Exception | None = None,
    ) -> None:
        self._times_s, self._draw, self._error = times_s, draw, error
        self.is_open = False

    def __enter__(self) -> Self:
        self.is_open = True
        return self

    def __exit__(self, *exc: object) -> None:
        self.is_open = False

    def __iter__(self) -> Iterator[Frame]:
        for index, time_s in enumerate(self._times_s):
            yield Frame(self._draw(float(time_s)), float(time_s), index)
        if self._error is not None:
            raise self._error


class FakeDetector:
    """Says the same boxes of every picture."""

    name = "annotation"

    def __init__(self, boxes: Sequence[Box]) -> None:
        self._boxes = list(boxes)

    def __call__(self, image: np.ndarray) -> list[Box]:
        return list(self._boxes)


class FakeEngine:
    """Reads the answer off the crop's mean colour, and sums it up over the stream if told to.

    Red says the first emotion, green the second, blue the third.
    """

    def __init__(self, labels: LabelSpace, memory: float = 0.0, sharpness: float = 5.0) -> None:
        self.labels = labels
        self._memory, self._sharpness = memory, sharpness
        self.batch_sizes: list[int] = []

    def step(
        self, crops: np.ndarray, states: Sequence[EngineState | None]
    ) -> tuple[np.ndarray, list[EngineState]]:
        self.batch_sizes.append(len(crops))
        rows = [
            self._one(crop) if state is None else self._memory * np.asarray(state) + self._one(crop)
            for crop, state in zip(crops, states, strict=True)
        ]
        return np.stack(rows), [EngineState(row) for row in rows]

    def run(self, crops: np.ndarray) -> np.ndarray:
        rows, state = [], None
        for crop in crops:
            logits, (state,) = self.step(crop[None], [state])
            rows.append(logits[0])
        return np.stack(rows)

    def _one(self, crop: np.ndarray) -> np.ndarray:
        logits = np.zeros(len(self.labels))
        logits[:3] = self._sharpness * crop.mean(axis=(0, 1)) / 255
        return logits


class MemoryLogger:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, dict[str, float]]] = []
        self.judged: dict[str, list[ClipPrediction]] = {}
        self.kept: dict[str, list[str]] = {}
        self.is_finished = False

    def log(self, values: Mapping[str, float], step: int) -> None:
        self.rows.append((step, dict(values)))

    def predictions(self, name: str, clips: Sequence[ClipPrediction]) -> None:
        self.judged[name] = list(clips)

    def files(self, name: str, kind: str, paths: Sequence[Path]) -> None:
        self.kept[f"{kind}: {name}"] = [path.name for path in paths if path.is_file()]

    def finish(self) -> None:
        self.is_finished = True


def with_head(meta: CheckpointMeta, head: str) -> CheckpointMeta:
    """Describe a head of any name, as a file may that this package did not write."""
    model = ModelConfig()
    object.__setattr__(model, "head", head)
    return replace(meta, model=model)
