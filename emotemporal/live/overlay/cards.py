"""What stands beside a face: a card with bars and timeline or, where room is short, a tag."""

from __future__ import annotations

import numpy as np

from emotemporal.inference.caution import Caution
from emotemporal.inference.predictor import Judgement
from emotemporal.labels import Emotion
from emotemporal.live.overlay import canvas
from emotemporal.live.overlay.canvas import Area, Picture
from emotemporal.live.overlay.palette import COLOURS, FAINT_INK, INK, TRACK, Colour
from emotemporal.live.overlay.scene import FaceCard
from emotemporal.live.overlay.strip import put_strip

# All lengths are in units of the text's height, so that a card is the same on every picture.
_PAD = 0.5
_ROW = 1.25
_CARD_WIDTH = 12.0
_TIMELINE = 0.9
_INITIALS = 0.75
_GAP = 0.35
_INITIALS_FROM = 14  # px of text: smaller ones would not be legible
NAME_WIDTH = 5.3
"""Of the column before the bars: the longest name, happiness, fits."""


def card_size_px(num_bars: int, unit: int) -> tuple[int, int]:
    """Return width and height of a card."""
    height = 2 * _PAD + _ROW + num_bars * _ROW * 0.9 + 2 * _GAP + _TIMELINE
    height += 1.1 * _INITIALS if unit >= _INITIALS_FROM else 0
    return round(_CARD_WIDTH * unit), round(height * unit)


def tag_size_px(card: FaceCard, unit: int, caution: Caution) -> tuple[int, int]:
    """Return width and height of a tag; as wide as its words."""
    name, note, _ = card_words(card, caution)
    gap = unit if note else 0
    text = canvas.text_width(name, unit) + gap + canvas.text_width(note, small_px(unit))
    return round((2 * _PAD + 1.2) * unit) + text, round(
        (_ROW + (1.2 if card.is_usable else 0.6)) * unit
    )


def small_px(unit: int) -> int:
    """Return the size of the lesser text; under 10 px it could not be read."""
    return max(10, round(0.82 * unit))


def card_words(card: FaceCard, caution: Caution) -> tuple[str, str, Colour]:
    """Return what is said of a face, if it is large enough to judge."""
    return words(card.latest, caution) if card.is_usable else ("too small", "", FAINT_INK)


def words(judgement: Judgement | None, caution: Caution) -> tuple[str, str, Colour]:
    """Return what is said of a face: a name, a note beside it, the name's ink."""
    if judgement is not None and judgement.is_learning:
        return "look neutral", "", INK
    if judgement is None or judgement.is_warm_up:
        return "warming up", "", FAINT_INK
    if judgement.shown is None:
        return "uncertain", "", FAINT_INK
    name = caution.name(judgement.shown)
    if judgement.is_uncertain:
        return name, "uncertain", FAINT_INK
    share = judgement.smoothed[judgement.labels.index(judgement.shown)]
    return name, f"{100 * share:.0f} %", INK


def face_colour(card: FaceCard) -> Colour:
    """Return the colour of what is shown; grey where nothing is, or the face is too small."""
    judgement = card.latest
    if not card.is_usable or judgement is None or judgement.is_warm_up or judgement.shown is None:
        return FAINT_INK
    return COLOURS[judgement.shown]


def put_card(
    picture: Picture,
    card: FaceCard,
    area: Area,
    time_s: float,
    unit: int,
    num_bars: int,
    caution: Caution,
) -> None:
    """Draw name, bars and timeline."""
    canvas.put_plate(picture, area, radius=round(0.4 * unit))
    inner = Area(
        area.x + round(_PAD * unit),
        area.y + round(_PAD * unit),
        area.width - 2 * round(_PAD * unit),
        area.height - 2 * round(_PAD * unit),
    )
    _put_header(picture, card_words(card, caution), face_colour(card), inner, unit)
    top = inner.y + round((_ROW + _GAP) * unit)
    if card.latest is not None:
        bars = Area(inner.x, top, inner.width, 0)
        _put_bars(picture, card.latest, bars, unit, num_bars, caution)
    small = round(_INITIALS * unit) if unit >= _INITIALS_FROM else 0
    height = round(_TIMELINE * unit)
    strip = Area(inner.x, inner.bottom - height - round(1.1 * small), inner.width, height)
    put_strip(picture, card, strip, time_s, small)


def put_tag(
    picture: Picture, card: FaceCard, area: Area, time_s: float, unit: int, caution: Caution
) -> None:
    """Draw name and timeline; of a face that is not judged, why."""
    canvas.put_plate(picture, area, radius=round(0.35 * unit))
    pad = round(_PAD * unit)
    inner = Area(area.x + pad, area.y + round(0.3 * unit), area.width - 2 * pad, 0)
    _put_header(picture, card_words(card, caution), face_colour(card), inner, unit)
    if not card.is_usable:
        return
    height = max(3, round(0.4 * unit))
    strip = Area(inner.x, area.bottom - round(0.3 * unit) - height, inner.width, height)
    put_strip(picture, card, strip, time_s)


def _put_header(
    picture: Picture, said: tuple[str, str, Colour], colour: Colour, inner: Area, unit: int
) -> None:
    name, note, ink = said
    side = round(0.8 * unit)
    swatch = Area(inner.x, inner.y + round(0.25 * unit), side, side)
    canvas.put_bar(picture, swatch, colour)
    if ink != INK:  # a ring: nothing certain
        rim = max(2, side // 5)
        hole = Area(swatch.x + rim, swatch.y + rim, side - 2 * rim, side - 2 * rim)
        canvas.put_bar(picture, hole, TRACK)
    canvas.put_text(picture, name, swatch.right + round(0.4 * unit), inner.y, unit, ink)
    small = small_px(unit)
    right = inner.right - canvas.text_width(note, small) if note else inner.right
    canvas.put_text(picture, note, right, inner.y + unit - small, small, FAINT_INK)


def _put_bars(
    picture: Picture,
    judgement: Judgement,
    inner: Area,
    unit: int,
    num_bars: int,
    caution: Caution,
) -> None:
    small, row = small_px(unit), round(0.9 * _ROW * unit)
    height = max(4, round(0.5 * unit))
    left = inner.x + round(NAME_WIDTH * unit)
    ranked = [row for row in _ranked(judgement) if row[0] not in caution.hidden]
    for i, (emotion, share) in enumerate(ranked[:num_bars]):
        y = inner.y + i * row
        track = Area(left, y + (row - height) // 2, inner.right - left, height)
        canvas.put_bar(picture, track, TRACK)
        # In warm-up the bars move, and are grey: numbers, not yet an answer.
        ink, colour = (FAINT_INK, FAINT_INK) if judgement.is_warm_up else (INK, COLOURS[emotion])
        canvas.put_text(picture, caution.name(emotion), inner.x, y, small, ink)
        filled = max(height, round(track.width * share))
        canvas.put_bar(picture, Area(left, track.y, filled, height), colour)


def _ranked(judgement: Judgement) -> list[tuple[Emotion, float]]:
    """Return emotions and probabilities, highest first."""
    # Equal ones in the labels' order, or rows would swap on noise in the last digit.
    order = np.argsort(-np.round(judgement.smoothed, 3), kind="stable")
    return [(judgement.labels.emotions[k], float(judgement.smoothed[k])) for k in order]
