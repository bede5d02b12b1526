"""A network of torch as an ONNX graph: one step of `b` streams, memory in and memory out."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from typing import Any

import onnx
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from emotemporal.inference.graph_steps import CROPS, HIDDEN, LOGITS, NEXT_HIDDEN
from emotemporal.models.emotion_net import EmotionNet
from emotemporal.models.meta import CheckpointMeta, Storage, pack_meta
from emotemporal.models.temporal import TemporalState

_NUM_EXAMPLES = 2  # of one, the exporter would conclude that there is never another number


class _FrameStep(nn.Module):
    def __init__(self, net: EmotionNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, crops: UInt8[Tensor, "b n n 3"]) -> Float[Tensor, "b k"]:
        logits, _ = self.net(crops[:, None])
        return logits[:, 0]


class _MemoryStep(nn.Module):
    def __init__(self, net: EmotionNet) -> None:
        super().__init__()
        self.net = net

    def forward(
        self, crops: UInt8[Tensor, "b n n 3"], hidden: Float[Tensor, "layers b d"]
    ) -> tuple[Float[Tensor, "b k"], Float[Tensor, "layers b d"]]:
        logits, state = self.net(crops[:, None], TemporalState(hidden))
        return logits[:, 0], state.hidden


def to_onnx(net: EmotionNet, meta: CheckpointMeta) -> onnx.ModelProto:
    """Return one step of `net` as a graph, in float32; it is described by `describe`.

    In: `crops`, uint8 `b n n 3` (the first nodes normalise), and for a head with memory `hidden`,
    of its `memory_shape`, zeros where a stream starts. Out: `logits` `b k`, and `next_hidden`.
    """
    size, model = meta.preprocess.size_px, meta.model
    crops = torch.zeros(_NUM_EXAMPLES, size, size, 3, dtype=torch.uint8)
    b = torch.export.Dim("b")
    if model.has_memory:
        rows, width = model.memory_shape
        hidden = torch.zeros(rows, _NUM_EXAMPLES, width)
        names = ([CROPS, HIDDEN], [LOGITS, NEXT_HIDDEN])
        graph = _trace(_MemoryStep(net), (crops, hidden), ({0: b}, {1: b}), names)
    else:
        graph = _trace(_FrameStep(net), (crops,), ({0: b},), ([CROPS], [LOGITS]))
    return _strip(graph)


def describe(
    graph: onnx.ModelProto,
    meta: CheckpointMeta,
    storage: Storage,
    more: Mapping[str, str] | None = None,
) -> bytes:
    """Return the file of a graph, with what a checkpoint says of itself among its metadata.

    Args:
        graph: From `to_onnx`, or from that by `quantise`.
        meta: What it says of itself.
        storage: How it keeps its weights.
        more: Entries beside: faces to check it on, its smoothing card.
    """
    del graph.metadata_props[:]
    onnx.helper.set_model_props(graph, {**pack_meta(meta, storage), **(more or {})})
    return graph.SerializeToString(deterministic=True)


def _trace(
    step: nn.Module,
    example: tuple[Tensor, ...],
    shapes: tuple[Mapping[int, Any], ...],
    names: tuple[list[str], list[str]],
) -> onnx.ModelProto:
    with warnings.catch_warnings(), torch.no_grad():
        # The exporter warns of torch's own innards, and notes each node that it removes; nothing
        # that a caller could change. What it made is checked against the network all the same.
        warnings.simplefilter("ignore")
        for name in ("onnxscript", "onnx_ir"):
            logging.getLogger(name).setLevel(logging.WARNING)
        program = torch.onnx.export(
            step.eval(),
            example,
            input_names=names[0],
            output_names=names[1],
            dynamic_shapes=shapes,
            dynamo=True,
            verbose=False,
        )
    assert program is not None, "an export without a file gives a program"
    graph: onnx.ModelProto = program.model_proto
    return graph


def _strip(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Take out what the exporter noted of every node: stack traces, with this machine's paths."""
    parts = [graph.graph, *graph.graph.node, *graph.graph.initializer, *graph.graph.value_info]
    for part in [*parts, *graph.graph.input, *graph.graph.output, *graph.functions]:
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    return graph
