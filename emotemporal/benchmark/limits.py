"""What the machine can do at most: products a second, bytes a second. Measured, not looked up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor, nn

from emotemporal.models.emotion_net import EmotionNet
from emotemporal.timing import Clock, monotonic

_SIDE = 1024  # of the matrices: large enough that the product is all the work
_COPIED_BYTES = 1 << 27  # above any cache's size


@dataclass(frozen=True)
class Limits:
    """Best of several tries on one thread count."""

    num_threads: int
    float_gflops: float
    """Of a float32 matrix product, in torch or ONNX Runtime, whichever is faster; a multiplication
    and an addition are two."""
    int8_gops: float
    """The same in int8; NaN where torch has none here."""
    copy_gb_s: float
    """Read and written together."""

    def encoder_ms(self, gflops: float, weight_bytes: float, is_int8: bool) -> float:
        """Return the least time of one encoder pass: products, or fetching the weights."""
        rate = self.int8_gops if is_int8 and self.int8_gops > 0 else self.float_gflops
        return max(1e3 * gflops / rate, 1e3 * weight_bytes / (self.copy_gb_s * 1e9))


def measure_limits(num_threads: int, tries: int = 15, clock: Clock = monotonic) -> Limits:
    """Measure what this machine does at most; torch keeps that many threads afterwards."""
    torch.set_num_threads(num_threads)
    a, b = torch.rand(_SIDE, _SIDE), torch.rand(_SIDE, _SIDE)
    products = 2 * _SIDE**3 / 1e9
    floats = products / _least(lambda: a @ b, tries, clock)
    floats = max(floats, products / _in_onnx_runtime(a.numpy(), num_threads, tries, clock))
    block = np.ones(_COPIED_BYTES, dtype=np.uint8)
    out = np.empty_like(block)
    copy = 2 * _COPIED_BYTES / 1e9 / _least(lambda: np.copyto(out, block), tries, clock)
    return Limits(num_threads, floats, products / _int8(tries, clock), copy)


def _in_onnx_runtime(
    matrix: Float32[np.ndarray, "n n"], num_threads: int, tries: int, clock: Clock
) -> float:
    """Return the seconds of the same product there: torch's is not the fastest everywhere."""
    if find_spec("onnx") is None or find_spec("onnxruntime") is None:
        return float("inf")
    import onnxruntime
    from onnx import TensorProto, helper

    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, matrix.shape) for name in "xyz"]
    product = helper.make_node("MatMul", ["x", "y"], ["z"])
    graph = helper.make_graph([product], "product", ports[:2], ports[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return _least(lambda: session.run(None, {"x": matrix, "y": matrix}), tries, clock)


def _int8(tries: int, clock: Clock) -> float:
    a = torch.randint(-64, 64, (_SIDE, _SIDE), dtype=torch.int8)
    try:
        torch._int_mm(a, a)  # no public one gives the exact sums
    except (AttributeError, RuntimeError):
        return float("nan")
    return _least(lambda: torch._int_mm(a, a), tries, clock)


def _least(work: Callable[[], object], tries: int, clock: Clock) -> float:
    work()
    times = []
    for _ in range(tries):
        started = clock()
        work()
        times.append(clock() - started)
    return max(min(times), 1e-9)


def encoder_gflops(net: EmotionNet, size_px: int) -> float:
    """Return the products of one frame through the network, in 1e9; two each with its addition.

    Of convolutions and linear layers: nearly all of it is the encoder.
    """
    total = 0.0

    def count(layer: nn.Module, _: object, output: Tensor) -> None:
        nonlocal total
        weights = layer.weight
        assert isinstance(weights, Tensor)
        places = output.numel() / weights.shape[0]  # of each output channel
        total += 2 * weights.numel() * places / 1e9

    kept = [
        layer.register_forward_hook(count)
        for layer in net.modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    ]
    with torch.inference_mode():
        net(torch.zeros(1, 1, size_px, size_px, 3, dtype=torch.uint8))
    for hook in kept:
        hook.remove()
    return total
