"""The frame encoder: a ResNet without its classifier (He et al. 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torchvision.models import ResNet18_Weights, ResNet50_Weights, resnet18, resnet50

from emotemporal.models.meta import CheckpointError

_FIRST_LAYER = "conv1.weight"
_CONTAINERS = ("state_dict", "model_state_dict", "model", "net", "weights")


def build_encoder(name: Literal["resnet18", "resnet50"]) -> tuple[nn.Module, int]:
    """Return a ResNet without its classifier, and its feature dimension.

    Raises:
        ValueError: Another name.
    """
    if name == "resnet18":
        resnet = resnet18()
    elif name == "resnet50":
        resnet = resnet50()
    else:
        raise ValueError(f"encoder is {name!r}; it can be 'resnet18' or 'resnet50'.")
    feature_dim = resnet.fc.in_features
    resnet.fc = nn.Identity()
    return resnet, feature_dim


@dataclass(frozen=True)
class InitReport:
    """What a foreign file gave to an encoder, and what it did not."""

    source: str
    matched: tuple[str, ...]
    missing: tuple[str, ...]
    """Of the encoder, not in the file: left as they were drawn."""
    unused: tuple[str, ...]
    """In the file, not of the encoder: such as its classifier."""

    def __str__(self) -> str:
        text = f"encoder initialised from {self.source}: {len(self.matched)} tensors matched"
        if self.missing:
            text += f"; not in the file: {', '.join(self.missing[:6])}"
            text += f" and {len(self.missing) - 6} more" if len(self.missing) > 6 else ""
        if self.unused:
            text += f"; not used: {', '.join(self.unused[:6])}"
            text += f" and {len(self.unused) - 6} more" if len(self.unused) > 6 else ""
        return text


def initialise(
    encoder: nn.Module, name: Literal["resnet18", "resnet50"], source: str
) -> InitReport:
    """Fill an encoder from `source`: "imagenet", or a .pth, .pt or .safetensors file.

    A file may come from anywhere (VGGFace2, MS-Celeb, another trainer): wrappers and whatever
    stands before the names of the encoder's tensors are taken off, then names are matched.

    Raises:
        FileNotFoundError: No such file.
        CheckpointError: Not a file of tensors, or of another architecture: fewer than half of the
            encoder's are in it, or one has another shape.
    """
    tensors = _imagenet_tensors(name) if source == "imagenet" else _read_tensors(Path(source))
    wanted = encoder.state_dict()
    prefix = _find_prefix(tensors, wanted)
    given = {k: tensors[prefix + k] for k in wanted if prefix + k in tensors}
    # A ResNet-50 holds three quarters of a ResNet-18's tensors, to the name and shape: one that
    # has the name and another shape tells them apart.
    unlike = [k for k, v in given.items() if v.shape != wanted[k].shape]
    if unlike or len(given) * 2 < len(wanted):
        detail = ", ".join(
            f"{k} is {list(given[k].shape)}, not {list(wanted[k].shape)}" for k in unlike[:3]
        )
        raise CheckpointError(
            f"{source} fits {len(given) - len(unlike)} of the {len(wanted)} tensors of {name} "
            f"({detail or f'its keys start {sorted(tensors)[:3]}'}). Is it a {name}?"
        )
    encoder.load_state_dict({**wanted, **given})
    # num_batches_tracked is bookkeeping that older files lack; its absence says nothing.
    missing = [k for k in wanted if k not in given and not k.endswith("num_batches_tracked")]
    unused = sorted(set(tensors) - {prefix + k for k in given})
    return InitReport(source, tuple(given), tuple(missing), tuple(unused))


def _imagenet_tensors(name: Literal["resnet18", "resnet50"]) -> Mapping[str, Tensor]:
    weights = (
        ResNet18_Weights.IMAGENET1K_V1 if name == "resnet18" else ResNet50_Weights.IMAGENET1K_V2
    )
    try:
        return weights.get_state_dict(check_hash=True)
    except (OSError, RuntimeError) as error:  # no network; or a file cut short, so another digest
        raise CheckpointError(
            f"ImageNet weights could not be fetched ({error}). Download {weights.url} on another "
            "machine and pass the file with --init FILE, or use --init none."
        ) from error


def _read_tensors(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise FileNotFoundError(f"--init names {path}, which is not a file")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            content: object = load_file(path)
        else:
            # A pickle can run code; weights_only reads tensors and refuses the rest (law 6).
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # safetensors and pickle raise types of their own, unrelated
        raise CheckpointError(
            f"{path} cannot be read as tensors: {error}. If it is a whole pickled model, "
            "save its state_dict() where it was trained."
        ) from error
    for _ in range(3):  # wrappers nest: {"model": {"state_dict": ...}}
        if isinstance(content, dict):
            inner = [content[k] for k in _CONTAINERS if isinstance(content.get(k), dict)]
            content = inner[0] if inner else content
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not named tensors")
    return {str(k): v for k, v in content.items() if isinstance(v, Tensor)}


def _find_prefix(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str:
    """Return what stands before the encoder's own names, such as `module.backbone.`."""
    found = {key.removesuffix(_FIRST_LAYER) for key in tensors if key.endswith(_FIRST_LAYER)}
    return max(sorted(found), key=lambda p: sum(p + k in tensors for k in wanted), default="")
