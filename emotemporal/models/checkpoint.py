"""A model as a file: one safetensors file whose header holds its description. No pickle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from emotemporal.models.emotion_net import EmotionNet, Normalise
from emotemporal.models.meta import (
    CheckpointError,
    CheckpointMeta,
    Storage,
    pack_meta,
    parse_storage,
    read_header,
    read_meta,
)
from emotemporal.storage import write_atomically


def save_checkpoint(
    path: Path,
    net: EmotionNet,
    meta: CheckpointMeta,
    storage: Literal["float32", "float16"] = "float32",
) -> None:
    """Write `net` and its description under `path`, atomically.

    Args:
        path: Ends in `.safetensors`, by custom.
        net: On any device.
        meta: Its description.
        storage: `float16` keeps kernels and matrices in half precision, for half the size; vectors
            (biases, and batch norm's variances, some too small for it) stay as they are.

    Raises:
        OSError: It could not be written; what was under the name before is still there.
        CheckpointError: A weight is too large for half precision.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in net.state_dict().items()}
    if storage == "float16":
        tensors = {name: _halve(name, value) for name, value in tensors.items()}
    write_atomically(path, save(tensors, metadata=pack_meta(meta, storage)))


def _halve(name: str, value: Tensor) -> Tensor:
    halved = value.to(_stored_type(value, "float16"))
    if not torch.isfinite(halved).all():
        raise CheckpointError(
            f"{name} has weights up to {value.abs().max():.3g}, too large for half precision "
            "(65504); store float32"
        )
    return halved


def _stored_type(value: Tensor, storage: Storage) -> torch.dtype:
    is_halved = storage == "float16" and value.ndim > 1 and value.dtype == torch.float32
    return torch.float16 if is_halved else value.dtype


def load_checkpoint(path: Path) -> tuple[EmotionNet, CheckpointMeta]:
    """Build the network that a file describes and fill it, in evaluation mode, on the CPU.

    Raises:
        FileNotFoundError: No such file.
        CheckpointError: Not one of ours, of a later format, or its tensors do not fit.
    """
    meta = read_meta(path)
    try:
        storage = parse_storage(read_header(path)["__metadata__"])
        tensors = load(path.read_bytes())
        net = _empty_net(meta)
        _require_stored_types(tensors, net, storage)
        # Copied: in the file's bytes a tensor may start anywhere, and MKL promises the same bits
        # from run to run only for data on 64-byte boundaries.
        own = {
            name: value.to(torch.float32 if value.is_floating_point() else value.dtype, copy=True)
            for name, value in tensors.items()
        }
        net.load_state_dict(own, assign=True)
    except (SafetensorError, RuntimeError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path} does not hold the network it describes: {error}") from error
    return net.eval(), meta


def _empty_net(meta: CheckpointMeta) -> EmotionNet:
    """Return the network without memory for its weights: no draw, and no trust in its size."""
    with torch.device("meta"):
        net = EmotionNet(meta.model, len(meta.labels))
    net.normalise = Normalise()  # constants, in no file
    return net


def _require_stored_types(tensors: Mapping[str, Tensor], net: EmotionNet, storage: Storage) -> None:
    # load_state_dict checks names and shapes, but converts or keeps another type without a word.
    for name, empty in net.state_dict().items():
        wanted = _stored_type(empty, storage)
        if name in tensors and tensors[name].dtype != wanted:
            raise CheckpointError(f"{name} is {tensors[name].dtype}, not {wanted}")
