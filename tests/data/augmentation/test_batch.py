from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from emotemporal.data.augmentation.augment import (
    NO_AUGMENTATION,
    AugmentConfig,
    augment,
    far_and_compressed,
)
from emotemporal.data.augmentation.batch import augment_batch
from emotemporal.data.augmentation.changes import draw_changes

SIDE = 48
NUM_CROPS = 12


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    """Smooth pictures, as faces are: in noise, a rounded coordinate would be another picture."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    pictures = [
        np.stack([np.sin((3 + i % 3) * x + c) * np.cos(4 * y - c) for c in range(3)], axis=-1)
        for i in range(NUM_CROPS)
    ]
    return (127.5 + 120 * np.stack(pictures)).astype(np.uint8)


def both(crops: np.ndarray, config: AugmentConfig) -> tuple[np.ndarray, np.ndarray]:
    """The same draws, image by image and as a batch."""

    def generators():
        return [torch.Generator().manual_seed(i) for i in range(len(crops))]

    one_by_one = np.concatenate(
        [augment(crop[None], config, g) for crop, g in zip(crops, generators(), strict=True)]
    )
    drawn = [draw_changes(config, SIDE, g) for g in generators()]
    loaded = np.concatenate(
        [far_and_compressed(crop[None], one) for crop, one in zip(crops, drawn, strict=True)]
    )
    batch = augment_batch(torch.from_numpy(loaded), drawn, torch.Generator().manual_seed(0))
    return one_by_one, batch.numpy()


def difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.abs(one.astype(int) - other.astype(int))


def test_nothing_drawn_changes_nothing(crops):
    one_by_one, batch = both(crops, NO_AUGMENTATION)
    assert np.array_equal(batch, crops)
    assert np.array_equal(one_by_one, crops)


@pytest.mark.parametrize(
    "change",
    [
        {"flip_share": 1.0},
        {"rotation_deg": 30.0},
        {"scale": 0.3},
        {"shift": 0.2},
        {"brightness": 0.3},
        {"contrast": 0.4},
        {"saturation": 0.8},
        {"grey_share": 1.0},
        {"low_light_share": 1.0},
        {"blur_share": 1.0, "blur": 0.05},
        {"erasing_share": 1.0, "erasing": 0.3},
        {"mask_share": 1.0},
        {"jpeg_share": 1.0},
        {"downscale_share": 1.0},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_batch_is_changed_as_its_images_are_one_by_one(crops, change):
    config = replace(NO_AUGMENTATION, **change)
    one_by_one, batch = both(crops, config)
    assert (one_by_one != crops).any()
    off = difference(one_by_one, batch)
    # OpenCV interpolates at a 32nd of a pixel; so edges of these waves may be some levels apart.
    assert off.mean() < 0.75
    assert np.quantile(off, 0.99) <= 4


def test_noise_has_the_deviation_that_was_drawn(crops):
    grey = np.full((200, SIDE, SIDE, 3), 128, np.uint8)
    config = replace(NO_AUGMENTATION, noise_share=1.0, noise=20.0)
    one_by_one, batch = both(grey, config)
    for i in range(0, 200, 40):
        assert batch[i].std() == pytest.approx(one_by_one[i].std(), rel=0.1, abs=0.3)


def test_noise_is_of_its_generator(crops):
    config = replace(NO_AUGMENTATION, noise_share=1.0)
    drawn = [draw_changes(config, SIDE, torch.Generator().manual_seed(i)) for i in range(NUM_CROPS)]
    one, same, other = (
        augment_batch(torch.from_numpy(crops), drawn, torch.Generator().manual_seed(seed))
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_all_changes_at_once_keep_to_the_range_and_the_input(crops):
    config = AugmentConfig(brightness=0.9, contrast=0.9, noise_share=1.0, noise=200.0)
    before = crops.copy()
    _, batch = both(crops, config)
    assert batch.dtype == np.uint8
    assert np.array_equal(crops, before)
