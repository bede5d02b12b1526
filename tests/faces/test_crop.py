from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from emotemporal.faces.crop import CropConfig, CropMap, crop_face
from emotemporal.types import Box

PICTURE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)


def test_a_box_of_the_crops_own_size_is_copied_pixel_by_pixel():
    crop = crop_face(PICTURE, Box(10, 5, 42, 37, 1.0), CropMap(1.0), 32)
    np.testing.assert_array_equal(crop, PICTURE[5:37, 10:42])


def test_a_box_of_twice_the_size_is_averaged_two_by_two():
    crop = crop_face(PICTURE, Box(0, 0, 48, 48, 1.0), CropMap(1.0), 24)
    means = PICTURE[:48, :48].reshape(24, 2, 24, 2, 3).mean(axis=(1, 3))
    assert np.abs(crop - means).max() <= 1


def test_outside_the_frame_its_edge_is_repeated():
    crop = crop_face(PICTURE, Box(-16, 10, 16, 42, 1.0), CropMap(1.0), 32)
    np.testing.assert_array_equal(crop[:, :16], np.repeat(PICTURE[10:42, :1], 16, axis=1))
    np.testing.assert_array_equal(crop[:, 16:], PICTURE[10:42, :16])


def test_the_square_is_in_heights_of_the_box_and_about_its_centre():
    tall = Box(30, 10, 40, 42, 1.0)  # 10 wide, 32 high
    crop = crop_face(PICTURE, tall, CropMap(1.0), 32)
    np.testing.assert_array_equal(crop, PICTURE[10:42, 19:51])
    lower = crop_face(PICTURE, tall, CropMap(1.0, shift_y=0.25), 32)
    np.testing.assert_array_equal(lower, PICTURE[18:50, 19:51])
    wider = crop_face(PICTURE, Box(30, 18, 40, 34, 1.0), CropMap(2.0), 32)
    np.testing.assert_array_equal(wider, PICTURE[10:42, 19:51])


def test_a_fraction_of_a_pixel_moves_the_crop_by_a_fraction():
    ramp = np.repeat((2 * np.arange(80, dtype=np.uint8))[None, :, None], 60, axis=0)
    ramp = np.repeat(ramp, 3, axis=2)
    here = crop_face(ramp, Box(10, 5, 42, 37, 1.0), CropMap(1.0), 32)
    there = crop_face(ramp, Box(10.5, 5, 42.5, 37, 1.0), CropMap(1.0), 32)
    assert (there.astype(int) - here).mean() == pytest.approx(1.0, abs=0.05)


def test_the_config_survives_json():
    config = CropConfig(64, {"haar": CropMap(1.1, 0.02), "other": CropMap(0.9)})
    assert CropConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    assert CropConfig.from_json(json.loads(json.dumps(CropConfig().to_json()))) == CropConfig()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"size_px": 64}, "has size_px and maps"),
        ({"size_px": 64, "maps": {}, "more": 1}, "has size_px and maps"),
        ({"size_px": "64", "maps": {}}, "no integer"),
        ({"size_px": 64, "maps": {"haar": {"scale": 1.0}}}, "'haar' has scale and shift_y"),
        ({"size_px": 64, "maps": {"haar": {"scale": 99.0, "shift_y": 0.0}}}, "scale is 99"),
    ],
)
def test_a_broken_config_is_refused(values, told):
    with pytest.raises(ValueError, match=told):
        CropConfig.from_json(values)


def test_a_detector_without_a_map_is_refused_by_name():
    with pytest.raises(ValueError, match="'retina'; there are maps for annotation, haar, yunet"):
        CropConfig().map_of("retina")


def test_cropping_needs_no_torch():
    code = "import sys, emotemporal.faces.follow; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
