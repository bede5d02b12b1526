from __future__ import annotations

import copy

import pytest
import torch
from torchvision.models import ResNet18_Weights
from torchvision.transforms.v2 import functional

from emotemporal.models.emotion_net import EmotionNet, Normalise, frame_mask
from emotemporal.models.meta import ModelConfig

LENGTHS = (5, 2, 1)


def make_frames(seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (len(LENGTHS), max(LENGTHS), 32, 32, 3)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def with_other_padding(frames: torch.Tensor) -> torch.Tensor:
    changed = 255 - make_frames(seed=1)
    for i, length in enumerate(LENGTHS):
        changed[i, :length] = frames[i, :length]
    return changed


@pytest.fixture
def lengths() -> torch.Tensor:
    return torch.tensor(LENGTHS)


def test_pixels_are_normalised_as_torchvision_does_for_imagenet():
    frames = make_frames()[:, 0]
    expected_by = ResNet18_Weights.IMAGENET1K_V1.transforms()
    channels_first = frames.permute(0, 3, 1, 2)
    scaled = functional.to_dtype(channels_first, torch.float32, scale=True)
    expected = functional.normalize(scaled, list(expected_by.mean), list(expected_by.std))
    torch.testing.assert_close(Normalise()(frames), expected, rtol=1e-5, atol=1e-6)


def test_frames_stay_bytes_up_to_the_first_layer_and_take_its_precision():
    assert Normalise().double()(make_frames()[:, 0]).dtype == torch.float64


def test_the_constants_are_in_no_checkpoint(gru_net):
    assert not any("normalise" in name for name in gru_net.state_dict())


def test_the_mask_marks_real_frames(lengths):
    assert frame_mask(lengths, 5).tolist() == [[True] * n + [False] * (5 - n) for n in LENGTHS]


@torch.inference_mode()
def test_lengths_change_nothing_for_real_frames(gru_net, lengths):
    frames = make_frames()
    mask = frame_mask(lengths, max(LENGTHS))
    with_lengths, without = gru_net.encode(frames, lengths), gru_net.encode(frames)
    torch.testing.assert_close(with_lengths[mask], without[mask], rtol=0, atol=1e-5)
    assert not with_lengths[~mask].any()


@torch.inference_mode()
def test_padding_is_invisible_to_a_judgement(gru_net, lengths):
    frames = make_frames()
    mask = frame_mask(lengths, max(LENGTHS))
    one, _ = gru_net(frames, lengths=lengths)
    two, _ = gru_net(with_other_padding(frames), lengths=lengths)
    assert torch.equal(one[mask], two[mask])
    for i, length in enumerate(LENGTHS):
        alone, _ = gru_net(frames[i : i + 1, :length])
        torch.testing.assert_close(one[i, :length], alone[0], rtol=0, atol=1e-5)


def statistics_after_training_on(net: EmotionNet, frames, lengths) -> torch.Tensor:
    trained = copy.deepcopy(net).train()
    trained(frames, lengths=lengths)
    return trained.encoder.bn1.running_mean


@torch.no_grad()
def test_padding_is_invisible_to_batch_normalisation(gru_net, lengths):
    frames = make_frames()
    one, two = (
        statistics_after_training_on(gru_net, f, lengths)
        for f in (frames, with_other_padding(frames))
    )
    assert torch.equal(one, two)
    assert not torch.equal(one, gru_net.encoder.bn1.running_mean)


@torch.no_grad()
def test_padding_without_lengths_is_noticed(gru_net):
    frames = make_frames()
    one, two = (
        statistics_after_training_on(gru_net, f, None) for f in (frames, with_other_padding(frames))
    )
    assert not torch.allclose(one, two, atol=1e-4)


@torch.inference_mode()
def test_one_frame_at_a_time_gives_the_whole_clip(gru_net):
    frames = make_frames()
    whole, last = gru_net(frames)
    state, live = None, []
    for t in range(max(LENGTHS)):
        logits, state = gru_net(frames[:, t : t + 1], state)
        live.append(logits)
    torch.testing.assert_close(torch.cat(live, dim=1), whole, rtol=0, atol=1e-5)
    torch.testing.assert_close(state.hidden, last.hidden, rtol=0, atol=1e-5)


@torch.no_grad()
def test_training_mode_breaks_that(gru_net):
    net, frames = copy.deepcopy(gru_net).train(), make_frames()
    whole, _ = net(frames)
    first, _ = net(frames[:, :1])
    assert not torch.allclose(whole[:, :1], first, atol=1e-3)


@torch.inference_mode()
def test_a_frame_head_judges_each_frame_by_itself():
    net = EmotionNet(ModelConfig(head="frame"), 8).eval()
    frames = make_frames()
    logits, state = net(frames)
    assert logits.shape == (3, 5, 8)
    assert state.hidden.numel() == 0
    backwards, _ = net(frames.flip(1))
    torch.testing.assert_close(backwards.flip(1), logits, rtol=0, atol=1e-5)


@torch.inference_mode()
def test_a_gru_head_does_not(gru_net):
    frames = make_frames()
    backwards, _ = gru_net(frames.flip(1))
    assert not torch.allclose(backwards.flip(1), gru_net(frames)[0], atol=1e-4)
