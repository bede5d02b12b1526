"""A model as a file: one safetensors file whose header holds its description. No pickle."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save

from emotemporal.models.emotion_net import EmotionNet
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
    net = EmotionNet(meta.model, len(meta.labels))
    try:
        net.load_state_dict(load(path.read_bytes()))
    except (SafetensorError, RuntimeError) as error:
        raise CheckpointError(f"{path} does not hold the network it describes: {error}") from error
    return net.eval(), meta
