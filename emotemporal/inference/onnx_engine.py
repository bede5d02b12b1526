"""The network in ONNX Runtime, as an `Engine`. Starts in a tenth of torch's time; no torch here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from jaxtyping import Float32, UInt8
from onnxruntime.capi import onnxruntime_pybind11_state as failures

from emotemporal.inference.engine import EngineState, require_causal
from emotemporal.inference.graph_file import describe_graph
from emotemporal.inference.graph_ports import Ports, require_ports
from emotemporal.inference.graph_steps import GraphSteps
from emotemporal.labels import LabelSpace
from emotemporal.models.meta import CheckpointError

_CANNOT_BE_USED = (
    failures.Fail,
    failures.InvalidArgument,
    failures.InvalidGraph,
    failures.InvalidProtobuf,
    failures.NotImplemented,
    failures.RuntimeException,
)
"""What ONNX Runtime says of a file; they have no class of their own in common."""


class OnnxEngine:
    """Runs a graph that `emotemporal export` wrote, on the CPU.

    Args:
        content: The file's bytes. Not its name: a graph could name other files beside it, and a
            checkpoint is one file.
        num_threads: Of this engine; None lets ONNX Runtime choose.
        name: What to call the graph in an error.

    Raises:
        CheckpointError: Not an ONNX graph, not one of ours, or not the one that it describes.
    """

    def __init__(
        self, content: bytes, num_threads: int | None = None, name: str = "the graph"
    ) -> None:
        self._name = name
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads or 0
        # A thread that spins while it waits takes a core from those with work to do.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 4  # what goes wrong is raised; it need not be told twice
        try:
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except _CANNOT_BE_USED as error:
            raise CheckpointError(f"ONNX Runtime cannot read it: {_first_line(error)}") from error
        self.meta, self.storage = describe_graph(self._session.get_modelmeta().custom_metadata_map)
        require_causal(self.meta)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        require_ports(_ports(inputs), _ports(outputs), self.meta)
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
        try:
            outputs: list[np.ndarray] = self._session.run(None, inputs)
        except _CANNOT_BE_USED as error:
            raise CheckpointError(
                f"{self._name} cannot be run by ONNX Runtime: {_first_line(error)}"
            ) from error
        return outputs


def open_onnx(path: Path, num_threads: int | None = None) -> OnnxEngine:
    """Open a file that `emotemporal export` wrote.

    Raises:
        FileNotFoundError: No such file.
        CheckpointError: It cannot be used, by name.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}; 'emotemporal export' writes it")
    try:
        return OnnxEngine(path.read_bytes(), num_threads, str(path))
    # ONNX Runtime gives names as the file has them, which need not be text.
    except (CheckpointError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path} cannot be used: {error}") from error


def _ports(found: Sequence[Any]) -> Ports:
    return {
        port.name: (port.type, tuple(x if isinstance(x, int) else "b" for x in port.shape))
        for port in found
    }


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:300]
