"""What a checkpoint says of itself. No torch here: a live program reads this and starts fast."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

from emotemporal.faces.crop import CropConfig
from emotemporal.labels import Emotion, LabelSpace, parse_emotion
from emotemporal.models.config import ModelConfig
from emotemporal.models.plain import build, fits, number, require_shares, without
from emotemporal.preprocess import PreprocessConfig
from emotemporal.timing import ClipRate

__all__ = [
    "FORMAT_VERSION",
    "CheckpointError",
    "CheckpointMeta",
    "ModelConfig",
    "Origin",
    "Storage",
    "pack_meta",
    "parse_meta",
    "parse_storage",
    "read_header",
    "read_meta",
]

FORMAT_VERSION = 1
"""Grows when a file of an older version needs translating; `CheckpointMeta.from_json` does that."""

Storage = Literal["float32", "float16", "int8"]
"""How a file keeps its weights. It says so beside its description, not in it: the network is the
same one. A file without the word is float32, as all were at first."""

_EMOTIONS = ("weak", "hidden")
_HEADER_KEY = "emotemporal"
_STORAGE_KEY = "storage"  # within the description's JSON: safetensors shuffles two entries
_MAX_HEADER_BYTES = 16 << 20  # far above any real one: a broken length must not fill the memory


class CheckpointError(ValueError):
    """A checkpoint that cannot be read or does not fit; callers show it and stop."""


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
    uncertain_below: float | None = None
    """An answer whose top probability is below this is called uncertain; `calibrate` finds it."""
    uncertain_prior: tuple[float, ...] | None = None
    """Under which that probability is taken, whatever prior the answer itself assumes: another one
    makes all probabilities higher or lower."""
    weak: tuple[Emotion, ...] = ()
    """What the network was not shown to recognise in half of the cases; drawn with a mark."""
    hidden: tuple[Emotion, ...] = ()
    """What `live` does not show by name unless told to; tables have it all the same."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        require_shares("training_prior", self.training_prior, len(self.labels))
        if not (self.temperature > 0 and math.isfinite(self.temperature)):
            raise CheckpointError(f"temperature is {self.temperature}; it must be positive")
        self._refuse_bad_calibration()
        ClipRate(self.clip_rate_hz)  # refuses what no clock can keep

    def _refuse_bad_calibration(self) -> None:
        threshold, prior = self.uncertain_below, self.uncertain_prior
        if (threshold is None) != (prior is None):
            raise CheckpointError("uncertain_below and uncertain_prior are given together or not")
        if threshold is not None and prior is not None:
            require_shares("uncertain_prior", prior, len(self.labels))
            if not 0 <= threshold < 1:
                raise CheckpointError(f"uncertain_below is {threshold}; it is 0 up to 1")
        if unknown := {*self.weak, *self.hidden} - set(self.labels.emotions):
            raise CheckpointError(f"weak or hidden are labels it lacks: {', '.join(unknown)}")

    def without_calibration(self) -> CheckpointMeta:
        """Return it without what `calibrate` found, which holds of these weights alone."""
        return replace(
            self, temperature=1.0, uncertain_below=None, uncertain_prior=None, weak=(), hidden=()
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain dictionaries, lists, strings and numbers."""
        return {
            "format_version": self.format_version,
            "labels": list(self.labels.names),
            "preprocess": asdict(self.preprocess),
            "crop": self.crop.to_json(),
            "clip_rate_hz": self.clip_rate_hz,
            "model": without(asdict(self.model), head_input="features", window_frames=16),
            "training_prior": list(self.training_prior),
            "temperature": self.temperature,
            "metrics": dict(self.metrics),
            "origin": asdict(self.origin),
            **_plain_calibration(self),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> CheckpointMeta:
        """Build from what `to_json` gave, of this or an earlier format version.

        Raises:
            CheckpointError: A later version, a field missing or of the wrong kind.
        """
        version: Any = value.get("format_version")
        if not fits(version, int) or not 1 <= version <= FORMAT_VERSION:
            raise CheckpointError(
                f"its format_version is {version!r}; this emotemporal reads 1 to {FORMAT_VERSION}: "
                "update the package"
            )
        try:
            return cls(
                labels=LabelSpace.from_names(value["labels"]),
                preprocess=build(PreprocessConfig, value["preprocess"]),
                crop=CropConfig.from_json(value["crop"]),
                clip_rate_hz=number(value["clip_rate_hz"]),
                model=build(ModelConfig, value["model"]),
                training_prior=tuple(number(share) for share in value["training_prior"]),
                temperature=number(value["temperature"]),
                **_read_calibration(value),
                metrics={name: number(figure) for name, figure in value["metrics"].items()},
                origin=build(Origin, value["origin"]),
                format_version=version,
            )
        except CheckpointError:
            raise
        except (KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"its description lacks or misnames a field: {error}") from error
        except (ValueError, OverflowError) as error:
            raise CheckpointError(f"its description holds a bad value: {error}") from error


def _plain_calibration(meta: CheckpointMeta) -> dict[str, Any]:
    # Absent where nothing was found out: what nobody calibrated is written as it always was.
    values: dict[str, Any] = {name: list(getattr(meta, name)) for name in _EMOTIONS}
    if meta.uncertain_prior is not None:
        values["uncertain_below"] = meta.uncertain_below
        values["uncertain_prior"] = list(meta.uncertain_prior)
    return {name: value for name, value in values.items() if value != []}


def _read_calibration(value: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {k: tuple(map(parse_emotion, value.get(k, ()))) for k in _EMOTIONS}
    if "uncertain_below" in value:
        found["uncertain_below"] = number(value["uncertain_below"])
        found["uncertain_prior"] = tuple(map(number, value["uncertain_prior"]))
    return found


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
        return parse_meta(read_header(path)["__metadata__"])
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
            raise CheckpointError(
                "it is not a safetensors file, as 'pretrain' and 'finetune' write. Weights from "
                "elsewhere go to 'pretrain --init FILE'"
            )
        return dict(json.loads(file.read(length).decode("utf-8")))
