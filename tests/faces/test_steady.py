import numpy as np
import pytest

from emotemporal.faces.crop import CropConfig
from emotemporal.faces.follow import NoFaceError
from emotemporal.faces.steady import steady_views
from emotemporal.types import Box, Frame


class _OnBright:
    """Finds one box around whatever is bright; nothing in a dark picture."""

    name = "haar"

    def __call__(self, image):
        rows, columns = np.nonzero(image[:, :, 0] > 128)
        if not len(rows):
            return []
        y, x = float(rows.mean()), float(columns.mean())
        return [Box(x - 20, y - 20, x + 20, y + 20, 0.9), Box(0.0, 0.0, 5.0, 5.0, 0.9)]


def _clip(num=31, dark=()):
    """A bright square that moves to the right ever faster."""
    frames = []
    for i in range(num):
        image = np.zeros((100, 200, 3), np.uint8)
        if i not in dark:
            x = 40 + round(0.1 * i * i)
            image[40:60, x : x + 20] = 200 + i
        frames.append(image)
    return frames


def _frames(images):
    return [Frame(image, i / 15, i) for i, image in enumerate(images)]


def test_a_clip_backwards_gets_the_same_crops_backwards():
    images = _clip()
    forth, _ = steady_views(_frames(images), _OnBright(), CropConfig(), 0.2)
    back, _ = steady_views(_frames(images[::-1]), _OnBright(), CropConfig(), 0.2)
    for one, other in zip(forth, back[::-1], strict=True):
        assert np.array_equal(one.crop, other.crop)
    assert forth[0].track.box == back[0].track.box


def test_every_frame_is_cropped_also_those_without_a_face():
    views, share = steady_views(_frames(_clip(dark=range(10))), _OnBright(), CropConfig(), 0.2)
    assert len(views) == 31
    assert 0.5 < share < 0.8
    assert len({(view.track.box.x1, view.track.box.y2) for view in views}) == 1


def test_a_grid_without_a_step_looks_at_every_frame():
    _, share = steady_views(_frames(_clip(dark=range(10))), _OnBright(), CropConfig(), 0.0)
    assert share == 21 / 31


def test_a_clip_without_a_face_is_refused():
    with pytest.raises(NoFaceError, match="no face"):
        steady_views(_frames(_clip(dark=range(31))), _OnBright(), CropConfig(), 0.2)
