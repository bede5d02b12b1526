"""A face's scrolling timeline: what was shown over the last seconds, now at the right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, UInt8

from emotemporal.inference.predictor import Judgement
from emotemporal.live.overlay import canvas
from emotemporal.live.overlay.canvas import Area, Picture
from emotemporal.live.overlay.palette import COLOURS, FAINT_INK, INITIALS, TRACK, Colour
from emotemporal.live.overlay.scene import HISTORY_S, FaceCard

_LEAST = 0.35  # of the strip's height: what is shown at all is seen


def put_strip(
    picture: Picture, card: FaceCard, area: Area, time_s: float, text_px: int = 0
) -> None:
    """Draw what was shown: its colour, as high as its probability, and its initials.

    Args:
        picture: Drawn on.
        card: The face.
        area: All of `HISTORY_S`.
        time_s: The right end.
        text_px: Of the initials, which stand below the area; 0 leaves them out.
    """
    at = _held(card.history, time_s, area.width)
    colours = timeline(card, time_s, area.width)
    canvas.put_columns(picture, area, np.full_like(colours, TRACK))
    heights = _heights(card.history)[at + 1]
    for start, end in _runs(at):
        filled = round(float(heights[start]) * area.height)
        columns = Area(area.x + start, area.bottom - filled, end - start, filled)
        canvas.put_columns(picture, columns, colours[start:end])
    if text_px:
        _put_initials(picture, card.history, at, area, text_px)


def timeline(card: FaceCard, time_s: float, width: int) -> UInt8[np.ndarray, "w 3"]:
    """Return one colour a column: what was shown over the last seconds, now at the right."""
    colours = np.array([TRACK, *(_colour(j) for j in card.history)], dtype=np.uint8)
    return colours[_held(card.history, time_s, width) + 1]


def _held(history: Sequence[Judgement], time_s: float, width: int) -> Int[np.ndarray, " w"]:
    """Return which judgement holds in each column: -1 before any, the last one after it."""
    starts_s = np.array([judgement.time_s for judgement in history])
    ages = (np.arange(width) + 0.5) / width
    columns_s = time_s - HISTORY_S * (1 - ages)
    return np.searchsorted(starts_s, columns_s, side="right").astype(np.int64) - 1


def _heights(history: Sequence[Judgement]) -> Float[np.ndarray, " n"]:
    """Return the share of the strip's height that each judgement fills; the first is of none."""
    return np.array([0.0, *(_height(judgement) for judgement in history)])


def _height(judgement: Judgement) -> float:
    if judgement.shown is None:
        return 0.0
    share = float(judgement.smoothed[judgement.labels.index(judgement.shown)])
    return _LEAST + (1 - _LEAST) * share


def _runs(values: Sequence[object] | Int[np.ndarray, " w"]) -> list[tuple[int, int]]:
    """Return where equal neighbours begin and end."""
    starts = [0, *(i for i in range(1, len(values)) if values[i] != values[i - 1])]
    return list(zip(starts, [*starts[1:], len(values)], strict=True)) if len(values) else []


def _put_initials(
    picture: Picture,
    history: Sequence[Judgement],
    at: Int[np.ndarray, " w"],
    area: Area,
    text_px: int,
) -> None:
    shown = [history[i].shown if i >= 0 else None for i in at]
    for start, end in _runs(shown):
        emotion = shown[start]
        if emotion is None:
            continue
        text = INITIALS[emotion]
        width = canvas.text_width(text, text_px)
        if end - start < width + text_px // 4:
            continue
        canvas.put_text(picture, text, area.x + start, area.bottom, text_px, FAINT_INK)


def _colour(judgement: Judgement) -> Colour:
    if judgement.is_warm_up or judgement.shown is None:
        return TRACK
    colour = COLOURS[judgement.shown]
    return _faded(colour) if judgement.is_uncertain else colour


def _faded(colour: Colour) -> Colour:
    red, green, blue = ((2 * of + 3 * empty) // 5 for of, empty in zip(colour, TRACK, strict=True))
    return red, green, blue
