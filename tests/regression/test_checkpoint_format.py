"""The first checkpoint format loads for ever, and gives the numbers that it gave.

A real file is 45 MB, so its two parts are frozen here instead: the description, verbatim, and the
list of tensors. What is in the tensors follows a formula. These files change never; a new format
gets files of its own beside them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from emotemporal.faces.crop import CropConfig, CropMap
from emotemporal.models.checkpoint import load_checkpoint, save_checkpoint
from emotemporal.models.meta import FORMAT_VERSION, CheckpointError, ModelConfig, read_meta
from emotemporal.preprocess import PreprocessConfig

HERE = Path(__file__).parent
DESCRIPTION = (HERE / "checkpoint_v1.json").read_text(encoding="utf-8")
TENSORS = json.loads((HERE / "checkpoint_v1_tensors.json").read_text(encoding="utf-8"))
LOGITS = [
    [1.07443, -0.68977, -0.64739, -0.34265, -0.46081, -0.73476, 0.39283],
    [0.98787, -0.46617, -0.62057, -0.26160, -0.84240, -0.75050, 0.32846],
    [1.22474, -0.89540, -0.23269, -0.57983, -0.87847, -0.61519, 0.21831],
]


def scattered(name: str, count: int) -> np.ndarray:
    """Return numbers between -1 and 1 that look drawn: whole numbers mixed, so alike anywhere."""
    x = np.arange(count, dtype=np.uint32) + np.uint32(7919 * sum(map(ord, name)))
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = (x ^ (x >> np.uint32(shift))) * np.uint32(factor)
    return (x ^ (x >> np.uint32(16))) / 2.0**31 - 1


def fill(name: str, dtype: str, shape: list[int]) -> np.ndarray:
    """Return a tensor's content: weights of a size that keeps signals alive through 18 layers."""
    if dtype == "I64":
        return np.full(shape, 100, dtype="<i8")
    values = scattered(name, math.prod(shape)).reshape(shape)
    if name.endswith("running_var"):
        values = 1 + values / 2
    elif len(shape) > 1:
        values = values * 3 / math.sqrt(math.prod(shape[1:]))
    elif name.endswith("weight"):
        values = 1 + values / 4
    else:
        values = values / 4
    return values.astype("<f4")


def write_v1(path: Path, fill: Callable[[str, str, list[int]], np.ndarray] = fill) -> Path:
    """Lay a safetensors file out by hand: length of the header, header, data."""
    header: dict[str, object] = {"__metadata__": {"emotemporal": DESCRIPTION}}
    parts, offset = [], 0
    for name, dtype, shape in TENSORS:
        parts.append(fill(name, dtype, shape).tobytes())
        end = offset + len(parts[-1])
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    path.write_bytes(b"".join([len(text).to_bytes(8, "little"), text, *parts]))
    return path


@pytest.fixture(scope="module")
def v1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_v1(tmp_path_factory.mktemp("v1") / "v1.safetensors")


@torch.inference_mode()
def judge(path: Path) -> torch.Tensor:
    net, meta = load_checkpoint(path)
    size = meta.preprocess.size_px
    t, y, x, c = np.ogrid[:3, :size, :size, :3]
    pixels = 127.5 + 127.5 * np.sin(0.3 * (t + 1) * y + 0.2 * x * (c + 1) + 2 * t)
    return net(torch.from_numpy(pixels.astype(np.uint8))[None])[0][0]


def test_the_first_format_is_described_as_it_was(v1):
    meta = read_meta(v1)
    assert meta.labels.names == (
        "neutral",
        "happiness",
        "sadness",
        "surprise",
        "fear",
        "disgust",
        "anger",
    )
    assert meta.preprocess == PreprocessConfig(size_px=48, interpolation="area", colour="rgb")
    haar = CropMap(scale=1.06, shift_y=0.015)
    maps = {"haar": haar, "yunet": CropMap(scale=0.96), "annotation": haar}
    assert meta.crop == CropConfig(size_px=96, maps=maps)
    assert meta.clip_rate_hz == 12.5
    assert meta.model == ModelConfig("resnet18", "gru", hidden_dim=16, num_layers=1, dropout=0.2)
    assert meta.training_prior == (0.25, *[0.125] * 6)
    assert meta.temperature == 1.25
    assert meta.uncertain_below is meta.uncertain_prior is None  # younger than the format
    assert meta.weak == meta.hidden == ()
    assert meta.metrics == {"epoch": 12.0, "train/loss": 0.75, "val/uar": 0.5}
    assert meta.origin.package_version == "0.1.0"
    assert meta.origin.commit == "946b721c0ffe"
    assert meta.origin.data_fingerprint == "5e" * 32
    assert meta.origin.seed == 7
    assert meta.origin.config["head"]["optim"] == {"epochs": 30, "learning_rate": 0.001}


def test_the_first_format_judges_as_it_did(v1):
    # Another processor adds in another order: hence a tolerance.
    torch.testing.assert_close(judge(v1), torch.tensor(LOGITS), rtol=1e-3, atol=1e-3)


def test_other_weights_would_be_noticed(tmp_path):
    def fill_without_one_layer(name: str, dtype: str, shape: list[int]) -> np.ndarray:
        values = fill(name, dtype, shape)
        return values * 0 if name == "encoder.layer3.1.conv2.weight" else values

    path = write_v1(tmp_path / "other.safetensors", fill_without_one_layer)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(judge(path), torch.tensor(LOGITS), rtol=1e-3, atol=1e-3)


def test_other_names_would_be_noticed(tmp_path, monkeypatch):
    renamed = [["head.linear.bias", *rest] for _, *rest in TENSORS[-1:]]
    monkeypatch.setitem(globals(), "TENSORS", TENSORS[:-1] + renamed)
    path = write_v1(tmp_path / "renamed.safetensors")
    with pytest.raises(CheckpointError, match=r"head\.linear\.bias"):
        load_checkpoint(path)


@pytest.mark.skipif(FORMAT_VERSION > 1, reason="a later format has files of its own here")
def test_what_is_written_today_is_the_first_format(v1, tmp_path):
    # Where this fails, the format has changed: let FORMAT_VERSION grow, teach from_json the way
    # from the old one, and freeze the new one beside it.
    net, meta = load_checkpoint(v1)
    save_checkpoint(tmp_path / "today.safetensors", net, meta)
    content = (tmp_path / "today.safetensors").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert header.pop("__metadata__") == {"emotemporal": DESCRIPTION.strip()}
    found = {(name, value["dtype"], *value["shape"]) for name, value in header.items()}
    assert found == {(name, dtype, *shape) for name, dtype, shape in TENSORS}
