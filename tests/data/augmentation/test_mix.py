from __future__ import annotations

import numpy as np
import pytest
import torch

from emotemporal.data.augmentation.mix import MixConfig, mix_batch
from emotemporal.data.collate import Batch, Sample, collate

MIXUP, CUTMIX = MixConfig(mixup_alpha=0.8), MixConfig(cutmix_alpha=1.0)
LENGTHS = (5, 3, 4, 5)


def make_batch() -> Batch:
    """Clip `i` is 40 * (i + 1) all over and of class `i`: targets can be read off the pixels."""
    samples = []
    for i, length in enumerate(LENGTHS):
        mask = np.ones(length, dtype=bool)
        mask[0] = i != 0
        samples.append(
            Sample(
                frames=np.full((length, 32, 32, 3), 40 * (i + 1), dtype=np.uint8),
                targets=np.tile(np.eye(4, dtype=np.float32)[i], (length, 1)),
                target_mask=mask,
                subject=str(i),
                source=str(i),
            )
        )
    return collate(samples)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def frames_of_targets(mixed: Batch) -> torch.Tensor:
    return (mixed.targets[:, 1] * torch.tensor([40.0, 80, 120, 160])).sum(-1)


@pytest.mark.parametrize("config", [MIXUP, CUTMIX, MixConfig(0.4, 1.0)])
def test_the_same_generator_mixes_the_same_bytes(config):
    batch = make_batch()
    one, two = mix_batch(batch, config, seeded(4)), mix_batch(batch, config, seeded(4))
    assert torch.equal(one.frames, two.frames)
    assert torch.equal(one.targets, two.targets)
    assert not torch.equal(one.frames, mix_batch(batch, config, seeded(5)).frames)


@pytest.mark.parametrize("config", [MixConfig(), MixConfig(0.8, 1.0, share=0.0)])
def test_nothing_is_mixed_unless_asked(config):
    batch = make_batch()
    assert mix_batch(batch, config, seeded()) is batch


@pytest.mark.parametrize("seed", range(5))
def test_mixup_blends_targets_as_it_blends_pixels(seed):
    mixed = mix_batch(make_batch(), MIXUP, seeded(seed))
    pixels = mixed.frames[:, 1, 0, 0, 0].float()
    torch.testing.assert_close(frames_of_targets(mixed), pixels, rtol=0, atol=0.5001)
    assert (mixed.frames[:, 1] == mixed.frames[:, 1, :1, :1, :1]).all()


@pytest.mark.parametrize("seed", range(5))
def test_cutmix_mixes_targets_by_the_area_that_is_seen(seed):
    mixed = mix_batch(make_batch(), CUTMIX, seeded(seed))
    pixels = mixed.frames[:, 1].float().mean(dim=(1, 2, 3))
    torch.testing.assert_close(frames_of_targets(mixed), pixels, rtol=0, atol=1e-3)


def test_cutmix_pastes_the_same_rectangle_in_every_frame():
    mixed = mix_batch(make_batch(), CUTMIX, seeded(1))
    for frames, length in zip(mixed.frames, mixed.lengths, strict=True):
        assert (frames[:length] == frames[0]).all()


@pytest.mark.parametrize("config", [MIXUP, CUTMIX])
@pytest.mark.parametrize("seed", range(5))
def test_a_mixed_clip_is_as_long_as_the_shorter_one_and_padding_stays_zero(config, seed):
    mixed = mix_batch(make_batch(), config, seeded(seed))
    for i, length in enumerate(mixed.lengths.tolist()):
        assert length <= LENGTHS[i]
        assert mixed.frames[i, :length].all()
        assert not mixed.frames[i, length:].any()
        assert not mixed.targets[i, length:].any()
        assert not mixed.target_mask[i, length:].any()
        torch.testing.assert_close(mixed.targets[i, :length].sum(-1), torch.ones(length))


@pytest.mark.parametrize("config", [MIXUP, CUTMIX])
def test_what_is_unknown_of_one_clip_is_unknown_of_the_mixture(config):
    batch = make_batch()
    for seed in range(10):
        mixed = mix_batch(batch, config, seeded(seed))
        # Frame 0 of clip 0 is masked: so is that of the clip it went into, and no other.
        assert not mixed.target_mask[0, 0]
        assert (~mixed.target_mask[:, 0]).sum() <= 2


def test_mixing_writes_to_neither_the_batch_nor_the_global_generator():
    batch, untouched = make_batch(), make_batch()
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    mix_batch(batch, MIXUP, seeded())
    mix_batch(batch, CUTMIX, seeded())
    assert torch.rand(1) == expected
    assert torch.equal(batch.frames, untouched.frames)
    assert torch.equal(batch.targets, untouched.targets)


@pytest.mark.parametrize("values", [{"share": 1.5}, {"mixup_alpha": -1.0}, {"cutmix_alpha": -0.1}])
def test_impossible_mixing_is_refused(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        MixConfig(**values)
