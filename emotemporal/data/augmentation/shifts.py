"""Shift face crops away from what a network was trained on: named changes, five strengths each.

Where `augment` draws how far to go, a shift says it: a figure under a shift can be repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from emotemporal.data.seeds import derive_seed
from emotemporal.faces.crop import CropMap, crop_face
from emotemporal.types import Box

NUM_STRENGTHS = 5
_NOISE_PX = 64  # noise and its strength belong to a face of this size, whatever the crop's

Crop: TypeAlias = UInt8[np.ndarray, "s s 3"]
Change: TypeAlias = Callable[[Crop, float, np.random.Generator], Crop]


@dataclass(frozen=True)
class Shift:
    """One way in which faces met later can differ, and how far it goes."""

    name: str
    unit: str
    """What `amounts` are in."""
    amounts: tuple[float, float, float, float, float]
    """At strengths 1 to 5, each further from what the crop was than the one before."""
    change: Change
    """From (crop, amount, generator) to the changed crop; draws the same for every amount."""


def apply_shift(crop: Crop, shift: Shift, strength: int, generator: np.random.Generator) -> Crop:
    """Return a changed copy of a face crop, before `preprocess`, as a camera would have given it.

    Args:
        crop: RGB, 0 to 255. Not written to.
        shift: One of `SHIFTS`.
        strength: 1 to 5; 0 changes nothing.
        generator: The only source of randomness. The same state at every strength gives one
            direction, one pattern of noise, one colour, which then grow.

    Raises:
        ValueError: There is no such strength.
    """
    if not 0 <= strength <= NUM_STRENGTHS:
        raise ValueError(f"strength of {shift.name} is {strength}; it can be 0 to {NUM_STRENGTHS}")
    if strength == 0:
        return crop.copy()
    changed = shift.change(crop, shift.amounts[strength - 1], generator)
    return np.ascontiguousarray(changed, dtype=np.uint8)


def cover_mouth(crops: UInt8[np.ndarray, "t s s 3"]) -> UInt8[np.ndarray, "t s s 3"]:
    """Return crops with mouth, jaw and chin under one even grey, where nothing speaks.

    For runs that must not read lips: the same place in every frame of every clip, so that the cover
    itself tells nothing.
    """
    covered = crops.copy()
    covered[:, _within(crops.shape[1], 0.76, (0.42, 0.22), power=4)] = 128
    return covered


def shift_generator(seed: int, shift: Shift, image: str) -> np.random.Generator:
    """Return what one shift of one image is drawn from, whatever the other images and strengths.

    Args:
        seed: The suite's.
        shift: One of `SHIFTS`.
        image: The image's path in its table: other than its row it is the same in every split and
            every part of the data set.
    """
    return np.random.default_rng(derive_seed(seed, f"shift/{shift.name}/{image}"))


def _plain(change: Callable[[Crop, float], Crop]) -> Change:
    """Return the change as one that draws nothing."""
    return lambda crop, amount, _: change(crop, amount)


def _rescale(crop: Crop, amount: float) -> Crop:
    side = crop.shape[0]
    return crop_face(crop, Box(0, 0, side, side, score=1.0), CropMap(scale=amount), side)


def _offset(crop: Crop, amount: float, generator: np.random.Generator) -> Crop:
    side = crop.shape[0]
    angle = generator.uniform(0, 2 * np.pi)
    x, y = amount * side * np.cos(angle), amount * side * np.sin(angle)
    return crop_face(crop, Box(x, y, x + side, y + side, score=1.0), CropMap(scale=1.0), side)


def _roll(crop: Crop, amount: float, generator: np.random.Generator) -> Crop:
    side = crop.shape[0]
    degrees = amount if generator.random() < 0.5 else -amount
    matrix = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), degrees, 1.0)
    return cv2.warpAffine(crop, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)


def _blur(crop: Crop, amount: float) -> Crop:
    return cv2.GaussianBlur(crop, (0, 0), amount * crop.shape[0], borderType=cv2.BORDER_REPLICATE)


def _noise(crop: Crop, amount: float, generator: np.random.Generator) -> Crop:
    field = generator.standard_normal((_NOISE_PX, _NOISE_PX, 3), dtype=np.float32)
    return _to_bytes(crop + np.float32(amount) * _resize(field, crop.shape[0]))


def _jpeg(crop: Crop, amount: float) -> Crop:
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(amount)]
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), quality)
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _darken(crop: Crop, amount: float) -> Crop:
    return _to_bytes(crop * np.float32(amount))


def _contrast(crop: Crop, amount: float) -> Crop:
    mean = np.float32(crop.mean())  # around it, so that light stays the same
    return _to_bytes(mean + np.float32(amount) * (crop - mean))


def _cover_eyes(crop: Crop, amount: float, generator: np.random.Generator) -> Crop:
    colour = generator.uniform(0, 50, 3)  # dark glasses
    return _fill(crop, _within(crop.shape[0], 0.41, (0.4, amount / 2), power=4), colour)


def _cover_mouth(crop: Crop, amount: float, generator: np.random.Generator) -> Crop:
    # A mask, a hand, a cup: any brightness, and nearly without colour.
    colour = generator.uniform(40, 230) + generator.uniform(-20, 20, 3)
    return _fill(crop, _within(crop.shape[0], 0.75, (0.9 * amount, amount / 2)), colour)


def _downscale(crop: Crop, amount: float) -> Crop:
    side = crop.shape[0]
    few = min(side, int(amount))
    return _resize(_resize(crop, few), side)


def _black_around(crop: Crop, amount: float) -> Crop:
    is_face = _within(crop.shape[0], 0.5, (0.8 * amount / 2, amount / 2))
    return _fill(crop, ~is_face, np.zeros(3))


def _colour(crop: Crop, amount: float, generator: np.random.Generator) -> Crop:
    """Give a face the hue of skin, what is around it another, and the whole a cast of the light.

    Hue and saturation stand beside the luma; the cast alone reaches a network that sees grey.
    """
    hue, cast = generator.uniform(0, 2 * np.pi), generator.uniform(-1, 1)
    side = crop.shape[0]
    skin = np.array([0.075, -0.055], np.float32)  # red and blue beside luma, of the full range
    around = 0.06 * np.array([np.cos(hue), np.sin(hue)], np.float32)
    is_face = _within(side, 0.5, (0.38, 0.48)).astype(np.float32)
    face = cv2.GaussianBlur(is_face, (0, 0), 0.04 * side)[..., None]
    image = cv2.cvtColor(crop.astype(np.float32) / 255, cv2.COLOR_RGB2YCrCb)
    # Black and white have no room for a hue.
    room = np.minimum(1, 4 * np.minimum(image[..., :1], 1 - image[..., :1]))
    image[..., 1:] += np.float32(amount) * room * (face * skin + (1 - face) * around)
    gains = 1 + 0.12 * amount * cast * np.array([1, 0, -1], np.float32)
    return _to_bytes(255 * gains * cv2.cvtColor(image, cv2.COLOR_YCrCb2RGB))


def _to_bytes(image: Float[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _resize(
    image: UInt8[np.ndarray, "a a 3"] | Float32[np.ndarray, "a a 3"], side: int
) -> np.ndarray:
    if image.shape[0] == side:
        return image
    interpolation = cv2.INTER_AREA if image.shape[0] > side else cv2.INTER_LINEAR
    return cv2.resize(image, (side, side), interpolation=interpolation)


def _within(
    side: int, centre_y: float, half_axes: tuple[float, float], power: int = 2
) -> Bool[np.ndarray, "s s"]:
    """Return the pixels in an ellipse around the vertical middle line; shares of the side.

    A higher power squares it.
    """
    at = (np.arange(side) + 0.5) / side
    x, y = (at - 0.5) / half_axes[0], (at - centre_y) / half_axes[1]
    return x[None] ** power + y[:, None] ** power <= 1


def _fill(
    crop: Crop,
    where: Bool[np.ndarray, "s s"],
    colour: Float[np.ndarray, " 3"],
) -> Crop:
    filled = crop.copy()
    filled[where] = colour.astype(np.uint8)
    return filled


SHIFTS: tuple[Shift, ...] = (
    Shift("crop_tighter", "sides of the crop", (0.94, 0.88, 0.82, 0.76, 0.7), _plain(_rescale)),
    Shift("crop_wider", "sides of the crop", (1.06, 1.12, 1.18, 1.24, 1.3), _plain(_rescale)),
    Shift("crop_offset", "sides, any direction", (0.03, 0.06, 0.09, 0.12, 0.15), _offset),
    Shift("roll", "degrees, either way", (5, 10, 15, 22, 30), _roll),
    Shift("blur", "sides, deviation", (0.008, 0.016, 0.024, 0.032, 0.04), _plain(_blur)),
    Shift("noise", "of 255, deviation", (5, 10, 16, 24, 32), _noise),
    Shift("jpeg", "quality of 100", (50, 30, 20, 12, 7), _plain(_jpeg)),
    Shift("low_light", "of each value", (0.6, 0.4, 0.25, 0.15, 0.1), _plain(_darken)),
    Shift("contrast_down", "of the contrast", (0.7, 0.5, 0.35, 0.22, 0.15), _plain(_contrast)),
    Shift("contrast_up", "of the contrast", (1.3, 1.6, 2.0, 2.5, 3.0), _plain(_contrast)),
    Shift("eyes_covered", "sides, height", (0.1, 0.14, 0.18, 0.22, 0.26), _cover_eyes),
    Shift("mouth_covered", "sides, height", (0.12, 0.18, 0.24, 0.3, 0.36), _cover_mouth),
    Shift("downscaled", "px a side", (32, 24, 20, 16, 12), _plain(_downscale)),
    Shift("black_around", "sides, height", (1.2, 1.1, 1.0, 0.92, 0.84), _plain(_black_around)),
    Shift("colour", "of a camera's colour", (0.2, 0.4, 0.6, 0.8, 1.0), _colour),
)
"""All that the suite applies; `sides` are sides of the crop.

Eyes and mouth are covered where an upright, centred face has them. What a shift would see beyond
the crop repeats the crop's edge, as `crop_face` does at a frame's. JPEG works on the crop's own
pixels; noise and down-scaling are of a face of so many pixels, whatever the crop has.
"""
