"""The picture with its faces labelled: corners and a card a face, status and legend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from emotemporal.inference.caution import WEAK_MARK, Caution
from emotemporal.labels import Emotion, LabelSpace
from emotemporal.live.overlay import canvas, cards, notices
from emotemporal.live.overlay.canvas import Area, Picture
from emotemporal.live.overlay.palette import COLOURS, FAINT_INK, INK
from emotemporal.live.overlay.scene import FaceCard
from emotemporal.live.overlay.status import Status
from emotemporal.types import Box

Side = Literal["right", "left", "below", "above", "inside"]
_CARD_SIDES: tuple[Side, ...] = ("right", "left", "below", "above")
_TAG_SIDES: tuple[Side, ...] = ("above", "below", "inside")


@dataclass(frozen=True)
class OverlayConfig:
    """What is drawn on the picture."""

    num_bars: int = 3
    """How many of the highest probabilities a card shows; 0 leaves a small tag a face."""
    show_legend: bool = True
    """The emotions' colours at the bottom, where the picture is wide enough."""

    def __post_init__(self) -> None:
        if not 0 <= self.num_bars <= 8:
            raise ValueError(f"num_bars is {self.num_bars}; it can be 0 to 8")


@dataclass(frozen=True)
class Place:
    """Where a face's card, or where room is short its tag, is drawn."""

    side: Side
    is_card: bool
    area: Area


class Overlay:
    """Draws on pictures of any size. Remembers where each card was, so that none jumps."""

    def __init__(
        self,
        labels: LabelSpace,
        config: OverlayConfig | None = None,
        caution: Caution | None = None,
    ) -> None:
        self._config = config or OverlayConfig()
        self._caution = caution or Caution()
        self._shown = self._caution.shown(labels)
        self._num_bars = min(self._config.num_bars, len(self._shown))
        self.places: dict[int, Place] = {}
        """Of the faces of the last picture, by track."""

    def draw(
        self, image: Picture, faces: Sequence[FaceCard], time_s: float, status: Status
    ) -> UInt8[np.ndarray, "h w 3"]:
        """Return a copy of an RGB picture with its faces labelled.

        Args:
            image: Left as it is.
            faces: Largest first: they get the best places.
            time_s: Of the picture: the right end of the timelines.
            status: For the upper left corner; its alert stands below.
        """
        picture = image.copy()
        unit = text_size_px(image)
        for face in reversed(faces):
            _put_box(picture, face, unit)
        taken = notices.put_status(picture, status, unit)
        if self._config.show_legend:
            taken += _put_legend(picture, self._shown, self._caution, unit)
        taken += [_to_area(face.box) for face in faces]
        places: dict[int, Place] = {}
        for face in faces:
            places[face.track_id] = self._place(face, image.shape[:2], unit, taken)
            taken.append(places[face.track_id].area)
        # The smallest face's first: where they overlap, the nearer face's card stays readable.
        for face in reversed(faces):
            self._put(picture, face, places[face.track_id], time_s, unit)
        self.places = places
        return picture

    def draw_notes(
        self,
        picture: Picture,
        badges: Sequence[str],
        note: str = "",
        keys: Sequence[tuple[str, str]] = (),
    ) -> UInt8[np.ndarray, "h w 3"]:
        """Return a copy with what is for the window alone.

        Args:
            picture: As `draw` gave it.
            badges: States, such as `recording`; upper right.
            note: What a key just did.
            keys: Each with what it does: the help panel.
        """
        noted = picture.copy()
        notices.put_notes(noted, badges, note, keys, text_size_px(picture))
        return noted

    def _put(
        self, picture: Picture, face: FaceCard, place: Place, time_s: float, unit: int
    ) -> None:
        if place.is_card:
            cards.put_card(picture, face, place.area, time_s, unit, self._num_bars, self._caution)
        else:
            cards.put_tag(picture, face, place.area, time_s, unit, self._caution)

    def _place(
        self, face: FaceCard, size_hw: tuple[int, ...], unit: int, taken: Sequence[Area]
    ) -> Place:
        """Find room: where it was, else beside the face, else a tag that may cover something."""
        height, width = size_hw
        options = list(self._options(face, width, height, unit))
        before = self.places.get(face.track_id)
        if before is not None:
            # Cards first, for those where it was first: else it would jump on a pixel's change.
            options.sort(key=lambda option: (not option.is_card, option.side != before.side))
        own = _to_area(face.box)
        for option in options:
            others = [area for area in taken if area != own]
            if option.area.is_inside(width, height) and not any(map(option.area.overlaps, others)):
                return option
        return next(option for option in options if option.side == "inside")

    def _options(self, face: FaceCard, width: int, height: int, unit: int) -> Iterator[Place]:
        box = _to_area(face.box)
        if self._num_bars > 0 and face.latest is not None and face.is_usable:
            size = cards.card_size_px(self._num_bars, unit)
            # Beside a face much smaller than its card, the card would be the picture.
            if box.height > 0.5 * size[1]:
                for side in _CARD_SIDES:
                    yield Place(side, True, _beside(box, size, side, unit, width, height))
        size = cards.tag_size_px(face, unit, self._caution)
        for side in _TAG_SIDES:
            yield Place(side, False, _beside(box, size, side, unit, width, height))


