"""Options that let a GPU be fed: changes made on the device, memory layout, compiled code."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from emotemporal.data.augmentation.changes import NO_AUGMENTATION
from emotemporal.data.readers import DatasetConfig
from emotemporal.faces.crop import CropConfig
from emotemporal.preprocess import PreprocessConfig
from emotemporal.run_folder import RunFolderError
from emotemporal.stopping import InterruptedJob
from emotemporal.storage import read_jsonl
from emotemporal.train import image_batches
from emotemporal.train.finetune import FinetuneConfig
from emotemporal.train.log import TrackingConfig
from emotemporal.train.optim import OptimConfig
from emotemporal.train.pretrain import PretrainConfig, pretrain
from emotemporal.train.run import RunConfig


@pytest.fixture(scope="module")
def config(affectnet_root, tmp_path_factory) -> PretrainConfig:
    """One epoch at a rate so low that rounding does not grow."""
    out = tmp_path_factory.mktemp("device_rate") / "run"
    return PretrainConfig(
        data=DatasetConfig(name="affectnet", root=str(affectnet_root)),
        preprocess=PreprocessConfig(size_px=16),
        crop=CropConfig(size_px=24),
        optim=OptimConfig(epochs=1, batch_size=8, learning_rate=1e-6),
        augment_on="device",
        run=RunConfig(out=str(out), tracking=TrackingConfig(wandb="off")),
    )


@pytest.fixture(scope="module")
def trained(config) -> Path:
    pretrain(config)
    return Path(config.run.out)


def _at(config: PretrainConfig, folder, **run) -> PretrainConfig:
    return replace(config, run=replace(config.run, out=str(folder), **run))


def _losses(folder) -> list[float]:
    return [row["train/loss"] for row in read_jsonl(folder / "log.jsonl")]


def test_changes_on_the_device_are_changes_and_none_are_none(config, trained, tmp_path):
    unchanged = replace(config, augment=NO_AUGMENTATION)
    pretrain(_at(unchanged, tmp_path / "device"))
    pretrain(_at(replace(unchanged, augment_on="loader"), tmp_path / "loader"))
    assert _losses(tmp_path / "device") == _losses(tmp_path / "loader")
    assert _losses(tmp_path / "device") != _losses(trained)


def test_changed_on_the_device_and_interrupted_it_ends_with_the_same_bits(
    config, trained, tmp_path, monkeypatch
):
    config = _at(config, tmp_path / "interrupted")
    real = image_batches.augment_batch
    calls = []

    def interrupting(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise InterruptedJob("pulled")
        return real(*arguments)

    with monkeypatch.context() as pulled:
        pulled.setattr(image_batches, "augment_batch", interrupting)
        with pytest.raises(InterruptedJob):
            pretrain(config)
    pretrain(config)
    one, other = (
        load_file(folder / "best.safetensors") for folder in (trained, tmp_path / "interrupted")
    )
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_memory_layout_changes_rounding_alone_and_is_another_run(config, trained, tmp_path):
    laid_out = _at(config, tmp_path / "channels_last", channels_last=True)
    pretrain(laid_out)
    assert _losses(tmp_path / "channels_last") == pytest.approx(_losses(trained), rel=1e-3)
    with pytest.raises(RunFolderError, match="channels_last"):
        pretrain(_at(config, tmp_path / "channels_last"))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler here")
@pytest.mark.filterwarnings("ignore")  # of torch's own, while it compiles
def test_compiled_code_learns_the_same(config, trained, tmp_path):
    pretrain(_at(config, tmp_path / "compiled", compile=True))
    assert _losses(tmp_path / "compiled") == pytest.approx(_losses(trained), rel=1e-3)


def test_what_is_for_an_encoder_that_learns_is_refused_of_one_that_does_not():
    with pytest.raises(ValueError, match="channels_last and compile are of an encoder that trains"):
        FinetuneConfig(checkpoint="a", data="b", run=RunConfig(channels_last=True))
