"""From a checkpoint's file to an engine that runs it."""

from __future__ import annotations

from pathlib import Path

from emotemporal.inference.engine import Engine, require_causal
from emotemporal.models.meta import CheckpointMeta, read_meta
from emotemporal.weights import resolve_checkpoint


def load_engine(
    path: Path | str | None = None, device: str = "cpu", num_threads: int | None = None
) -> tuple[Engine, CheckpointMeta]:
    """Open a checkpoint for inference: the network, and what it says of itself.

    Args:
        path: A checkpoint that `pretrain` or `finetune` wrote; None takes the one that ships.
        device: Where the network runs, in torch's words: `cpu`, `cuda`, `cuda:1`, `mps`.
        num_threads: Of the whole process, on a CPU; None leaves them as they are.

    Raises:
        FileNotFoundError: No such file, or none ships with this version.
        CheckpointError: Not one of ours, of a later format, or with a head that looks ahead.
        ValueError: There is no such device.
    """
    path = resolve_checkpoint(path)
    require_causal(read_meta(path))
    import torch

    from emotemporal.inference.torch_engine import TorchEngine
    from emotemporal.models.checkpoint import load_checkpoint

    if num_threads is not None:
        torch.set_num_threads(num_threads)
    net, meta = load_checkpoint(path)
    return TorchEngine(net, meta.labels, device), meta
