from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotemporal.preprocess import PreprocessConfig, preprocess

CONFIGS = [
    PreprocessConfig(size_px=16, interpolation=interpolation, colour=colour)
    for interpolation in ("area", "linear", "cubic")
    for colour in ("rgb", "grey")
]


def make_crops(num_frames: int = 3, side: int = 24, seed: int = 0) -> np.ndarray:
    shape = (num_frames, side, side, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("config", CONFIGS)
@given(num_frames=st.integers(0, 3), side=st.integers(4, 40), seed=st.integers(0, 9))
def test_one_frame_at_a_time_gives_what_the_whole_clip_gives(config, num_frames, side, seed):
    crops = make_crops(num_frames, side, seed)
    whole = preprocess(crops, config)
    assert whole.shape == (num_frames, 16, 16, 3)
    assert whole.dtype == np.uint8
    for crop, expected in zip(crops, whole, strict=True):
        assert np.array_equal(preprocess(crop[None], config)[0], expected)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("side", [8, 16, 48])
def test_one_colour_stays_that_colour_at_any_size(config, side):
    crops = np.full((1, side, side, 3), 137, dtype=np.uint8)
    assert (preprocess(crops, config) == 137).all()


def test_the_right_size_is_left_alone_and_not_shared():
    crops = make_crops(side=16)
    out = preprocess(crops, PreprocessConfig(size_px=16))
    assert np.array_equal(out, crops)
    assert not np.shares_memory(out, crops)


def test_area_averages_what_falls_into_a_pixel():
    crops = make_crops(1, 32)
    blocks = crops.reshape(1, 16, 2, 16, 2, 3).mean(axis=(2, 4))
    assert np.abs(preprocess(crops, PreprocessConfig(size_px=16)) - blocks).max() <= 0.5


def test_growing_is_smooth_with_area():
    crops = np.zeros((1, 8, 8, 3), dtype=np.uint8)
    crops[:, :, 4:] = 200
    row = preprocess(crops, PreprocessConfig(size_px=64))[0, 32, :, 0].astype(int)
    assert np.diff(row).min() >= 0
    assert len(np.unique(row)) > 4


@pytest.mark.parametrize("shape", [(8, 30), (30, 8), (12, 20)])
def test_a_crop_that_grows_along_one_side_only_is_smooth_with_area(shape):
    # OpenCV's area averaging repeats pixels as soon as one side grows.
    crops = np.random.default_rng(0).integers(0, 256, (1, *shape, 3), dtype=np.uint8)
    area = preprocess(crops, PreprocessConfig(size_px=16))
    linear = preprocess(crops, PreprocessConfig(size_px=16, interpolation="linear"))
    assert np.array_equal(area, linear)


def test_grey_is_the_luma_of_red_green_and_blue_three_times():
    crops = np.zeros((3, 16, 16, 3), dtype=np.uint8)
    for i in range(3):
        crops[i, :, :, i] = 255
    out = preprocess(crops, PreprocessConfig(size_px=16, colour="grey"))
    assert out[:, 0, 0].tolist() == [[76] * 3, [150] * 3, [29] * 3]


def test_crops_are_not_written_to():
    crops = make_crops()
    preprocess(crops, PreprocessConfig(size_px=16, colour="grey"))
    assert np.array_equal(crops, make_crops())


def test_a_mirrored_view_gives_the_mirror_image():
    crops = make_crops(side=32)
    config = PreprocessConfig(size_px=16)
    mirrored = preprocess(crops[:, :, ::-1], config)
    assert np.array_equal(mirrored, preprocess(crops, config)[:, :, ::-1])


@pytest.mark.parametrize("size_px", [0, 15, 1025])
def test_impossible_sizes_are_refused(size_px):
    with pytest.raises(ValueError, match=f"size_px is {size_px}; a network input is 16 to 1024"):
        PreprocessConfig(size_px=size_px)
