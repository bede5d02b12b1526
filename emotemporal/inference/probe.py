"""Whether an engine says here what the trained network said where it was exported.

A graph carries a few drawn faces with the network's answers to them. They are judged when it is
opened, in milliseconds: a processor whose int8 arithmetic overflows, or a library with a bug, is
noticed before anybody is judged wrongly.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from emotemporal.inference.engine import Engine
from emotemporal.models.meta import CheckpointError, CheckpointMeta

_KEY = "emotemporal.probe"
_MAX_CROPS = 64
EXACT = 1e-3
"""How far probabilities may be off where numbers are float32."""
_SLACK = 0.05  # int8: processors round sums in other orders; beyond what the export measured


@dataclass(frozen=True, eq=False)
class Probe:
    """A stream of faces, and the trained network's answers to it."""

    crops: UInt8[np.ndarray, "t n n 3"]
    logits: Float[np.ndarray, "t k"]
    max_difference: float
    """Of a probability: what an engine may be off and still pass."""

    def __post_init__(self) -> None:
        if not (len(self.crops) == len(self.logits) > 0 and math.isfinite(self.max_difference)):
            raise ValueError(
                f"a probe of {len(self.crops)} crops and {len(self.logits)} answers, of which an "
                f"engine may be off by {self.max_difference}; as many of one as of the other, and "
                "by no more than a number"
            )

    def difference(self, engine: Engine, meta: CheckpointMeta) -> float:
        """Return how far the engine's probabilities are off at most; NaN if they are no numbers."""
        ours = _shares(engine.run(self.crops), meta)
        return float(np.abs(ours - _shares(self.logits, meta)).max())

    def require_passed(self, engine: Engine, meta: CheckpointMeta) -> float:
        """Refuse an engine that says something else; return its difference.

        Raises:
            CheckpointError: It does, by more than is allowed.
        """
        found = self.difference(engine, meta)
        if not found <= self.max_difference:  # also where it is not a number
            raise CheckpointError(
                f"its probabilities are {found:.2g} off the trained network's on the faces that "
                f"it carries, and {self.max_difference:.2g} is allowed: this processor or library "
                "computes it wrongly. Take another --engine"
            )
        return found


def make_probe(
    trained: Engine, exported: Engine, meta: CheckpointMeta, crops: UInt8[np.ndarray, "t n n 3"]
) -> Probe:
    """Return the probe of a graph, from the answers of the network that it was made of."""
    answers = trained.run(crops)
    found = Probe(crops, answers, 0.0).difference(exported, meta)
    return Probe(crops, answers, EXACT if found <= EXACT else 1.5 * found + _SLACK)


def pack_probe(probe: Probe) -> dict[str, str]:
    """Return the metadata entry that `parse_probe` finds again."""
    pictures = [cv2.imencode(".png", crop[:, :, ::-1])[1].tobytes() for crop in probe.crops]
    value = {
        "crops": [base64.b64encode(picture).decode() for picture in pictures],
        "logits": [[round(float(x), 6) for x in row] for row in probe.logits],
        "max_difference": probe.max_difference,
    }
    return {_KEY: json.dumps(value)}


def parse_probe(entries: Mapping[str, str]) -> Probe | None:
    """Return the probe among a file's metadata; None where it was exported without one.

    Raises:
        CheckpointError: It is damaged.
    """
    if _KEY not in entries:
        return None
    try:
        value = json.loads(entries[_KEY])
        pictures = [
            cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_COLOR)
            for text in value["crops"][:_MAX_CROPS]
        ]
        crops = np.stack([np.asarray(picture)[:, :, ::-1] for picture in pictures])
        logits = np.asarray(value["logits"], dtype=np.float64)
        return Probe(crops.astype(np.uint8), logits, float(value["max_difference"]))
    except (KeyError, TypeError, ValueError, IndexError, cv2.error) as error:
        raise CheckpointError(f"its probe is damaged ({error}); export it again") from error


def _shares(logits: Float[np.ndarray, "t k"], meta: CheckpointMeta) -> Float[np.ndarray, "t k"]:
    scaled = np.asarray(logits, dtype=np.float64) / meta.temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
