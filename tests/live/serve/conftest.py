from __future__ import annotations

import numpy as np
import pytest

from emotemporal.video.file import VideoFile
from tests.live.serve.serving import as_jpeg, colour_model


@pytest.fixture(scope="session")
def model(make_checkpoint):
    return colour_model(make_checkpoint("frame"))


@pytest.fixture(scope="session")
def portrait(tiny_scene):
    """One drawn face on its ground, 240 px square."""
    with VideoFile(tiny_scene) as video:
        frame = video.read([0]).frames[0]
    return np.ascontiguousarray(frame[:, :240])


@pytest.fixture(scope="session")
def scene_of(portrait):
    """A picture with the face in one of eight places, in one of three colours."""

    def draw(number: int) -> tuple[bytes, tuple[float, float], int]:
        tint = np.full(3, 0.35)
        tint[number % 3] = 1.0
        image = np.empty((480, 980, 3), dtype=np.uint8)
        image[:] = portrait[5, 5] * tint
        x, y = 5 + 245 * (number % 4), 240 * (number // 4)
        image[y : y + 240, x : x + 240] = portrait * tint
        return as_jpeg(image), ((x + 122) / 980, (y + 124) / 480), number % 3

    return draw


@pytest.fixture(scope="session")
def face_jpeg(scene_of):
    return scene_of(0)[0]