def text_size_px(image: Picture) -> int:
    """Return the height of text that is legible on a picture of this size."""
    return max(12, round(0.024 * min(image.shape[:2])))


def _put_box(picture: Picture, face: FaceCard, unit: int) -> None:
    """Draw corners round a face, and its number, which is its `track_id` in tables."""
    area, colour = _to_area(face.box), cards.face_colour(face)
    if not face.is_usable:
        canvas.put_corners(picture, area, 1, FAINT_INK)
        return
    canvas.put_corners(picture, area, max(1, round(unit / 7)), colour)
    small, text = cards.small_px(unit), str(face.track_id)
    width = canvas.text_width(text, small) + round(0.6 * small)
    if area.height > 5 * small:
        height = round(1.25 * small)
        chip = Area(area.x + small // 2, area.bottom - height - small // 2, width, height)
        canvas.put_plate(picture, chip, radius=small // 4, opacity=0.6)
        canvas.put_text(picture, text, chip.x + round(0.3 * small), chip.y, small, INK)


def _beside(
    box: Area, size: tuple[int, int], side: Side, unit: int, width: int, height: int
) -> Area:
    card_width, card_height = size
    gap = max(3, unit // 2)
    along_x = min(max(box.x, 0), max(0, width - card_width))
    along_y = min(max(box.y, 0), max(0, height - card_height))
    if side == "right":
        return Area(box.right + gap, along_y, card_width, card_height)
    if side == "left":
        return Area(box.x - gap - card_width, along_y, card_width, card_height)
    if side == "below":
        return Area(along_x, box.bottom + gap, card_width, card_height)
    if side == "above":
        return Area(along_x, box.y - gap - card_height, card_width, card_height)
    lowest = max(0, min(box.bottom, height) - card_height)
    return Area(along_x, lowest, card_width, card_height)


def _put_legend(
    picture: Picture, emotions: Sequence[Emotion], caution: Caution, unit: int
) -> list[Area]:
    """Draw the legend at the bottom; nothing where it would not fit on one line."""
    pad, margin, side = round(0.5 * unit), round(0.6 * unit), round(0.7 * unit)
    names = [caution.name(emotion) for emotion in emotions]
    note = f"{WEAK_MARK} weak" if caution.weak & set(emotions) else ""
    widths = [side + pad // 2 + canvas.text_width(name, unit) for name in names]
    note_width = canvas.text_width(note, unit) + pad if note else 0
    total = sum(widths) + pad * (len(widths) + 1) + pad + note_width
    height = round(1.25 * unit) + 2 * (pad // 2)
    area = Area(margin, picture.shape[0] - margin - height, total, height)
    if area.right + margin > picture.shape[1]:
        return []
    canvas.put_plate(picture, area, radius=pad)
    x, text_y = area.x + pad, area.y + pad // 2
    for emotion, name, width in zip(emotions, names, widths, strict=True):
        swatch = Area(x, area.y + (height - side) // 2, side, side)
        canvas.put_bar(picture, swatch, COLOURS[emotion])
        canvas.put_text(picture, name, swatch.right + pad // 2, text_y, unit, INK)
        x += width + pad
    canvas.put_text(picture, note, x, text_y, unit, FAINT_INK)
    return [area]


def _to_area(box: Box) -> Area:
    x1, y1, x2, y2 = (round(value) for value in (box.x1, box.y1, box.x2, box.y2))
    return Area(x1, y1, x2 - x1, y2 - y1)
