"""The smoothing card: which smoothers suit a checkpoint, with the lag and flicker measured of each.

A JSON file beside the checkpoint, made by `emotemporal smoothing`. `--max_lag` picks from it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from emotemporal.inference.smoothing import SmoothingConfig
from emotemporal.models.meta import CheckpointMeta
from emotemporal.models.origin import without_paths
from emotemporal.models.plain import build, number
from emotemporal.reading import read_json_object
from emotemporal.storage import digest, write_json

FORMAT_VERSION = 1


class CardError(ValueError):
    """A smoothing card that is missing, damaged, of another checkpoint, or without an answer."""


@dataclass(frozen=True)
class Measured:
    """What a setting did on a set of streams, as `evaluation.stability.changes` defines it."""

    median_lag_s: float
    """On the model's clock: the camera and the computer add theirs."""
    p95_lag_s: float
    """Infinite if fewer than 95 % of changes were ever detected."""
    spurious_per_minute: float
    missed_share: float
    macro_f1: float
    """Of the label on show, over time."""
    uar: float


@dataclass(frozen=True)
class CardEntry:
    """One setting, with what it did where it was chosen and where it was tested."""

    smoothing: SmoothingConfig
    tuned: Measured
    tested: Measured | None = None


@dataclass(frozen=True)
class SmoothingCard:
    """Settings of which none is beaten in both lag and flicker, promptest first.

    Raises:
        ValueError: No entries, or a default that is not among them.
    """

    fingerprint: str
    """Of the checkpoint (`fingerprint_of`): a card holds for the probabilities it was made of."""
    labels: tuple[str, ...]
    """Among which it was measured; the checkpoint's other ones were masked."""
    prior: str
    min_probability: float
    entries: tuple[CardEntry, ...]
    default: int
    """Which entry is used where no option says otherwise."""
    origin: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 <= self.default < len(self.entries):
            raise ValueError(
                f"its default is entry {self.default} of {len(self.entries)}; count from 0"
            )

    def steadiest_within(self, max_lag_s: float) -> CardEntry:
        """Return the entry with the fewest spurious switches whose median lag keeps to a limit.

        Raises:
            CardError: None does; the fastest is named.
        """
        prompt = [e for e in self.entries if e.tuned.median_lag_s <= max_lag_s]
        if not prompt:
            fastest = min(entry.tuned.median_lag_s for entry in self.entries)
            raise CardError(
                f"no setting of the smoothing card has a median lag of at most {max_lag_s:g} s; "
                f"the fastest has {fastest:g} s. Raise --max_lag, or name --smoothing.name none"
            )
        return min(prompt, key=lambda e: (e.tuned.spurious_per_minute, e.tuned.median_lag_s))

    def to_json(self) -> dict[str, Any]:
        """Return plain values; what is infinite or unknown is null."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return {"format_version": FORMAT_VERSION, **_without_infinities(plain)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SmoothingCard:
        """Build from what `to_json` gave.

        Raises:
            CardError: A later version, a field missing or of the wrong kind.
        """
        if value.get("format_version") != FORMAT_VERSION:
            raise CardError(
                f"its format_version is {value.get('format_version')!r}; this emotemporal reads "
                f"{FORMAT_VERSION}: update the package, or make the card again"
            )
        try:
            return cls(
                fingerprint=str(value["fingerprint"]),
                labels=tuple(str(name) for name in value["labels"]),
                prior=str(value["prior"]),
                min_probability=number(value["min_probability"]),
                entries=tuple(_entry(entry) for entry in value["entries"]),
                default=int(value["default"]),
                origin=dict(value["origin"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CardError(
                f"it lacks or misnames a field, or holds a bad value: {error}"
            ) from error


def card_path(checkpoint: Path) -> Path:
    """Return where a checkpoint's card lies: `gru.smoothing.json` beside `gru.safetensors`.

    Its exports, `gru.onnx` and `gru.int8.onnx`, have the same one.
    """
    return checkpoint.with_name(f"{checkpoint.stem.removesuffix('.int8')}.smoothing.json")


def fingerprint_of(meta: CheckpointMeta) -> str:
    """Return a digest of what makes a checkpoint's probabilities, but for the format it is kept in.

    The origin says which training it was; labels, preprocessing, prior and temperature turn its
    logits into probabilities. An export of the same network keeps all of them but the paths of the
    machine it was trained on, and so its card.
    """
    told = without_paths(meta).to_json()
    kept = ("labels", "preprocess", "crop", "clip_rate_hz", "model", "training_prior", "origin")
    parts = {**{name: told[name] for name in kept}, "temperature": round(meta.temperature, 6)}
    return digest(json.dumps(parts, sort_keys=True).encode())


def write_card(card: SmoothingCard, path: Path) -> None:
    """Write a card, atomically."""
    write_json(path, card.to_json())


def read_card(path: Path, meta: CheckpointMeta) -> SmoothingCard:
    """Read the card of a checkpoint.

    Raises:
        FileNotFoundError: There is none.
        CardError: It is damaged, of a later version, or was made of another checkpoint.
    """
    try:
        card = SmoothingCard.from_json(read_json_object(path))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"there is no smoothing card {path}. 'emotemporal smoothing' measures one on streams; "
            "until then choose with --smoothing.name"
        ) from error
    except (TypeError, ValueError, OverflowError) as error:
        raise CardError(f"{path} cannot be used: {error}") from error
    if card.fingerprint != fingerprint_of(meta):
        raise CardError(
            f"{path} was measured on another checkpoint, or before this one was calibrated. "
            "Run 'emotemporal smoothing' again, or choose with --smoothing.name"
        )
    return card


def _entry(value: Mapping[str, Any]) -> CardEntry:
    tested = value["tested"]
    return CardEntry(
        smoothing=_build_nested(SmoothingConfig, value["smoothing"]),
        tuned=_measured(value["tuned"]),
        tested=None if tested is None else _measured(tested),
    )


def _measured(value: Mapping[str, Any]) -> Measured:
    unknown = {"median_lag_s": math.inf, "p95_lag_s": math.inf}
    return build(
        Measured,
        {k: unknown.get(k, math.nan) if v is None else number(v) for k, v in value.items()},
    )


def _build_nested(kind: type[Any], values: Mapping[str, Any]) -> Any:
    hints = get_type_hints(kind)
    parts = {f.name: hints[f.name] for f in fields(kind) if is_dataclass(hints[f.name])}
    return build(
        kind,
        {k: _build_nested(parts[k], v) if k in parts else v for k, v in values.items()},
    )


def _without_infinities(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_infinities(part) for name, part in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_without_infinities(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
