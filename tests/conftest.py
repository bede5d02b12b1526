"""What several rooms' tests need: a checkpoint small enough to run anywhere, and a clip."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from emotemporal.types import FaceClip

# A shared machine is slow at times, which is no failure; the same examples every time, so that a
# red test stays red.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

CHECKPOINT_PRIOR = (0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1)


@pytest.fixture(scope="session")
def make_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Write a checkpoint with drawn weights: ResNet-18 at 32 px, seven emotions."""
    import torch

    from emotemporal.faces.crop import CropConfig
    from emotemporal.labels import SAVEE_7
    from emotemporal.models.checkpoint import save_checkpoint
    from emotemporal.models.emotion_net import EmotionNet
    from emotemporal.models.meta import CheckpointMeta, ModelConfig, Origin
    from emotemporal.preprocess import PreprocessConfig

    def make(
        head: str = "gru", clip_rate_hz: float = 10.0, crop_px: int = 48, **model: int
    ) -> Path:
        config = ModelConfig(**{"head": head, "hidden_dim": 16} | model)  # type: ignore[arg-type]
        with torch.random.fork_rng():
            torch.manual_seed(0)
            net = EmotionNet(config, len(SAVEE_7))
            # Drawn classifiers answer all alike; a test needs answers that follow the picture.
            frames = config.has_frame_classifier
            classifier = net.head.frame_classifier if frames else net.head.classifier
            classifier.weight.data.mul_(8)
        meta = CheckpointMeta(
            labels=SAVEE_7,
            preprocess=PreprocessConfig(size_px=32),
            crop=CropConfig(size_px=crop_px),
            clip_rate_hz=clip_rate_hz,
            model=config,
            training_prior=CHECKPOINT_PRIOR,
            temperature=1.5,
            origin=Origin("0", "unknown", "none", seed=0),
        )
        path = tmp_path_factory.mktemp("checkpoint") / f"{head}.safetensors"
        save_checkpoint(path, net, meta)
        return path

    return make


@pytest.fixture(scope="session")
def tiny_checkpoint(make_checkpoint: Callable[..., Path]) -> Path:
    """A GRU checkpoint with drawn weights."""
    return make_checkpoint()


@pytest.fixture(scope="session")
def make_onnx(
    make_checkpoint: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """Write the checkpoint of `make_checkpoint` as an ONNX graph; each is made once."""
    for library in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(library, reason=f"exporting needs {library}: the extra 'export'")

    @cache
    def make(head: str = "gru", storage: str = "float32", **model: int) -> Path:
        import onnx

        from emotemporal.export.faces import drawn_crops
        from emotemporal.export.graph import describe, to_onnx
        from emotemporal.export.quantise import quantise
        from emotemporal.models.checkpoint import load_checkpoint

        net, meta = load_checkpoint(make_checkpoint(head, **model))
        if storage == "int8":
            graph = quantise(onnx.load(make(head, **model)), meta, drawn_crops(meta, 32, seed=1))
        else:
            graph = to_onnx(net, meta)
        path = tmp_path_factory.mktemp("onnx") / f"{head}.{storage}.onnx"
        path.write_bytes(describe(graph, meta, storage))  # type: ignore[arg-type]
        return path

    return make


@pytest.fixture
def tiny_clip() -> FaceClip:
    """Two seconds of changing colours, at the size the tiny checkpoint's crops have."""
    generator = np.random.default_rng(0)
    colours = generator.integers(0, 256, (50, 1, 1, 3))
    noise = generator.integers(-20, 21, (50, 48, 48, 3))
    crops = np.clip(colours + noise, 0, 255).astype(np.uint8)
    return FaceClip(crops, np.arange(50) / 25, (), "nobody", "tiny")


@pytest.fixture(scope="session")
def tiny_scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of two seconds in which two drawn faces change their expression once."""
    from emotemporal.synthetic.scene import SyntheticSceneConfig, write_scene

    path = tmp_path_factory.mktemp("scene") / "scene.mp4"
    config = SyntheticSceneConfig(
        num_segments=1,
        segment_s=1.2,
        rest_s=0.6,
        frame_rate_hz=15.0,
        width_px=480,
        height_px=240,
    )
    write_scene(path, config)
    return path


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real clips; tests that need it skip where it is not named."""
    folder = os.environ.get("EMOTEMPORAL_TEST_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("EMOTEMPORAL_TEST_DATA names no folder of real clips")
    return Path(folder)


@pytest.fixture(scope="session")
def affectnet_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn AffectNet of a few small images."""
    from tests.small_sets import draw_affectnet

    return draw_affectnet(tmp_path_factory.mktemp("affectnet"))


@pytest.fixture(scope="session")
def prepared_savee(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight drawn clips of four speakers, cut out."""
    from tests.small_sets import prepare_savee

    return prepare_savee(tmp_path_factory.mktemp("savee"))


@pytest.fixture(scope="session")
def trained_checkpoint() -> Path:
    """A checkpoint trained on real faces; tests that need it skip where none is named."""
    name = os.environ.get("EMOTEMPORAL_TEST_CHECKPOINT")
    if not name or not Path(name).is_file():
        pytest.skip("EMOTEMPORAL_TEST_CHECKPOINT names no checkpoint trained on real faces")
    return Path(name)


class _SignalStack(ctypes.Structure):
    _fields_ = [("sp", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]


@pytest.fixture(autouse=sys.platform == "linux")
def no_small_signal_stack() -> Iterator[None]:
    """Take away the stack for signals that OpenVINO's libraries leave: 11,568 bytes.

    Where registers are wide a signal's frame does not fit, and the next handled signal or ended
    child takes the process along.
    """
    yield
    disabled = _SignalStack(None, 2, 0)  # SS_DISABLE of signal.h
    ctypes.CDLL(None).sigaltstack(ctypes.byref(disabled), None)
