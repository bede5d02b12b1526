"""What the overlay is drawn with: plates, bars, text and corners, in place on an RGB picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from emotemporal.live.overlay.palette import PLATE, Colour

Picture = UInt8[np.ndarray, "h w 3"]


@dataclass(frozen=True)
class Area:
    """A rectangle in whole pixels; x to the right, y downwards."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """The first column past it."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """The first row past it."""
        return self.y + self.height

    def is_inside(self, width: int, height: int) -> bool:
        """Tell whether a picture of this size holds all of it."""
        return self.x >= 0 and self.y >= 0 and self.right <= width and self.bottom <= height

    def overlaps(self, other: Area) -> bool:
        """Tell whether the two share a pixel."""
        is_beside = self.right <= other.x or other.right <= self.x
        is_above = self.bottom <= other.y or other.bottom <= self.y
        return not (is_beside or is_above)


def text_width(text: str, size_px: int) -> int:
    """Return how many columns `put_text` fills."""
    return _text_mask(text, size_px).shape[1]


def put_text(picture: Picture, text: str, x: int, y: int, size_px: int, colour: Colour) -> None:
    """Write one line; (x, y) is its upper left corner, `size_px` the height of its line."""
    _blend(picture, x, y, _text_mask(text, size_px), colour)


def put_plate(picture: Picture, area: Area, radius: int, opacity: float = 0.86) -> None:
    """Darken a rounded rectangle, so that what is written on it reads on any ground."""
    _blend(picture, area.x, area.y, opacity * _rounded_mask(area.width, area.height, radius), PLATE)


def put_bar(picture: Picture, area: Area, colour: Colour) -> None:
    """Fill a rounded bar."""
    if area.width > 0 and area.height > 0:
        mask = _rounded_mask(area.width, area.height, min(area.width, area.height) // 2)
        _blend(picture, area.x, area.y, mask, colour)


def put_warning(picture: Picture, area: Area, colour: Colour) -> None:
    """Draw a triangle that stands on its side, with an exclamation mark cut out."""
    _blend(picture, area.x, area.y, _warning_mask(area.width, area.height), colour)


def put_columns(picture: Picture, area: Area, columns: UInt8[np.ndarray, "cols 3"]) -> None:
    """Fill a rectangle with one colour a column; what lies outside the picture is left out."""
    x1, x2 = max(area.x, 0), min(area.right, picture.shape[1])
    y1, y2 = max(area.y, 0), min(area.bottom, picture.shape[0])
    if x1 < x2 and y1 < y2:
        picture[y1:y2, x1:x2] = columns[x1 - area.x : x2 - area.x]


def put_corners(picture: Picture, area: Area, thickness: int, colour: Colour) -> None:
    """Draw the four corners of a frame, dark-edged, so that they show on any ground."""
    arm = max(4, min(area.width, area.height) // 5)
    radius = max(2, arm // 3)
    edge = max(1, thickness // 2)
    for width, ink in ((thickness + 2 * edge, PLATE), (thickness, colour)):
        for x, y, right, down in (
            (area.x, area.y, 1, 1),
            (area.right, area.y, -1, 1),
            (area.x, area.bottom, 1, -1),
            (area.right, area.bottom, -1, -1),
        ):
            points = _corner(x, y, right * arm, down * arm, radius)
            cv2.polylines(picture, [points], False, ink, width, cv2.LINE_AA)


def _corner(x: int, y: int, across: int, down: int, radius: int) -> np.ndarray:
    """Return a bent line: one arm, a quarter circle, the other arm."""
    sign_x, sign_y = np.sign(across), np.sign(down)
    angles = np.linspace(0, np.pi / 2, 6)
    bend_x = x + sign_x * radius * (1 - np.sin(angles))
    bend_y = y + sign_y * radius * (1 - np.cos(angles))
    bend = np.stack([bend_x, bend_y], axis=1)
    line = np.concatenate([[[x + across, y]], bend, [[x, y + down]]])
    return np.round(line).astype(np.int32)


def _blend(
    picture: Picture, x: int, y: int, mask: Float[np.ndarray, "mh mw"], colour: Colour
) -> None:
    """Lay a colour over the picture where the mask is; outside the picture nothing happens."""
    height, width = picture.shape[:2]
    x1, x2 = max(x, 0), min(x + mask.shape[1], width)
    y1, y2 = max(y, 0), min(y + mask.shape[0], height)
    if x1 >= x2 or y1 >= y2:
        return
    share = mask[y1 - y : y2 - y, x1 - x : x2 - x, None]
    ground = picture[y1:y2, x1:x2]
    mixed = ground + share * (np.asarray(colour, np.float32) - ground)
    ground[:] = np.round(mixed).astype(np.uint8)


@lru_cache(maxsize=512)
def _text_mask(text: str, size_px: int) -> Float[np.ndarray, "mh mw"]:
    font = _font(size_px)
    width = max(1, round(font.getlength(text)))
    image = Image.new("L", (width, round(1.25 * size_px)))
    # On the baseline, so that lines with and without descenders stand level.
    ImageDraw.Draw(image).text((0, size_px), text, fill=255, font=font, anchor="ls")
    return np.asarray(image, dtype=np.float32) / 255


@lru_cache(maxsize=16)
def _font(size_px: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size_px)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow without FreeType"
    return font


@lru_cache(maxsize=16)
def _warning_mask(width: int, height: int) -> Float[np.ndarray, "mh mw"]:
    image = Image.new("L", (8 * width, 8 * height))
    draw = ImageDraw.Draw(image)
    right, bottom = 8 * width, 8 * height
    draw.polygon([(right / 2, 0.06 * bottom), (right, 0.94 * bottom), (0, 0.94 * bottom)], 255)
    half = 0.055 * right
    draw.rectangle((right / 2 - half, 0.36 * bottom, right / 2 + half, 0.66 * bottom), 0)
    draw.rectangle((right / 2 - half, 0.73 * bottom, right / 2 + half, 0.83 * bottom), 0)
    small = image.resize((width, height), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32) / 255


@lru_cache(maxsize=256)
def _rounded_mask(width: int, height: int, radius: int) -> Float[np.ndarray, "mh mw"]:
    # Drawn larger and averaged: Pillow's own corners have steps.
    image = Image.new("L", (4 * width, 4 * height))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((0, 0, 4 * width - 1, 4 * height - 1), 4 * radius, fill=255)
    small = image.resize((width, height), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32) / 255
