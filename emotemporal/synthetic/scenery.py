"""The room behind a face, the light on it and the camera before it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import UInt8

from emotemporal.synthetic.paint import Picture
from emotemporal.synthetic.skin import Light

SUPERSAMPLING = 2  # drawn twice as large and averaged: smooth edges for a quarter of the time of 4
_COARSE = 8  # a room is out of focus: it is painted at an eighth of the size
_GRAIN_PX = 896
_GRAIN_STD = 32.0


@dataclass(frozen=True, eq=False)
class Scenery:
    """Everything in a picture that is not a person."""

    background: Picture
    """At the size that is drawn on, `SUPERSAMPLING` times the picture's."""
    light: Light
    tone: UInt8[np.ndarray, "256 1 3"]
    """What the camera makes of each channel: exposure, white balance, contrast."""
    noise_std: float
    """Of the sensor, in grey levels."""
    blur_px: float


def sample_scenery(
    size_hw: tuple[int, int], max_noise_std: float, generator: np.random.Generator
) -> Scenery:
    """Invent a room, a light and a camera, for pictures of `size_hw` pixels."""
    uniform = generator.uniform
    light = Light(float(uniform(-0.7, 0.7)), float(uniform(-0.7, -0.15)), float(uniform(0.1, 1.0)))
    exposure = uniform(0.9, 1.12)
    warmth = uniform(-0.045, 0.045)
    gamma = uniform(0.82, 1.08)
    levels = np.linspace(0, 1, 256)[:, None] ** gamma * 255
    tone = levels * exposure * np.array([1 + warmth, 1.0, 1 - warmth])
    return Scenery(
        background=_paint_room(size_hw, generator),
        light=light,
        tone=np.clip(tone, 0, 255).astype(np.uint8)[:, None, :],
        noise_std=float(uniform(0.2, 1) * max_noise_std),
        blur_px=float(max(0.0, uniform(-0.6, 0.7))),
    )


def develop(canvas: Picture, scenery: Scenery, generator: np.random.Generator) -> Picture:
    """Return the picture that the camera takes of what has been drawn."""
    height, width = canvas.shape[0] // SUPERSAMPLING, canvas.shape[1] // SUPERSAMPLING
    picture: np.ndarray = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    if scenery.blur_px > 0.2:
        picture = cv2.GaussianBlur(picture, (0, 0), scenery.blur_px)
    picture = cv2.LUT(picture, scenery.tone)
    y, x = generator.integers(0, [max(1, _GRAIN_PX - height), max(1, _GRAIN_PX - width)])
    grain = _grain()[y : y + height, x : x + width]
    if grain.shape != picture.shape:  # a picture larger than the field takes it over and over
        missing = (height - grain.shape[0], width - grain.shape[1])
        grain = np.pad(grain, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="wrap")
    strength = scenery.noise_std / _GRAIN_STD
    return np.asarray(
        cv2.addWeighted(picture, 1.0, grain, strength, -128 * strength), dtype=np.uint8
    )


@lru_cache(maxsize=1)
def _grain() -> Picture:
    """One large field of noise; every frame takes its own piece of it, which costs nothing."""
    noise = np.random.default_rng(20_140_331).normal(128, _GRAIN_STD, (_GRAIN_PX, _GRAIN_PX, 3))
    return np.clip(noise, 0, 255).astype(np.uint8)


def _paint_room(size_hw: tuple[int, int], generator: np.random.Generator) -> Picture:
    height, width = (SUPERSAMPLING * side // _COARSE + 1 for side in size_hw)
    uniform = generator.uniform
    hue, saturation, value = uniform(0, 180), uniform(10, 60), uniform(120, 225)
    wall = _from_hsv(hue, saturation, value)
    floor = _from_hsv(hue + uniform(-15, 15), saturation * 1.1, value * uniform(0.6, 0.9))
    share = np.linspace(0, 1, height)[:, None, None] ** uniform(0.6, 1.6)
    room = (
        np.broadcast_to(wall + (floor - wall) * share, (height, width, 3)).astype(np.uint8).copy()
    )
    for _ in range(int(generator.integers(2, 7))):
        colour = _from_hsv(hue + uniform(-40, 40), uniform(10, 90), value * uniform(0.7, 1.15))
        x, y = int(uniform(0, width)), int(uniform(0, height))
        scalar = tuple(float(channel) for channel in colour)
        if uniform() < 0.6:
            wide, tall = int(width * uniform(0.06, 0.3)), int(height * uniform(0.15, 0.7))
            cv2.rectangle(room, (x, y), (x + wide, y + tall), scalar, -1)
        else:
            cv2.circle(room, (x, y), int(height * uniform(0.05, 0.22)), scalar, -1, cv2.LINE_AA)
    soft = cv2.GaussianBlur(room, (0, 0), float(uniform(0.8, 2.2)))
    enlarged = cv2.resize(soft, None, fx=_COARSE, fy=_COARSE, interpolation=cv2.INTER_LINEAR)
    canvas = enlarged[: size_hw[0] * SUPERSAMPLING, : size_hw[1] * SUPERSAMPLING]
    return np.ascontiguousarray(canvas, dtype=np.uint8)


def _from_hsv(hue: float, saturation: float, value: float) -> np.ndarray:
    pixel = np.array([[[hue % 180, min(saturation, 255), min(value, 255)]]], dtype=np.uint8)
    return np.asarray(cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0], dtype=float)
