"""What a checkpoint says of itself. No torch here: a live program reads this and starts fast."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

from emotemporal.faces.crop import CropConfig
from emotemporal.labels import LabelSpace
from emotemporal.preprocess import PreprocessConfig
from emotemporal.timing import ClipRate

Config = TypeVar("Config")

FORMAT_VERSION = 1
"""Grows when a file of an older version needs translating; `CheckpointMeta.from_json` does that."""

Storage = Literal["float32", "float16", "int8"]
"""How a file keeps its weights. It says so beside its description, not in it: the network is the
same one. A file without the word is float32, as all were at first."""

_HEADER_KEY = "emotemporal"
_STORAGE_KEY = "storage"  # within the description's JSON: safetensors shuffles two entries
_MAX_HEADER_BYTES = 16 << 20  # far above any real one: a broken length must not fill the memory


class CheckpointError(ValueError):
    """A checkpoint that cannot be read or does not fit; callers show it and stop."""


@dataclass(frozen=True)
class ModelConfig:
    """Which network: a frame encoder and what joins its features over time."""

    encoder: Literal["resnet18", "resnet50"] = "resnet18"
    head: Literal["frame", "gru"] = "frame"
    hidden_dim: int = 256
    """Width of the GRU; a frame head has none."""
    num_layers: int = 1
    dropout: float = 0.0
    """Share of features dropped before the head, and of outputs between GRU layers."""
    answer: Literal["last", "mean"] = "last"
    """A GRU's one answer to a whole clip: after its last frame, when it has seen everything, or,
    of one that learned to follow changes, the mean. A frame head's is always the mean."""

    def __post_init__(self) -> None:
        # The upper ends are far above any real one: a broken file must not fill the memory.
        if not (1 <= self.hidden_dim <= 8192 and 1 <= self.num_layers <= 8):
            raise ValueError(
                f"hidden_dim is {self.hidden_dim} and num_layers {self.num_layers}; "
                "they can be 1 to 8192 and 1 to 8"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; it can be 0 up to, not including, 1")


@dataclass(frozen=True)
class Origin:
    """Where a result comes from: enough to run it again."""

    package_version: str
    commit: str
    """Of the code; `+changes` where it differed, `unknown` outside a checkout."""
    data_fingerprint: str
    seed: int
    config: Mapping[str, Any] = field(default_factory=dict)
    """The resolved config of the job that made it."""


@dataclass(frozen=True)
class CheckpointMeta:
    """Everything but the numbers: labels, preprocessing, crop, clip rate, prior, origin."""

    labels: LabelSpace
    preprocess: PreprocessConfig
    crop: CropConfig
    clip_rate_hz: float
    model: ModelConfig
    training_prior: tuple[float, ...]
    """How often each label occurred in training, in the labels' order; sums to 1."""
    origin: Origin
    temperature: float = 1.0
    """Logits are divided by it (Guo et al. 2017, section 4.2)."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        if len(self.training_prior) != len(self.labels):
            raise CheckpointError(
                f"the prior has {len(self.training_prior)} shares for {len(self.labels)} labels"
            )
        if not all(0 <= share <= 1 for share in self.training_prior):
            raise CheckpointError(f"the prior has shares outside 0 to 1: {self.training_prior}")
        if not math.isclose(sum(self.training_prior), 1.0, abs_tol=1e-4):
            raise CheckpointError(f"the prior sums to {sum(self.training_prior):.6f}, not to 1")
        if not (self.temperature > 0 and math.isfinite(self.temperature)):
            raise CheckpointError(f"temperature is {self.temperature}; it must be positive")
        ClipRate(self.clip_rate_hz)  # refuses what no clock can keep

    def to_json(self) -> dict[str, Any]:
        """Return plain dictionaries, lists, strings and numbers."""
        return {
            "format_version": self.format_version,
            "labels": list(self.labels.names),
            "preprocess": asdict(self.preprocess),
            "crop": self.crop.to_json(),
            "clip_rate_hz": self.clip_rate_hz,
            "model": asdict(self.model),
            "training_prior": list(self.training_prior),
            "temperature": self.temperature,
            "metrics": dict(self.metrics),
            "origin": asdict(self.origin),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> CheckpointMeta:
        """Build from what `to_json` gave, of this or an earlier format version.

        Raises:
            CheckpointError: A later version, a field missing or of the wrong kind.
        """
        version: Any = value.get("format_version")
        if not _fits(version, int) or not 1 <= version <= FORMAT_VERSION:
            raise CheckpointError(
                f"its format_version is {version!r}; this emotemporal reads 1 to {FORMAT_VERSION}: "
                "update the package"
            )
        try:
            return cls(
                labels=LabelSpace.from_names(value["labels"]),
                preprocess=_build(PreprocessConfig, value["preprocess"]),
                crop=CropConfig.from_json(value["crop"]),
                clip_rate_hz=_number(value["clip_rate_hz"]),
                model=_build(ModelConfig, value["model"]),
                training_prior=tuple(_number(share) for share in value["training_prior"]),
                temperature=_number(value["temperature"]),
                metrics={name: _number(figure) for name, figure in value["metrics"].items()},
                origin=_build(Origin, value["origin"]),
                format_version=version,
            )
        except CheckpointError:
            raise
        except (KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"its description lacks or misnames a field: {error}") from error
        except (ValueError, OverflowError) as error:
            raise CheckpointError(f"its description holds a bad value: {error}") from error


def _build(kind: type[Config], values: Mapping[str, Any]) -> Config:
    """Build a dataclass of plain fields, and refuse values of other types than the fields'."""
    hints = get_type_hints(kind)
    for name, value in values.items():
        if name in hints and not _fits(value, hints[name]):
            raise CheckpointError(f"{name} is {value!r}, which is not {hints[name]}")
    return kind(**values)


def _number(value: object) -> float:
    if isinstance(value, int | float) and _fits(value, float):
        return float(value)
    raise CheckpointError(f"{value!r} stands where a number belongs")


def _fits(value: object, hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if isinstance(value, bool):  # Python takes True for 1
        return hint is bool
    if hint is float:
        return isinstance(value, int | float)
    return isinstance(value, get_origin(hint) or hint)


def pack_meta(meta: CheckpointMeta, storage: Storage = "float32") -> dict[str, str]:
    """Return the header entry that `parse_meta`, `parse_storage` and `read_meta` find again."""
    kept = {} if storage == "float32" else {_STORAGE_KEY: storage}
    return {_HEADER_KEY: json.dumps(meta.to_json() | kept, sort_keys=True)}


def parse_meta(entries: Mapping[str, str]) -> CheckpointMeta:
    """Return the description among a file's header entries, of safetensors or of ONNX.

    Raises:
        KeyError: There is none.
        CheckpointError: It cannot be used.
        ValueError: It is no JSON object.
    """
    return CheckpointMeta.from_json(dict(json.loads(entries[_HEADER_KEY])))


def parse_storage(entries: Mapping[str, str]) -> Storage:
    """Return how the file with these header entries keeps its weights.

    Raises:
        CheckpointError: In a way unknown here.
    """
    found = json.loads(entries[_HEADER_KEY]).get(_STORAGE_KEY, "float32")
    for storage in get_args(Storage):
        if found == storage:
            return cast(Storage, storage)
    raise CheckpointError(
        f"its weights are stored as {found!r}; this emotemporal reads "
        f"{', '.join(get_args(Storage))}: update the package"
    )


def read_meta(path: Path) -> CheckpointMeta:
    """Read a checkpoint's description from its header, without its numbers and without torch.

    Raises:
        FileNotFoundError: No such file.
        CheckpointError: Not a safetensors file, or not one of ours.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint {path}; train one with 'pretrain' first")
    try:
        header = read_header(path)
        return parse_meta(header["__metadata__"])
    except CheckpointError as error:
        raise CheckpointError(f"{path} cannot be used: {error}") from error
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{path} is not a checkpoint of emotemporal ({type(error).__name__}: {error}). "
            "Weights from elsewhere go to 'pretrain --init FILE'."
        ) from error


def read_header(path: Path) -> dict[str, Any]:
    """Read the JSON head of a safetensors file: eight bytes of length, then the text.

    Raises:
        CheckpointError: Its length cannot be right.
        ValueError: It is not JSON.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(_MAX_HEADER_BYTES, path.stat().st_size - 8):
            raise CheckpointError(f"it is not a safetensors file (header of {length} bytes)")
        return dict(json.loads(file.read(length).decode("utf-8")))
