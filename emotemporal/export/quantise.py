"""From float32 to int8: static quantisation with ONNX Runtime's own tools."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from jaxtyping import UInt8
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from emotemporal.inference.graph_steps import CROPS, HIDDEN
from emotemporal.models.meta import CheckpointMeta

_OPERATORS = ("Conv", "Add", "MaxPool")
_ENCODERS_END = ("ReduceMean", "GlobalAveragePool")
"""What is rounded: these, from the second convolution to the mean over a picture. That is where the
work is. The head costs nothing and stays exact, its logits and its memory with it; so does the
first convolution, a fifteenth of the work: to round pixels anew, on a grid that is not theirs,
makes half of all the error (measured on FER+ and on real clips)."""

_BATCH = 16
"""Crops a calibration step."""


def quantise(
    graph: onnx.ModelProto,
    meta: CheckpointMeta,
    crops: UInt8[np.ndarray, "b n n 3"],
    reduce_range: bool = True,
) -> onnx.ModelProto:
    """Return a graph whose encoder computes in integers: activations u8, weights s8 a channel.

    Args:
        graph: As `to_onnx` gives it.
        meta: Its description.
        crops: What the ranges of activations are measured on.
        reduce_range: Keep weights to seven bits. Without it, processors that lack VNNI add pairs
            of products in 16 bits and overflow without a word; where a file will run is not known.

    Source:
        ONNX Runtime, Quantize ONNX models: "When and why do I need to try U8U8?".
    """
    with TemporaryDirectory(prefix="emotemporal-") as name, _quiet():
        folder = Path(name)
        plain, prepared, rounded = (folder / f"{step}.onnx" for step in ("plain", "pre", "int8"))
        onnx.save(graph, plain)
        # Folds batch norm into convolutions and infers shapes. Without it int8 gains nothing.
        quant_pre_process(plain, prepared)
        quantize_static(
            prepared,
            rounded,
            _Crops(crops, meta),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=reduce_range,
            op_types_to_quantize=list(_OPERATORS),
            nodes_to_exclude=_kept_exact(onnx.load(prepared).graph),
            calibrate_method=CalibrationMethod.MinMax,
        )
        return onnx.load(rounded)


def _kept_exact(graph: onnx.GraphProto) -> list[str]:
    """Return the first convolution, and the nodes that the encoder's output does not depend on."""
    makers = {output: node for node in graph.node for output in node.output}
    ends = [node for node in graph.node if node.op_type in _ENCODERS_END]
    assert len(ends) == 1, "an encoder ends with one mean over the picture"
    inside, waiting = set[str](), [ends[0].input[0]]
    while waiting:
        node = makers.get(waiting.pop())
        if node is not None and node.name not in inside:
            inside.add(node.name)
            waiting.extend(node.input)
    first = next(node.name for node in graph.node if node.op_type == "Conv")
    return [first, *(node.name for node in graph.node if node.name not in inside)]


class _Crops(CalibrationDataReader):  # type: ignore[misc]  # ONNX Runtime has no types
    """Gives the crops in batches; streams start, so memory is blank."""

    def __init__(self, crops: UInt8[np.ndarray, "b n n 3"], meta: CheckpointMeta) -> None:
        self._batches = self._split(crops, meta)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next batch's inputs, or None at the end."""
        return next(self._batches, None)

    def _split(
        self, crops: UInt8[np.ndarray, "b n n 3"], meta: CheckpointMeta
    ) -> Iterator[dict[str, np.ndarray]]:
        model = meta.model
        for start in range(0, len(crops), _BATCH):
            batch = crops[start : start + _BATCH]
            inputs: dict[str, Any] = {CROPS: batch}
            if model.has_memory:
                rows, width = model.memory_shape
                inputs[HIDDEN] = np.zeros((rows, len(batch), width), np.float32)
            yield inputs


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the tool's advice from the user: what it advises, shape inference first, is done."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(before)
