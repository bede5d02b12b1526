from __future__ import annotations

import copy
import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from emotemporal.labels import AFFECTNET_8
from emotemporal.models.checkpoint import load_checkpoint, save_checkpoint
from emotemporal.models.emotion_net import EmotionNet
from emotemporal.models.meta import CheckpointError, CheckpointMeta, ModelConfig, pack_meta


@pytest.fixture(scope="module")
def saved(gru_net, meta, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "best.safetensors"
    save_checkpoint(path, gru_net, meta)
    return path


@pytest.fixture
def save_changed(saved, tmp_path):
    """Write the checkpoint with other tensors or another description."""

    def save(change: Callable[[dict[str, Tensor]], object], meta: CheckpointMeta) -> Path:
        tensors = load_file(saved)
        change(tensors)
        path = tmp_path / "changed.safetensors"
        save_file(tensors, path, metadata=pack_meta(meta))
        return path

    return save


def test_what_was_saved_is_loaded(saved, gru_net, meta):
    net, loaded = load_checkpoint(saved)
    assert loaded == meta
    assert not net.training
    state, expected = net.state_dict(), gru_net.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], expected[name]) for name in expected)
    frames = torch.arange(2 * 3 * 32 * 32 * 3, dtype=torch.uint8).reshape(2, 3, 32, 32, 3)
    with torch.inference_mode():
        assert torch.equal(net(frames)[0], gru_net(frames)[0])


def test_a_loaded_network_can_be_trained(saved):
    net, _ = load_checkpoint(saved)
    assert all(parameter.requires_grad for parameter in net.parameters())
    logits, _ = net.train()(torch.zeros(2, 3, 32, 32, 3, dtype=torch.uint8))
    logits.sum().backward()
    assert net.encoder.conv1.weight.grad is not None


def test_loading_draws_nothing_from_the_global_generator(saved):
    before = torch.random.get_rng_state()
    load_checkpoint(saved)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_same_network_gives_the_same_bytes(saved, gru_net, meta, tmp_path):
    save_checkpoint(tmp_path / "again.safetensors", gru_net, meta)
    assert (tmp_path / "again.safetensors").read_bytes() == saved.read_bytes()


def test_a_failed_save_raises_and_keeps_the_old_file(saved, gru_net, meta, monkeypatch):
    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = saved.read_bytes()
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(saved, gru_net, replace(meta, temperature=9.0))
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def drop_bias(tensors: dict[str, Tensor]) -> None:
    del tensors["head.classifier.bias"]


def add_one(tensors: dict[str, Tensor]) -> None:
    tensors["head.extra"] = torch.zeros(1)


def widen(tensors: dict[str, Tensor]) -> None:
    tensors["head.classifier.bias"] = torch.zeros(8)


def halve(tensors: dict[str, Tensor]) -> None:
    tensors["head.classifier.bias"] = tensors["head.classifier.bias"].half()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(drop_bias, r"Missing key.*head\.classifier\.bias", id="missing"),
        pytest.param(add_one, r"Unexpected key.*head\.extra", id="too-many"),
        pytest.param(widen, r"size mismatch for head\.classifier\.bias", id="shape"),
        pytest.param(halve, r"head\.classifier\.bias is torch\.float16, not", id="type"),
    ],
)
def test_tensors_that_do_not_fit_are_named(save_changed, meta, change, said):
    path = save_changed(change, meta)
    with pytest.raises(CheckpointError, match=f"(?s)changed.safetensors does not hold.*{said}"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param(
            {"labels": AFFECTNET_8, "training_prior": (0.125,) * 8},
            r"size mismatch for head\.classifier\.weight",
            id="labels-that-the-classifier-lacks",
        ),
        pytest.param({"model": ModelConfig(head="frame")}, "Unexpected key", id="head"),
        pytest.param({"model": ModelConfig(head="gru", hidden_dim=32)}, "size mismatch", id="dim"),
        pytest.param(
            {"model": ModelConfig("resnet50", "gru", hidden_dim=16)}, "Missing key", id="encoder"
        ),
        pytest.param(
            {"model": ModelConfig("resnet18", "gru", hidden_dim=8192, num_layers=8)},
            "Missing key",
            id="larger-than-memory",
        ),
    ],
)
def test_a_description_of_another_network_is_refused(save_changed, meta, changes, said):
    path = save_changed(lambda tensors: None, replace(meta, **changes))
    with pytest.raises(CheckpointError, match=f"(?s)changed.safetensors does not hold.*{said}"):
        load_checkpoint(path)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.999])
def test_a_truncated_file_is_refused_by_name(saved, tmp_path, share):
    path = tmp_path / "cut.safetensors"
    whole = saved.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(CheckpointError, match=r"cut\.safetensors"):
        load_checkpoint(path)


def test_a_frame_model_is_saved_and_loaded_too(meta, tmp_path):
    config = ModelConfig(head="frame")
    net = EmotionNet(config, len(meta.labels))
    save_checkpoint(tmp_path / "frame.safetensors", net, replace(meta, model=config))
    loaded, _ = load_checkpoint(tmp_path / "frame.safetensors")
    assert torch.equal(loaded.head.classifier.weight, net.head.classifier.weight)


@pytest.fixture(scope="module")
def halved(gru_net, meta, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("halved") / "half.safetensors"
    save_checkpoint(path, gru_net, meta, "float16")
    return path


def test_half_precision_halves_the_file_and_loads_as_float32(halved, saved, gru_net, meta):
    net, loaded = load_checkpoint(halved)
    assert loaded == meta
    assert halved.stat().st_size < 0.51 * saved.stat().st_size
    state, expected = net.state_dict(), gru_net.state_dict()
    assert all(state[name].dtype == expected[name].dtype for name in expected)
    # A half-precision number keeps eleven bits; vectors keep all of theirs.
    for name, value in expected.items():
        torch.testing.assert_close(state[name], value, rtol=2**-11, atol=2**-24)
        assert value.ndim > 1 or torch.equal(state[name], value)


def test_storing_what_was_halved_again_changes_no_bit(halved, tmp_path):
    net, meta = load_checkpoint(halved)
    save_checkpoint(tmp_path / "again.safetensors", net, meta, "float16")
    assert (tmp_path / "again.safetensors").read_bytes() == halved.read_bytes()


def test_a_weight_too_large_for_half_precision_is_refused(gru_net, meta, tmp_path):
    net = copy.deepcopy(gru_net)
    net.head.classifier.weight.data[0, 0] = 1e5
    with pytest.raises(CheckpointError, match=r"head\.classifier\.weight.*1e\+05.*float32"):
        save_checkpoint(tmp_path / "large.safetensors", net, meta, "float16")
    assert not (tmp_path / "large.safetensors").exists()


@pytest.mark.parametrize(
    ("storage", "said"),
    [
        pytest.param("float8", r"stored as 'float8'", id="unknown"),
        pytest.param("int8", r"is torch\.float16, not torch\.float32", id="onnx-only"),
        pytest.param("float32", r"is torch\.float16, not torch\.float32", id="another"),
    ],
)
def test_a_header_that_misnames_the_storage_is_refused(halved, meta, tmp_path, storage, said):
    path = tmp_path / "misnamed.safetensors"
    save_file(load_file(halved), path, metadata=pack_meta(meta, storage))
    with pytest.raises(CheckpointError, match=f"misnamed.safetensors does not hold.*{said}"):
        load_checkpoint(path)
