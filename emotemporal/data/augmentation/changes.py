"""What is done to a training clip: how far each change may go, and what was drawn for one clip."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, for red, green and blue


@dataclass(frozen=True)
class AugmentConfig:
    """How far a training clip may be changed. All zero changes nothing.

    A share is the probability that a change is made to a clip; an amount is its greatest strength.
    Amounts are drawn evenly up to that strength, to both sides where there are two.

    Raises:
        ValueError: A share outside 0 to 1, or an amount that cannot be.
    """

    flip_share: float = 0.5
    rotation_deg: float = 30.0
    """In place of eye alignment: what a live head rolls by."""
    scale: float = 0.1
    """0.1 is from 1/1.1 to 1.1 times the size. Makes up for detectors whose boxes differ."""
    shift: float = 0.05
    """Share of the crop's side, along x and along y."""
    brightness: float = 0.2
    """0.2 adds up to a fifth of the full range, or takes it away."""
    contrast: float = 0.2
    saturation: float = 0.2
    grey_share: float = 0.1
    low_light_share: float = 0.05
    """Darkens to between 0.6 and 0.15 of the light."""
    blur_share: float = 0.1
    blur: float = 0.015
    """Standard deviation of the blur, as a share of the crop's side."""
    jpeg_share: float = 0.1
    jpeg_quality: int = 30
    """The worst, of 1 to 100; the best drawn is 90."""
    noise_share: float = 0.2
    noise: float = 10.0
    """Standard deviation of the noise, of 255. Differs from frame to frame, as a sensor's does."""
    erasing_share: float = 0.1
    erasing: float = 0.15
    """Share of the crop's area that one rectangle hides."""
    downscale_share: float = 0.0
    downscale: float = 0.5
    """The smallest size a crop is reduced to before it is brought up again, as a share of its own:
    a face far from the camera."""
    mask_share: float = 0.0
    """Blacks out what lies outside an ellipse around the face, as other pipelines do."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            limit = _LIMITS.get(name, 1.0)
            if not 0 <= value <= limit:
                raise ValueError(f"{name} is {value}; it can be 0 to {limit:g}")
        if self.jpeg_share > 0 and not 1 <= self.jpeg_quality <= 90:
            raise ValueError(f"jpeg_quality is {self.jpeg_quality}; it can be 1 to 90")
        if self.downscale_share > 0 and self.downscale < 0.05:
            raise ValueError(f"downscale is {self.downscale}; it can be 0.05 to 1")


_LIMITS = {"rotation_deg": 180.0, "jpeg_quality": 90.0, "noise": 255.0}

NO_AUGMENTATION = AugmentConfig(
    flip_share=0.0,
    rotation_deg=0.0,
    scale=0.0,
    shift=0.0,
    brightness=0.0,
    contrast=0.0,
    saturation=0.0,
    grey_share=0.0,
    low_light_share=0.0,
    blur_share=0.0,
    jpeg_share=0.0,
    noise_share=0.0,
    erasing_share=0.0,
    downscale_share=0.0,
    mask_share=0.0,
)
"""Gives back what it is given."""


@dataclass(frozen=True, eq=False)
class Changes:
    """What was drawn for one clip; in this order it is done. Lengths are in pixels of its crops."""

    matrix: Float[np.ndarray, "2 3"]
    """Where a point goes, as OpenCV has it: turned, scaled, shifted, mirrored."""
    small_px: int
    """The side that crops are reduced to, and brought up from again."""
    colours: Float[np.ndarray, "3 3"]
    """Mixes the channels."""
    tones: UInt8[np.ndarray, " 256"]
    """What each value becomes."""
    blur_px: float
    quality: int | None
    """Of JPEG, 1 to 100; None goes through none."""
    noise: float
    """Standard deviation, of 255."""
    noise_seed: int
    rectangle: tuple[int, int, int, int]
    """x1, y1, x2, y2 of what is hidden; nothing where they are equal."""
    fill: UInt8[np.ndarray, " 3"]
    ellipse: tuple[float, float, float, float] | None
    """Centre x, y and radii, as shares of the side, of the one outside which all is black."""


def draw_changes(config: AugmentConfig, side: int, generator: torch.Generator) -> Changes:
    """Draw what is done to one clip of crops `side` pixels wide.

    How many numbers are drawn does not depend on `config`, so switching one change off leaves the
    others as they were.
    """
    matrix = _draw_matrix(config, side, generator)
    colours = _draw_colours(config, generator)
    tones = _draw_tones(config, generator)
    blur_px = _draw_blur(config, generator) * side
    quality = _draw_quality(config, generator)
    noise, noise_seed = _draw_noise(config, generator)
    rectangle, fill = _draw_rectangle(config, side, generator)
    small_px = _draw_small(config, side, generator)
    ellipse = _draw_ellipse(config, generator)
    return Changes(
        matrix,
        small_px,
        colours,
        tones,
        blur_px,
        quality,
        noise,
        noise_seed,
        rectangle,
        fill,
        ellipse,
    )


def _draw(generator: torch.Generator, count: int) -> list[float]:
    return torch.rand(count, generator=generator, dtype=torch.float64).tolist()


def _between(low: float, high: float, drawn: float) -> float:
    return low + (high - low) * drawn


def _draw_matrix(
    config: AugmentConfig, side: int, generator: torch.Generator
) -> Float[np.ndarray, "2 3"]:
    flip, angle, scale, x, y = _draw(generator, 5)
    centre = (side - 1) / 2
    factor = math.exp(math.log1p(config.scale) * _between(-1.0, 1.0, scale))
    degrees = config.rotation_deg * _between(-1.0, 1.0, angle)
    matrix = cv2.getRotationMatrix2D((centre, centre), degrees, factor).astype(np.float64)
    matrix[:, 2] += [config.shift * side * _between(-1.0, 1.0, drawn) for drawn in (x, y)]
    if flip < config.flip_share:
        mirror = np.array([[-1.0, 0, side - 1], [0, 1, 0], [0, 0, 1]])
        matrix = matrix @ mirror
    return matrix


def _draw_colours(config: AugmentConfig, generator: torch.Generator) -> Float[np.ndarray, "3 3"]:
    is_grey, saturation = _draw(generator, 2)
    kept = 1 + config.saturation * _between(-1.0, 1.0, saturation)
    kept = 0.0 if is_grey < config.grey_share else kept
    return kept * np.eye(3) + (1 - kept) * np.tile(_LUMA, (3, 1))


def _draw_tones(config: AugmentConfig, generator: torch.Generator) -> UInt8[np.ndarray, " 256"]:
    brightness, contrast, is_dark, light = _draw(generator, 4)
    tones = np.arange(256.0)
    tones = 127.5 + (tones - 127.5) * (1 + config.contrast * _between(-1.0, 1.0, contrast))
    tones += 255 * config.brightness * _between(-1.0, 1.0, brightness)
    if is_dark < config.low_light_share:
        tones *= math.exp(_between(math.log(0.15), math.log(0.6), light))
    return np.clip(np.rint(tones), 0, 255).astype(np.uint8)


def _draw_blur(config: AugmentConfig, generator: torch.Generator) -> float:
    is_made, amount = _draw(generator, 2)
    return config.blur * amount if is_made < config.blur_share else 0.0


def _draw_quality(config: AugmentConfig, generator: torch.Generator) -> int | None:
    is_made, quality = _draw(generator, 2)
    return (
        round(_between(float(config.jpeg_quality), 90.0, quality))
        if is_made < config.jpeg_share
        else None
    )


def _draw_noise(config: AugmentConfig, generator: torch.Generator) -> tuple[float, int]:
    is_made, amount = _draw(generator, 2)
    seed = int(torch.randint(2**62, (1,), generator=generator))
    return (config.noise * amount if is_made < config.noise_share else 0.0), seed


def _draw_rectangle(
    config: AugmentConfig, side: int, generator: torch.Generator
) -> tuple[tuple[int, int, int, int], UInt8[np.ndarray, " 3"]]:
    is_made, area, aspect, x, y, *colour = _draw(generator, 8)
    fill = np.array([255 * part for part in colour]).astype(np.uint8)
    if not is_made < config.erasing_share:
        return (0, 0, 0, 0), fill
    ratio = math.exp(_between(-math.log(2), math.log(2), aspect))
    length = side * math.sqrt(config.erasing * area)
    width, height = (min(side, round(length * part)) for part in (ratio**0.5, ratio**-0.5))
    x1, y1 = round(x * (side - width)), round(y * (side - height))
    return (x1, y1, x1 + width, y1 + height), fill


def _draw_small(config: AugmentConfig, side: int, generator: torch.Generator) -> int:
    is_made, amount = _draw(generator, 2)
    if not is_made < config.downscale_share:
        return side
    return max(1, round(side * _between(config.downscale, 1.0, amount)))


def _draw_ellipse(
    config: AugmentConfig, generator: torch.Generator
) -> tuple[float, float, float, float] | None:
    is_made, width, height, x, y = _draw(generator, 5)
    if not is_made < config.mask_share:
        return None
    radii = _between(0.34, 0.55, width), _between(0.42, 0.6, height)  # from cheek to corner
    return (_between(0.46, 0.54, x), _between(0.46, 0.54, y), *radii)
