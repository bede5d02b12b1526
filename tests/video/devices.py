"""Cameras that do what they are told: give frames, fail, freeze, come back at another size."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np


@dataclass
class Script:
    """What a device does from one opening to the next."""

    num_frames: int = 3
    then: Literal["fails", "freezes", "repeats"] = "repeats"
    size_wh: tuple[int, int] = (4, 4)
    is_opened: bool = True
    count: float = 0.0
    """Frames that it claims to have, as a file does."""
    step_ms: float = 0.0
    """Between its frames, by its own times."""
    is_released: threading.Event = field(default_factory=threading.Event)
    thaw: threading.Event = field(default_factory=threading.Event)
    """Ends a freeze; one that repeats fails from then on."""
    num_read: int = 0

    def isOpened(self) -> bool:  # noqa: N802
        return self.is_opened

    def read(self) -> tuple[bool, np.ndarray]:
        width, height = self.size_wh
        if self.num_read >= self.num_frames:
            if self.then == "fails":
                return False, np.zeros(0)
            if self.then == "freezes":
                self.thaw.wait(20)
                return False, np.zeros(0)
            self.thaw.wait(0.002)
            if self.thaw.is_set():
                return False, np.zeros(0)
            return True, np.full((height, width, 3), 99, np.uint8)
        self.num_read += 1
        image = np.zeros((height, width, 3), np.uint8)
        image[..., 0] = self.num_read
        return True, image

    def get(self, prop: int) -> float:
        if prop == cv2.CAP_PROP_POS_MSEC:
            return self.step_ms * self.num_read
        return self.count if prop == cv2.CAP_PROP_FRAME_COUNT else 0.0

    def release(self) -> None:
        self.is_released.set()


class Device:
    """Opens one script after the other; the last one again and again."""

    def __init__(self, *scripts: Script) -> None:
        self.scripts, self.num_openings = scripts, 0

    def __call__(self, address, config) -> Script:
        script = self.scripts[min(self.num_openings, len(self.scripts) - 1)]
        self.num_openings += 1
        return script
