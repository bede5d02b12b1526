from __future__ import annotations

import numpy as np
import pytest

from emotemporal.data.augmentation.shifts import (
    NUM_STRENGTHS,
    SHIFTS,
    Shift,
    apply_shift,
    shift_generator,
)
from emotemporal.data.images import ImageCache, ImageSet
from emotemporal.data.readers import DatasetConfig, read_dataset
from emotemporal.faces.crop import CropConfig
from emotemporal.preprocess import PreprocessConfig, preprocess

STRENGTHS = range(NUM_STRENGTHS + 1)
all_shifts = pytest.mark.parametrize("shift", SHIFTS, ids=lambda shift: shift.name)
by_name = {shift.name: shift for shift in SHIFTS}


@pytest.fixture(scope="module")
def faces(affectnet_root) -> list[np.ndarray]:
    """Drawn faces as a checkpoint's crops."""
    table = read_dataset(DatasetConfig(name="affectnet", root=str(affectnet_root)))
    targets = np.zeros((len(table), 1))
    images = ImageSet(table, targets, PreprocessConfig(), CropConfig(size_px=64), ImageCache(0))
    return [images.read_crop(i) for i in range(4)]


def shifted(crop: np.ndarray, shift: Shift, strength: int, image: str = "a.png", seed: int = 0):
    return apply_shift(crop, shift, strength, shift_generator(seed, shift, image))


def distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(float) - b).mean())


@all_shifts
def test_at_strength_zero_nothing_changes(faces, shift):
    for crop in faces:
        assert np.array_equal(shifted(crop, shift, 0), crop)


@all_shifts
def test_every_strength_goes_further_than_the_one_before(faces, shift):
    for i, crop in enumerate(faces):
        gone = [distance(shifted(crop, shift, k, f"{i}.png"), crop) for k in STRENGTHS]
        assert gone == sorted(gone)
        assert len(set(gone)) == len(gone)


@all_shifts
def test_the_amounts_run_one_way(shift):
    steps = np.diff(shift.amounts)
    assert (steps > 0).all() or (steps < 0).all()


@all_shifts
def test_the_same_seed_and_image_give_the_same_bytes_and_the_crop_is_left_alone(faces, shift):
    crop = faces[0].copy()
    crop.flags.writeable = False
    one, two = shifted(crop, shift, 5), shifted(crop, shift, 5)
    assert np.array_equal(one, two)
    assert (one.shape, one.dtype) == (crop.shape, np.uint8)
    assert one.flags.c_contiguous


@pytest.mark.parametrize(
    "name", ["crop_offset", "roll", "noise", "eyes_covered", "mouth_covered", "colour"]
)
def test_what_is_drawn_differs_from_image_to_image_and_seed_to_seed(faces, name):
    shift = by_name[name]
    images = {shifted(faces[0], shift, 5, f"{i}.png").tobytes() for i in range(8)}
    seeds = {shifted(faces[0], shift, 5, seed=i).tobytes() for i in range(8)}
    assert len(images) > 1
    assert len(seeds) > 1


@all_shifts
@pytest.mark.parametrize("side", [48, 96, 112])
def test_crops_of_every_size_are_changed(faces, shift, side):
    crop = preprocess(faces[0][None], PreprocessConfig(size_px=side))[0]
    out = shifted(crop, shift, 5)
    assert out.shape == crop.shape
    assert distance(out, crop) > 1


def test_beyond_the_crop_its_edge_is_repeated():
    crop = np.full((48, 48, 3), 200, dtype=np.uint8)
    crop[12:36, 12:36] = 50
    for name in ("crop_wider", "crop_offset", "roll"):
        out = shifted(crop, by_name[name], 5)
        assert set(np.unique(out[[0, -1]])) <= set(range(190, 201))


def test_a_wider_crop_shows_the_face_smaller_and_a_tighter_one_larger():
    crop = np.zeros((100, 100, 3), dtype=np.uint8)
    crop[30:70, 30:70] = 255
    for name, side in (("crop_wider", 40 / 1.3), ("crop_tighter", 40 / 0.7)):
        out = shifted(crop, by_name[name], 5)
        assert np.sqrt(out[..., 0].sum() / 255) == pytest.approx(side, rel=0.02)
        rows, columns = np.nonzero(out[..., 0] > 127)
        assert (rows.mean(), columns.mean()) == pytest.approx((49.5, 49.5), abs=0.6)


@pytest.mark.parametrize("side", [48, 64, 128])
def test_a_face_of_few_pixels_has_few_pixels_whatever_the_crop(faces, side):
    crop = preprocess(faces[0][None], PreprocessConfig(size_px=side))[0]

    def fine_detail(image: np.ndarray) -> float:
        """Energy of what needs more than 24 pixels along both axes."""
        energy = np.abs(np.fft.fft2(image.astype(float).mean(axis=-1))) ** 2
        return float(energy[12 : side - 11, 12 : side - 11].sum())

    assert fine_detail(shifted(crop, by_name["downscaled"], 5)) < 0.1 * fine_detail(crop)


def test_what_is_left_of_black_around_is_untouched(faces):
    out = shifted(faces[0], by_name["black_around"], 5)
    is_kept = (out != 0).any(axis=-1)
    assert np.array_equal(out[is_kept], faces[0][is_kept])
    # The ellipse's share of the square: pi/4 x 0.84 x 0.8 x 0.84.
    assert is_kept.mean() == pytest.approx(0.443, abs=0.02)


def test_colour_gives_a_grey_face_hue_and_leaves_its_luma_nearly_as_it_was(faces):
    grey = preprocess(faces[0][None], PreprocessConfig(size_px=64, colour="grey"))[0]
    out = shifted(grey, by_name["colour"], 5)
    middle = out[24:40, 24:40].astype(float).mean(axis=(0, 1))
    assert middle[0] > middle[1] > middle[2]  # skin: red, then green, then blue
    seen = preprocess(out[None], PreprocessConfig(size_px=64, colour="grey"))[0]
    assert distance(seen, grey) < 5 < distance(out, grey)


def test_a_strength_there_is_not_is_refused(faces):
    with pytest.raises(ValueError, match="strength of roll is 6; it can be 0 to 5"):
        shifted(faces[0], by_name["roll"], 6)
