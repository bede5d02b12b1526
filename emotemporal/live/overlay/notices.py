"""What stands over the whole picture: status, warnings, what keys did, help."""

from __future__ import annotations

from collections.abc import Sequence

from emotemporal.live.overlay import canvas
from emotemporal.live.overlay.canvas import Area, Picture
from emotemporal.live.overlay.palette import ALERT, FAINT_INK, INK, RECORDING
from emotemporal.live.overlay.status import Status

_BETWEEN = "   "
_WORDS_FROM = 40  # times the text's height: on less, badges are their sign alone


def put_status(picture: Picture, status: Status, unit: int) -> list[Area]:
    """Draw status words in the upper left corner, and the alert below; return what they cover."""
    margin = round(0.6 * unit)
    room = picture.shape[1] - 2 * margin - unit
    lines = _break(status.words, room, unit)
    areas = [_put_lines(picture, lines, margin, margin, unit)] if lines else []
    if status.alert:
        top = areas[0].bottom + margin // 2 if areas else margin
        areas.append(_put_alert(picture, status.alert, margin, top, unit))
    return areas


def put_notes(
    picture: Picture,
    badges: Sequence[str],
    note: str,
    keys: Sequence[tuple[str, str]],
    unit: int,
) -> None:
    """Draw badges upper right, a note at the bottom, and the keys with what they do."""
    height, width = picture.shape[:2]
    margin = round(0.6 * unit)
    right = width - margin
    for badge in badges:
        area = _put_badge(picture, badge, right, margin, unit)
        right = area.x - margin // 2
    if note:
        size = canvas.text_width(note, unit) + unit
        x = max(margin, (width - size) // 2)
        _put_lines(picture, [note], x, height - margin - round(4.2 * unit), unit)
    if keys:
        _put_keys(picture, keys, unit)


def _break(words: Sequence[str], room: int, unit: int) -> list[str]:
    """Set words into as many lines as they need."""
    lines: list[str] = []
    for word in words:
        longer = f"{lines[-1]}{_BETWEEN}{word}" if lines else word
        if lines and canvas.text_width(longer, unit) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _put_lines(picture: Picture, lines: Sequence[str], x: int, y: int, unit: int) -> Area:
    pad, row = round(0.4 * unit), round(1.25 * unit)
    width = max(canvas.text_width(line, unit) for line in lines) + 2 * pad
    area = Area(x, y, width, row * len(lines) + 2 * (pad // 2))
    canvas.put_plate(picture, area, radius=pad)
    for i, line in enumerate(lines):
        canvas.put_text(picture, line, x + pad, y + pad // 2 + i * row, unit, INK)
    return area


def _put_alert(picture: Picture, text: str, x: int, y: int, unit: int) -> Area:
    """Draw a warning: a triangle with its mark, and words."""
    pad, row = round(0.4 * unit), round(1.25 * unit)
    sign = row
    width = sign + canvas.text_width(text, unit) + 3 * pad
    area = Area(x, y, width, row + 2 * (pad // 2))
    canvas.put_plate(picture, area, radius=pad)
    canvas.put_warning(picture, Area(x + pad, y + pad // 2, sign, sign), ALERT)
    canvas.put_text(picture, text, x + sign + 2 * pad, y + pad // 2, unit, ALERT)
    return area


def _put_badge(picture: Picture, text: str, right: int, y: int, unit: int) -> Area:
    pad, row, side = round(0.4 * unit), round(1.25 * unit), round(0.8 * unit)
    is_wide = picture.shape[1] > _WORDS_FROM * unit
    width = side + 2 * pad + (canvas.text_width(text, unit) + pad if is_wide else 0)
    area = Area(right - width, y, width, row + 2 * (pad // 2))
    canvas.put_plate(picture, area, radius=pad)
    sign = Area(area.x + pad, y + (area.height - side) // 2, side, side)
    if text == "recording":
        canvas.put_bar(picture, sign, RECORDING)
    else:  # paused: two bars
        third = max(2, side // 3)
        for left in (sign.x, sign.right - third):
            canvas.put_bar(picture, Area(left, sign.y, third, side), INK)
    if is_wide:
        canvas.put_text(picture, text, sign.right + pad, y + pad // 2, unit, INK)
    return area


def _put_keys(picture: Picture, keys: Sequence[tuple[str, str]], unit: int) -> None:
    height, width = picture.shape[:2]
    pad, row = unit, round(1.5 * unit)
    left = max(canvas.text_width(key, unit) for key, _ in keys) + pad
    size_x = left + max(canvas.text_width(does, unit) for _, does in keys) + 2 * pad
    size_y = row * len(keys) + round(1.4 * pad)
    area = Area(max(0, (width - size_x) // 2), max(0, (height - size_y) // 2), size_x, size_y)
    canvas.put_plate(picture, area, radius=pad // 2, opacity=0.94)
    for i, (key, does) in enumerate(keys):
        y = area.y + round(0.8 * pad) + i * row
        canvas.put_text(picture, key, area.x + pad, y, unit, INK)
        canvas.put_text(picture, does, area.x + pad + left, y, unit, FAINT_INK)
