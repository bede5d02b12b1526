"""The words that page and server exchange. What the page says is checked before it is believed.

From the page, a frame is eight bytes of its capture time (seconds, a little-endian double) and a
JPEG; everything else is a JSON object with a `type`. From the server, all is JSON.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from emotemporal.inference.caution import Caution
from emotemporal.inference.predictor import Judgement
from emotemporal.labels import LabelSpace
from emotemporal.live.overlay.palette import COLOURS
from emotemporal.types import Box, FaceView

_TIME = struct.Struct("<d")
MAX_TIME_S = 1e7
"""A third of a year: no page is open for longer."""


class MessageError(ValueError):
    """Something that no page of ours would send."""


@dataclass(frozen=True, eq=False)
class RawFrame:
    """A frame as it came: not yet decoded, and perhaps never, if a newer one comes first."""

    time_s: float
    jpeg: bytes


@dataclass(frozen=True)
class Choice:
    """A smoother that a page asks for, and the one number that it lets the user set."""

    name: str
    value: float


@dataclass(frozen=True)
class Restart:
    """The camera was changed, or started anew: times may begin again, and faces do."""


def pack_frame(time_s: float, jpeg: bytes) -> bytes:
    """Return what a page sends for a frame."""
    return _TIME.pack(time_s) + jpeg


def parse_frame(data: bytes) -> RawFrame:
    """Read a frame's time; its picture is left as it is.

    Raises:
        MessageError: Too short, or a time that is none.
    """
    if len(data) <= _TIME.size:
        raise MessageError(f"a frame is 8 bytes of time and a JPEG; found {len(data)} bytes")
    (time_s,) = _TIME.unpack_from(data)
    if not (math.isfinite(time_s) and 0 <= time_s <= MAX_TIME_S):
        raise MessageError(f"a frame's time is {time_s}; it is in seconds, 0 to {MAX_TIME_S:.0e}")
    return RawFrame(time_s, data[_TIME.size :])


def parse_words(text: str) -> Choice | Restart:
    """Read a message that is no frame.

    Raises:
        MessageError: Not JSON, or of no known type.
    """
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MessageError("a message that is no frame is JSON") from error
    kind = said.get("type") if isinstance(said, dict) else None
    if kind == "restart":
        return Restart()
    if kind == "smoothing":
        name, value = said.get("name"), _number(said.get("value"))
        if isinstance(name, str) and math.isfinite(value):
            return Choice(name, value)
        raise MessageError("a choice of smoothing has a name and a number as its value")
    raise MessageError(f"a message's type is {str(kind)[:40]!r}; it can be smoothing or restart")


def _number(value: object) -> float:
    """Return a number as float; NaN for all else, and for integers beyond any float."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan


def tell_labels(labels: LabelSpace, caution: Caution) -> list[dict[str, Any]]:
    """Return each emotion with its name as shown, its colour, and what is doubtful about it."""
    return [
        {
            "label": emotion.value,
            "name": caution.name(emotion),
            "colour": "#{:02x}{:02x}{:02x}".format(*COLOURS[emotion]),
            "weak": emotion in caution.weak,
            "hidden": emotion in caution.hidden,
        }
        for emotion in labels.emotions
    ]


def tell_faces(views: Sequence[FaceView], width: int, height: int) -> list[dict[str, Any]]:
    """Return who is where, in shares of the picture, and who is large enough to be judged."""
    return [
        {
            "id": view.track.id,
            "box": _shares(view.track.box, width, height),
            "is_usable": view.is_usable,
        }
        for view in views
    ]


def tell_judgements(
    judgements: Sequence[Judgement], width: int, height: int
) -> list[dict[str, Any]]:
    """Return what is said of faces, with probabilities in the order of the labels."""
    return [
        {
            "time_s": round(judgement.time_s, 4),
            "id": judgement.track_id,
            "box": _shares(judgement.box, width, height),
            "smoothed": [round(float(share), 4) for share in judgement.smoothed],
            "shown": None if judgement.shown is None else judgement.shown.value,
            "is_warm_up": judgement.is_warm_up,
            "is_uncertain": judgement.is_uncertain,
        }
        for judgement in judgements
    ]


def _shares(box: Box, width: int, height: int) -> list[float]:
    edges = (box.x1 / width, box.y1 / height, box.x2 / width, box.y2 / height)
    return [round(edge, 5) for edge in edges]
