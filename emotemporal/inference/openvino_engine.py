"""The network in OpenVINO, as an `Engine`: the same files as ONNX Runtime's. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import openvino
from jaxtyping import Float32, UInt8

from emotemporal.inference.engine import EngineState, require_causal
from emotemporal.inference.graph_file import describe_graph, read_entries
from emotemporal.inference.graph_ports import Ports, require_ports
from emotemporal.inference.graph_steps import LOGITS, NEXT_HIDDEN, GraphSteps
from emotemporal.labels import LabelSpace
from emotemporal.models.meta import CheckpointError

_TYPES = {"u8": "tensor(uint8)", "f32": "tensor(float)"}
"""OpenVINO's names of the types that our graphs have, and ONNX Runtime's."""


class OpenVinoEngine:
    """Runs a graph that `emotemporal export` wrote, on the CPU.

    Args:
        content: The file's bytes.
        num_threads: Of this engine; None lets OpenVINO choose.

    Raises:
        CheckpointError: Not an ONNX graph, not one of ours, or not the one that it describes.
    """

    def __init__(self, content: bytes, num_threads: int | None = None) -> None:
        self.meta, self.storage = describe_graph(read_entries(content))
        require_causal(self.meta)
        # Without the hint some processors would compute float32 in bfloat16.
        options: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
            **({} if num_threads is None else {"INFERENCE_NUM_THREADS": num_threads}),
        }
        self._outputs = [LOGITS, NEXT_HIDDEN] if self.meta.model.has_memory else [LOGITS]
        try:
            core = openvino.Core()
            graph = core.read_model(content)
            require_ports(_ports(graph.inputs), _ports(graph.outputs), self.meta)
            compiled = core.compile_model(graph, "CPU", options)
        except RuntimeError as error:
            raise CheckpointError(f"OpenVINO cannot read it: {_last_line(error)}") from error
        self._request: Any = compiled.create_infer_request()
        self._lock = Lock()  # a request holds its inputs and outputs
        self._steps = GraphSteps(self.meta.model, self._run)

    @property
    def labels(self) -> LabelSpace:
        """The order of the logits."""
        return self.meta.labels

    def step(
        self, crops: UInt8[np.ndarray, "b n n 3"], states: Sequence[EngineState | None]
    ) -> tuple[Float32[np.ndarray, "b k"], list[EngineState]]:
        """Advance `b` streams by one frame each; a state of None starts a stream."""
        return self._steps.step(crops, states)

    def run(self, crops: UInt8[np.ndarray, "t n n 3"]) -> Float32[np.ndarray, "t k"]:
        """Judge one whole stream, from its start: what `t` steps would give."""
        return self._steps.run(crops)

    def _run(self, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        whole = {name: np.ascontiguousarray(value) for name, value in inputs.items()}
        with self._lock:
            try:
                found = self._request.infer(whole)
            except RuntimeError as error:
                raise CheckpointError(f"OpenVINO cannot run it: {_last_line(error)}") from error
            return [np.array(found[name]) for name in self._outputs]


def open_openvino(path: Path, num_threads: int | None = None) -> OpenVinoEngine:
    """Open a file that `emotemporal export` wrote.

    Raises:
        FileNotFoundError: No such file.
        CheckpointError: It cannot be used, by name.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}; 'emotemporal export' writes it")
    try:
        return OpenVinoEngine(path.read_bytes(), num_threads)
    except CheckpointError as error:
        raise CheckpointError(f"{path} cannot be used: {error}") from error


def _ports(found: Sequence[Any]) -> Ports:
    ports: Ports = {}
    for port in found:
        kind = port.element_type.get_type_name()
        # Of a shape that is not known at all, OpenVINO refuses to tell the sides.
        sides = port.partial_shape if port.partial_shape.rank.is_static else ()
        shape = tuple(side.get_length() if side.is_static else "b" for side in sides)
        ports[port.any_name] = (_TYPES.get(kind, kind), shape)
    return ports


def _last_line(error: Exception) -> str:
    return str(error).strip().rpartition("\n")[2][:300]
