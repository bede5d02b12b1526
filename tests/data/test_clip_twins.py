"""Clips that show the same, drawn from smooth noise: two of them are as unlike as two people."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from emotemporal.data.clip_twins import clip_twins, sign_clip
from emotemporal.types import FaceClip


def clip(seed: int, change=lambda crops: crops) -> FaceClip:
    coarse = np.random.default_rng(seed).integers(0, 255, (9, 8, 8, 3), dtype=np.uint8)
    crops = np.stack([cv2.resize(c, (64, 64), interpolation=cv2.INTER_CUBIC) for c in coarse])
    return FaceClip(change(crops), np.arange(9) / 10, [], "", "")


def reencoded(crops):
    rng = np.random.default_rng(0)
    noisy = crops + rng.integers(-4, 5, crops.shape)
    return np.clip(noisy * 0.9 + 8, 0, 255).astype(np.uint8)


def one_picture_changed(crops):
    return np.concatenate([crops[:4], clip(99).crops[4:5], crops[5:]])


@pytest.mark.parametrize(
    ("change", "subjects", "are_twins"),
    [
        pytest.param(lambda crops: crops, ("A", "B"), True, id="equal-under-two-names"),
        pytest.param(lambda crops: crops, ("A", "A"), True, id="equal-under-one"),
        pytest.param(reencoded, ("A", "B"), True, id="nearly-under-two"),
        pytest.param(lambda crops: crops[:, :, ::-1], ("A", "B"), True, id="mirrored"),
        pytest.param(reencoded, ("A", "A"), False, id="alike-but-of-one-person"),
        pytest.param(one_picture_changed, ("A", "B"), False, id="alike-at-two-moments-only"),
    ],
)
def test_what_shows_the_same_is_a_twin(change, subjects, are_twins):
    clips = [clip(0), clip(0, change), *(clip(seed) for seed in range(1, 6))]
    groups = clip_twins([sign_clip(c) for c in clips], [*subjects, *"CDEFG"])
    assert (groups[0] == groups[1]) == are_twins
    assert len(set(groups)) == 7 - are_twins
