from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emotemporal.data.augmentation.augment import NO_AUGMENTATION, AugmentConfig, augment

EVERYTHING = AugmentConfig(
    flip_share=1.0,
    grey_share=0.5,
    low_light_share=1.0,
    blur_share=1.0,
    jpeg_share=1.0,
    noise_share=1.0,
    erasing_share=1.0,
    downscale_share=1.0,
    mask_share=1.0,
)
ONLY = {
    "flip": replace(NO_AUGMENTATION, flip_share=1.0),
    "rotation": replace(NO_AUGMENTATION, rotation_deg=30.0),
    "scale": replace(NO_AUGMENTATION, scale=0.3),
    "shift": replace(NO_AUGMENTATION, shift=0.2),
    "brightness": replace(NO_AUGMENTATION, brightness=0.4),
    "contrast": replace(NO_AUGMENTATION, contrast=0.4),
    "saturation": replace(NO_AUGMENTATION, saturation=0.5),
    "grey": replace(NO_AUGMENTATION, grey_share=1.0),
    "low light": replace(NO_AUGMENTATION, low_light_share=1.0),
    "blur": replace(NO_AUGMENTATION, blur_share=1.0, blur=0.05),
    "jpeg": replace(NO_AUGMENTATION, jpeg_share=1.0),
    "noise": replace(NO_AUGMENTATION, noise_share=1.0),
    "erasing": replace(NO_AUGMENTATION, erasing_share=1.0),
    "downscale": replace(NO_AUGMENTATION, downscale_share=1.0),
    "mask": replace(NO_AUGMENTATION, mask_share=1.0),
}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make_still(num_frames: int = 3, side: int = 32) -> np.ndarray:
    blobs = np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    picture = cv2.resize(blobs, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.tile(picture, (num_frames, 1, 1, 1))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_same_generator_state_gives_the_same_bytes(seed):
    crops = make_still()
    one = augment(crops, EVERYTHING, seeded(seed))
    assert np.array_equal(one, augment(crops, EVERYTHING, seeded(seed)))
    assert one.shape == crops.shape
    assert one.dtype == np.uint8


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_nothing_asked_for_is_nothing_changed(seed):
    noisy = np.random.default_rng(seed).integers(0, 256, (2, 17, 17, 3), dtype=np.uint8)
    assert np.array_equal(augment(noisy, NO_AUGMENTATION, seeded(seed)), noisy)


@pytest.mark.parametrize("name", ONLY)
def test_each_change_changes_the_picture(name):
    crops = make_still()
    assert not np.array_equal(augment(crops, ONLY[name], seeded(3)), crops)


@pytest.mark.parametrize("name", [name for name in ONLY if name != "noise"])
def test_a_still_clip_stays_still(name):
    out = augment(make_still(), ONLY[name], seeded(7))
    assert (out == out[0]).all()


def test_noise_differs_from_frame_to_frame():
    out = augment(make_still(), ONLY["noise"], seeded(1))
    assert not np.array_equal(out[0], out[1])


def test_a_flip_is_exact():
    crops = make_still()
    assert np.array_equal(augment(crops, ONLY["flip"], seeded()), crops[:, :, ::-1])


def test_grey_has_one_channel_three_times():
    out = augment(make_still(), ONLY["grey"], seeded())
    assert (out == out[..., :1]).all()


@pytest.mark.parametrize("seed", range(5))
def test_low_light_is_darker_and_never_black(seed):
    crops = make_still()
    share = augment(crops, ONLY["low light"], seeded(seed)).mean() / crops.mean()
    assert 0.14 < share < 0.61


def test_erasing_hides_at_most_the_share_asked_for():
    crops = make_still(side=64)
    for seed in range(30):
        out = augment(crops, replace(NO_AUGMENTATION, erasing_share=1.0, erasing=0.2), seeded(seed))
        assert (out != crops).any(axis=-1).mean() < 0.22


def test_a_mask_leaves_the_middle_and_blacks_out_the_corners():
    crops = np.full((1, 40, 40, 3), 200, dtype=np.uint8)
    out = augment(crops, ONLY["mask"], seeded(1))[0]
    assert (out[15:25, 15:25] == 200).all()
    assert (out[[0, 0, -1, -1], [0, -1, 0, -1]] == 0).all()


def test_a_face_far_away_has_less_detail_and_the_same_light():
    crops = np.random.default_rng(0).integers(0, 256, (1, 48, 48, 3), dtype=np.uint8)
    far = augment(crops, replace(ONLY["downscale"], downscale=0.25), seeded(2))
    assert far.std() < 0.7 * crops.std()
    assert abs(far.mean() - crops.mean()) < 2


def test_a_rotation_moves_nothing_at_the_centre_and_turns_in_no_black():
    crops = np.full((1, 33, 33, 3), 200, dtype=np.uint8)
    crops[0, 15:18, 15:18] = 50
    out = augment(crops, ONLY["rotation"], seeded(2))
    assert out[0, 16, 16, 0] == 50
    assert (out[0, 0] == 200).all()


def test_shares_are_kept_in_the_long_run():
    crops, config = make_still(1, 16), replace(NO_AUGMENTATION, flip_share=0.3)
    generator = seeded()
    flipped = [not np.array_equal(augment(crops, config, generator), crops) for _ in range(500)]
    assert 0.24 < np.mean(flipped) < 0.36


def test_switching_one_change_off_leaves_the_other_draws_alone():
    crops = make_still()
    with_jpeg = augment(crops, replace(ONLY["erasing"], jpeg_share=1.0), seeded(5))
    without = augment(crops, ONLY["erasing"], seeded(5))
    fill = without[(without != crops).any(axis=-1)]
    assert np.array_equal(with_jpeg[(without != crops).any(axis=-1)], fill)


def test_the_crops_given_and_the_global_generators_are_left_alone():
    crops, untouched = make_still(), make_still()
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 - the global state is what is watched
    expected = torch.rand(1), np.random.rand()  # noqa: NPY002
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    augment(crops, EVERYTHING, seeded())
    assert (torch.rand(1), np.random.rand()) == expected  # noqa: NPY002
    assert np.array_equal(crops, untouched)


@pytest.mark.parametrize(
    "values",
    [
        {"flip_share": 1.1},
        {"rotation_deg": -3.0},
        {"brightness": 2.0},
        {"jpeg_quality": 0},
        {"downscale": 0.0, "downscale_share": 0.5},
        {"noise": float("nan")},
    ],
)
def test_impossible_changes_are_refused_by_name(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        AugmentConfig(**values)
