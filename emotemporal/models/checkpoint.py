"""A model as a file: one safetensors file whose header holds its description. No pickle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from emotemporal.models.emotion_net import EmotionNet, Normalise
from emotemporal.models.meta import CheckpointError, CheckpointMeta, pack_meta, read_meta
from emotemporal.storage import write_atomically


def save_checkpoint(path: Path, net: EmotionNet, meta: CheckpointMeta) -> None:
    """Write `net` and its description under `path`, atomically.

    Raises:
        OSError: It could not be written; what was under the name before is still there.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in net.state_dict().items()}
    write_atomically(path, save(tensors, metadata=pack_meta(meta)))


def load_checkpoint(path: Path) -> tuple[EmotionNet, CheckpointMeta]:
    """Build the network that a file describes and fill it, in evaluation mode, on the CPU.

    Raises:
        FileNotFoundError: No such file.
        CheckpointError: Not one of ours, of a later format, or its tensors do not fit.
    """
    meta = read_meta(path)
    try:
        tensors = load(path.read_bytes())
        net = _empty_net(meta)
        _require_same_types(tensors, net)
        # Cloned: in the file's bytes a tensor may start anywhere, and MKL promises the same bits
        # from run to run only for data on 64-byte boundaries.
        own = {name: value.clone() for name, value in tensors.items()}
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


def _require_same_types(tensors: Mapping[str, Tensor], net: EmotionNet) -> None:
    # load_state_dict checks names and shapes, but converts or keeps another type without a word.
    for name, wanted in net.state_dict().items():
        if name in tensors and tensors[name].dtype != wanted.dtype:
            raise CheckpointError(f"{name} is {tensors[name].dtype}, not {wanted.dtype}")
