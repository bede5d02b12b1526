"""What goes into a graph and comes out: whether that is as its description says."""

from __future__ import annotations

from emotemporal.inference.graph_steps import CROPS, HIDDEN, LOGITS, NEXT_HIDDEN
from emotemporal.models.meta import CheckpointError, CheckpointMeta

Shape = tuple[int | str, ...]
"""`b` stands for any number of streams."""
Ports = dict[str, tuple[str, Shape]]
"""Inputs or outputs by name: type, in ONNX Runtime's words, and shape."""


def require_ports(inputs: Ports, outputs: Ports, meta: CheckpointMeta) -> None:
    """Refuse a graph whose inputs and outputs are not those of the network that it describes.

    Raises:
        CheckpointError: They are others; both are told.
    """
    found = (inputs, outputs)
    for kind, there, expected in zip(("inputs", "outputs"), found, _described(meta), strict=True):
        if there != expected:
            raise CheckpointError(
                f"its {kind} are {_tell(there)}, and those of the network that it describes "
                f"{_tell(expected)}; export it again"
            )


def _described(meta: CheckpointMeta) -> tuple[Ports, Ports]:
    size, model = meta.preprocess.size_px, meta.model
    inputs: Ports = {CROPS: ("tensor(uint8)", ("b", size, size, 3))}
    outputs: Ports = {LOGITS: ("tensor(float)", ("b", len(meta.labels)))}
    if model.has_memory:
        rows, width = model.memory_shape
        memory = ("tensor(float)", (rows, "b", width))
        inputs[HIDDEN], outputs[NEXT_HIDDEN] = memory, memory
    return inputs, outputs


def _tell(ports: Ports) -> str:
    return ", ".join(f"{name} {kind} {list(shape)}" for name, (kind, shape) in ports.items())
