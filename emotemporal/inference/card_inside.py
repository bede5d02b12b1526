"""A smoothing card inside a graph's file: an export that travels alone keeps its settings."""

from __future__ import annotations

import json
from pathlib import Path

from emotemporal.inference.card import (
    CardError,
    SmoothingCard,
    card_path,
    fingerprint_of,
    read_card,
)
from emotemporal.inference.graph_file import read_entries
from emotemporal.models.meta import CheckpointMeta

_KEY = "emotemporal.smoothing"


def pack_card(checkpoint: Path, meta: CheckpointMeta) -> dict[str, str]:
    """Return the metadata entry with the card that lies beside a checkpoint; empty without one.

    Raises:
        CardError: It is damaged, or of another checkpoint.
    """
    path = card_path(checkpoint)
    if not path.is_file():
        return {}
    return {_KEY: json.dumps(read_card(path, meta).to_json(), sort_keys=True)}


def find_card(checkpoint: Path, meta: CheckpointMeta) -> SmoothingCard | None:
    """Return a checkpoint's card: the file beside it or, of a graph, the one inside; None if none.

    Raises:
        CardError: There is one that cannot be used.
    """
    path = card_path(checkpoint)
    if path.is_file():
        return read_card(path, meta)
    if checkpoint.suffix != ".onnx":
        return None
    text = read_entries(checkpoint.read_bytes()).get(_KEY)
    if text is None:
        return None
    try:
        card = SmoothingCard.from_json(dict(json.loads(text)))
    except (CardError, TypeError, ValueError) as error:
        raise CardError(f"the smoothing card in {checkpoint} cannot be used: {error}") from error
    if card.fingerprint != fingerprint_of(meta):
        raise CardError(f"the smoothing card in {checkpoint} was measured on another checkpoint")
    return card
