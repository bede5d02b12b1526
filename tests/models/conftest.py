"""What the tests of this room share: one network of each encoder, its weights drawn once."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from emotemporal.faces.crop import CropConfig, CropMap
from emotemporal.labels import SAVEE_7
from emotemporal.models.emotion_net import EmotionNet
from emotemporal.models.encoder import build_encoder
from emotemporal.models.meta import CheckpointMeta, ModelConfig, Origin
from emotemporal.preprocess import PreprocessConfig

GRU = ModelConfig(head="gru", hidden_dim=16, dropout=0.25)


@pytest.fixture(scope="session")
def gru_net() -> EmotionNet:
    """A network to judge with; tests that change it copy it."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return EmotionNet(GRU, len(SAVEE_7)).eval()


@pytest.fixture(scope="session")
def resnet18_tensors() -> Mapping[str, Tensor]:
    """A ResNet-18's weights but its last layers', which are three quarters of the bytes."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        encoder, _ = build_encoder("resnet18")
    return {k: v for k, v in encoder.state_dict().items() if not k.startswith("layer4.1")}


@pytest.fixture(scope="session")
def meta() -> CheckpointMeta:
    """A description without a default in it."""
    return CheckpointMeta(
        labels=SAVEE_7,
        preprocess=PreprocessConfig(size_px=40, interpolation="linear", colour="grey"),
        crop=CropConfig(size_px=72, maps={"haar": CropMap(1.25, -0.125), "other": CropMap(0.5)}),
        clip_rate_hz=12.5,
        model=GRU,
        training_prior=(0.25, 0.25, 0.1, 0.1, 0.1, 0.1, 0.1),
        origin=Origin("1.2.3", "abc+changes", "f" * 64, seed=7, config={"optim": {"rate": 0.1}}),
        temperature=1.5,
        metrics={"val/uar": 0.5, "epoch": 3.0},
    )
