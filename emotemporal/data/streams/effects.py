"""What happens to each frame of a stream between face and file: one class an effect."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import cv2
import numpy as np
from jaxtyping import Float

from emotemporal.data.streams.camera import (
    CameraConfig,
    events,
    smooth_process,
    stepping_process,
)

Picture = Float[np.ndarray, "s s 3"]
_FADE_S = 0.2  # in which something comes before the face, and goes


class Motion:
    """The head sways, the box wobbles, the hand shakes."""

    def __init__(
        self,
        config: CameraConfig,
        times_s: Float[np.ndarray, " t"],
        side_px: int,
        generator: np.random.Generator,
    ) -> None:
        amounts = generator.uniform(size=4)
        sway = [smooth_process(times_s, config.motion_s, generator) / 2 for _ in range(4)]
        wobble = [
            config.wobble * stepping_process(times_s, config.wobble_every_s, generator)
            for _ in range(3)
        ]
        jitter = config.jitter * generator.standard_normal((2, len(times_s)))
        self._roll_deg = config.roll_deg * amounts[0] * sway[0]
        self._factor = np.exp(math.log1p(config.scale) * amounts[1] * sway[1] + wobble[0])
        self._x = side_px * (config.shift * amounts[2] * sway[2] + wobble[1] + jitter[0])
        self._y = side_px * (config.shift * amounts[3] * sway[3] + wobble[2] + jitter[1])

    def apply(self, picture: Picture, i: int) -> Picture:
        """Turn, scale and shift; edges are repeated as `crop_face` does."""
        values = self._roll_deg[i], self._factor[i], self._x[i], self._y[i]
        if values == (0.0, 1.0, 0.0, 0.0):
            return picture
        side = picture.shape[0]
        centre = (side - 1) / 2
        matrix = cv2.getRotationMatrix2D((centre, centre), float(values[0]), float(values[1]))
        matrix[:, 2] += values[2:]
        moved = cv2.warpAffine(picture, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(moved)


class Occlusion:
    """A hand, a cup, hair: a soft-edged ellipse that slides in, stays and leaves."""

    def __init__(
        self,
        config: CameraConfig,
        times_s: Float[np.ndarray, " t"],
        side_px: int,
        generator: np.random.Generator,
    ) -> None:
        self._times_s, self._side = times_s, side_px
        self._events = []
        for start_s, length in events(float(times_s[-1]), config.occlusion_hz, generator):
            x, y, area, ratio, angle, grey, bearing = generator.uniform(size=7)
            lasts_s = 2 * _FADE_S + config.occlusion_s * length
            radius = side_px * math.sqrt(config.occlusion * (0.3 + 0.7 * area) / math.pi)
            stretch = math.exp(math.log(2.0) * (ratio - 0.5))
            place = side_px * np.array([0.2 + 0.6 * x, 0.2 + 0.7 * y])
            way = side_px * np.array([math.cos(6.28 * bearing), math.sin(6.28 * bearing)])
            shape = (radius * stretch, radius / stretch, 180 * angle)
            self._events.append((start_s, start_s + lasts_s, place, way, shape, 30 + 190 * grey))
        grain = generator.uniform(0.85, 1.15, size=(6, 6)).astype(np.float32)
        self._grain = np.asarray(
            cv2.resize(grain, (side_px, side_px), interpolation=cv2.INTER_CUBIC)
        )

    def apply(self, picture: Picture, i: int) -> Picture:
        """Draw what is before the face at this time."""
        time_s = self._times_s[i]
        for start_s, end_s, place, way, (first, second, angle), grey in self._events:
            if not start_s <= time_s < end_s:
                continue
            away = max(0.0, 1 - (time_s - start_s) / _FADE_S, 1 - (end_s - time_s) / _FADE_S)
            x, y = place + away * way
            mask = np.zeros(picture.shape[:2], dtype=np.float32)
            box = ((float(x), float(y)), (2 * first, 2 * second), angle)
            cv2.ellipse(mask, box, 1.0, -1)
            soft = cv2.GaussianBlur(mask, (0, 0), max(0.6, self._side / 60))
            mask = np.asarray(soft, dtype=np.float32)[:, :, None]
            cover = (grey * self._grain)[:, :, None]
            picture = np.asarray(picture * (1 - mask) + mask * cover, dtype=np.float32)
        return picture


class Light:
    """Brightness, contrast and the side that light comes from move; lamps go on and off."""

    def __init__(
        self,
        config: CameraConfig,
        times_s: Float[np.ndarray, " t"],
        side_px: int,
        generator: np.random.Generator,
    ) -> None:
        amounts = generator.uniform(size=3)
        is_dark, dark = generator.uniform(size=2)
        sway = [smooth_process(times_s, 2 * config.motion_s, generator) / 2 for _ in range(4)]
        self._offset = 255 * config.brightness * amounts[0] * sway[0]
        for start_s, how in events(float(times_s[-1]), config.light_steps_hz, generator):
            self._offset += np.where(times_s >= start_s, 60 * (how - 0.5), 0.0)
        gain = math.exp(math.log(0.2) + math.log(3.0) * dark)
        self._gain = gain if is_dark < config.low_light_share else 1.0
        self._contrast = np.exp(math.log1p(config.contrast) * amounts[1] * sway[1])
        self._slopes = config.side_light * amounts[2] * np.stack(sway[2:])
        self._ramp = np.linspace(-0.5, 0.5, side_px, dtype=np.float32)

    def apply(self, picture: Picture, i: int) -> Picture:
        """Change light and dark."""
        x, y = self._slopes[:, i].astype(np.float32)
        relief = (1 + y * self._ramp)[:, None] * (1 + x * self._ramp)[None]
        lit = 127.5 + (picture * relief[:, :, None] - 127.5) * self._contrast[i] + self._offset[i]
        return np.asarray(np.clip(lit, 0, 255) * self._gain, dtype=np.float32)


class Optics:
    """Focus comes and goes; some faces are far away."""

    def __init__(
        self,
        config: CameraConfig,
        times_s: Float[np.ndarray, " t"],
        side_px: int,
        generator: np.random.Generator,
    ) -> None:
        amount, is_small, size = generator.uniform(size=3)
        sway = smooth_process(times_s, config.motion_s, generator)
        self._sigma_px = side_px * config.blur * amount * np.clip(sway, 0, 2)
        share = config.small + (1 - config.small) * size
        self._small_px = max(8, round(side_px * share)) if is_small < config.small_share else None

    def apply(self, picture: Picture, i: int) -> Picture:
        """Blur, and lose pixels."""
        side = picture.shape[0]
        if self._small_px is not None and self._small_px < side:
            size = (self._small_px, self._small_px)
            few = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            picture = np.asarray(cv2.resize(few, (side, side), interpolation=cv2.INTER_LINEAR))
        if self._sigma_px[i] > 0.1:  # below, the kernel is one pixel
            picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), float(self._sigma_px[i])))
        return picture


class Sensor:
    """Noise of light, alike in all three channels, and what a codec leaves of the picture."""

    def __init__(
        self,
        config: CameraConfig,
        times_s: Float[np.ndarray, " t"],  # noqa: ARG002 (effects are built alike)
        side_px: int,
        generator: np.random.Generator,
    ) -> None:
        amount, is_compressed, quality = generator.uniform(size=3)
        self._deviation = np.float32(config.noise * amount)
        self._side, self._generator = side_px, generator
        worst = config.jpeg_quality
        is_used = is_compressed < config.jpeg_share
        self._quality = round(worst + (90 - worst) * quality) if is_used else None

    def apply(self, picture: Picture, i: int) -> Picture:  # noqa: ARG002
        """Add noise and compress; frames come in order, each once."""
        if self._deviation > 0:
            noise = self._generator.standard_normal((self._side, self._side), dtype=np.float32)
            picture = picture + (self._deviation * noise)[:, :, None]
        if self._quality is None:
            return picture
        pixels = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
        # Red and blue change places for the codec, which is another way of being damaged, no worse.
        _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, self._quality])
        decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
        assert decoded is not None
        return decoded.astype(np.float32)


class Effect(Protocol):
    """What changes frame `i` of a stream; asked for each frame once, in order."""

    def apply(self, picture: Picture, i: int) -> Picture:
        """Return the changed picture, of the same size."""


EFFECTS: Sequence[Callable[..., Effect]] = (Motion, Occlusion, Light, Optics, Sensor)
"""In the order in which they happen: before the lens, in it, behind it."""
