from __future__ import annotations

import numpy as np
import pytest
import torch

from emotemporal.baselines.video3d import Video3D, Video3DConfig, judge_clips, video3d_frames
from emotemporal.types import FaceClip

CONFIG = Video3DConfig("x3d_xs", size_px=32)


@pytest.fixture(scope="module")
def net():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Video3D(CONFIG, num_labels=7)


def face_clip(num_frames: int = 12, seed: int = 0) -> FaceClip:
    rng = np.random.default_rng(seed)
    crops = rng.integers(0, 256, (num_frames, 48, 48, 3), dtype=np.uint8)
    return FaceClip(crops, np.arange(num_frames) / 10, (), "DC", f"clip{seed}")


def test_clips_of_any_length_get_one_row_of_probabilities_each(net):
    clips = [face_clip(12), face_clip(3, seed=1)]
    answers = judge_clips(net, [video3d_frames(clip, CONFIG) for clip in clips])
    assert answers.shape == (2, 7)
    np.testing.assert_allclose(answers.sum(axis=1), 1.0, atol=1e-6)
    assert not net.training


def test_a_clip_backwards_is_another_clip(net):
    clip = face_clip()
    backwards = FaceClip(clip.crops[::-1].copy(), clip.times_s, (), "DC", "backwards")
    forwards, reverse = judge_clips(net, [video3d_frames(c, CONFIG) for c in (clip, backwards)])
    assert np.abs(forwards - reverse).max() > 1e-6


def test_frames_are_spread_over_the_clip_at_the_networks_size():
    frames = video3d_frames(face_clip(40), Video3DConfig("x3d_s", size_px=32))
    assert frames.shape == (13, 32, 32, 3)
    assert frames.dtype == np.uint8


def test_gradients_reach_the_first_layer():
    net = Video3D(CONFIG, num_labels=7).train()
    frames = torch.randint(0, 256, (2, 4, 32, 32, 3), dtype=torch.uint8)
    torch.nn.functional.cross_entropy(net(frames), torch.tensor([0, 3])).backward()
    first = next(net.parameters())
    assert first.grad is not None
    assert first.grad.abs().sum() > 0


def test_another_number_of_frames_is_refused_with_what_was_expected(net):
    with pytest.raises(ValueError, match=r"x3d_xs was built for \(4, 32, 32, 3\)"):
        net(torch.zeros(1, 5, 32, 32, 3, dtype=torch.uint8))


@pytest.mark.mistyped
@pytest.mark.parametrize(
    ("field", "value"), [("name", "x3d_l"), ("size_px", 48), ("size_px", 0), ("dropout", 1.0)]
)
def test_a_network_that_cannot_be_built_is_refused(field, value):
    with pytest.raises(ValueError, match=f"{field} is"):
        Video3DConfig(**{field: value})
