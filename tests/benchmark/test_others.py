from __future__ import annotations

import pytest

from emotemporal.benchmark.decode import DecodeBenchmarkConfig, benchmark_decode
from emotemporal.benchmark.encoder import EncoderBenchmarkConfig, benchmark_encoder
from emotemporal.benchmark.images import ImagesBenchmarkConfig, benchmark_data, benchmark_train
from emotemporal.benchmark.limits import Limits, encoder_gflops
from emotemporal.data.readers import DatasetConfig
from emotemporal.faces.crop import CropConfig
from emotemporal.models.checkpoint import load_checkpoint
from emotemporal.models.emotion_net import EmotionNet
from emotemporal.models.meta import ModelConfig
from emotemporal.preprocess import PreprocessConfig
from emotemporal.video.file import VideoFile
from emotemporal.video.resize import resized_copy
from tests.video.clips import turn_by_90, write_clip


def test_a_resnet_18_at_224_has_its_published_number_of_products():
    """Source: He et al. 2016, table 1: 1.8e9, each a multiplication and an addition."""
    net = EmotionNet(ModelConfig(), 8).eval()
    assert encoder_gflops(net, 224) == pytest.approx(2 * 1.82, rel=0.01)


def test_a_heads_products_are_counted_once():
    plain, wide = (
        EmotionNet(ModelConfig(head="attention", hidden_dim=dim), 8).eval() for dim in (16, 512)
    )
    added = (512 - 16) * (3 * 512 + 1 + 8)  # three projections, a score, the labels
    found = encoder_gflops(wide, 32) - encoder_gflops(plain, 32)
    assert found == pytest.approx(2e-9 * added)


def test_the_limit_is_the_slower_of_products_and_weights():
    limits = Limits(1, float_gflops=100.0, int8_gops=400.0, copy_gb_s=10.0)
    assert limits.encoder_ms(1.0, 4e6, False) == pytest.approx(10.0)
    assert limits.encoder_ms(1.0, 4e6, True) == pytest.approx(2.5)
    assert limits.encoder_ms(0.001, 4e6, False) == pytest.approx(0.4)


def test_every_engine_is_timed(make_checkpoint):
    pytest.importorskip("onnxscript", reason="exporting needs the extra 'export'")
    config = EncoderBenchmarkConfig(str(make_checkpoint("frame")), [2], [1], repetitions=2)
    found = benchmark_encoder(config)
    names = {row.name.split(",")[0] for row in found.rows}
    assert {"torch", "onnx", "onnx-int8"} <= names
    assert all(row.limit is not None and row.limit > 0 for row in found.rows)
    assert load_checkpoint(make_checkpoint("frame"))[1].preprocess.size_px == 32
    assert "at 32 px" in found.facts["network"]


@pytest.mark.parametrize("options", [{"batches": []}, {"threads": []}, {"batches": [0]}])
def test_a_benchmark_of_nothing_is_refused(options):
    with pytest.raises(ValueError, match="batches"):
        EncoderBenchmarkConfig(**options)


def test_every_decoder_is_timed(tiny_scene):
    found = benchmark_decode(DecodeBenchmarkConfig([str(tiny_scene)], 4, repetitions=1))
    assert any(row.name.endswith("all frames, opencv") for row in found.rows)
    assert any("4 frames, " in row.name for row in found.rows)


def test_a_rotated_video_is_left_to_the_decoders_that_turn_it(tmp_path):
    path = turn_by_90(write_clip(tmp_path / "turned.mp4", num_frames=5))
    names = [row.name for row in benchmark_decode(DecodeBenchmarkConfig([str(path)], 2, 1)).rows]
    assert "turned.mp4, 2 frames, opencv" in names
    assert not any("decord" in name for name in names)


def test_a_copy_of_another_size_has_the_frames_of_the_first(tiny_scene, tmp_path):
    with VideoFile(resized_copy(tiny_scene, tmp_path / "small.mp4", 120)) as video:
        small = video.info
    with VideoFile(tiny_scene) as video:
        assert small.num_frames == video.info.num_frames
    assert (small.width_px, small.height_px) == (120, 60)


@pytest.fixture
def config(affectnet_root) -> ImagesBenchmarkConfig:
    return ImagesBenchmarkConfig(
        DatasetConfig("affectnet", str(affectnet_root)),
        num_images=8,
        batch_size=4,
        crop=CropConfig(size_px=48),
        preprocess=PreprocessConfig(size_px=32),
        num_steps=2,
        repetitions=1,
    )


def test_loading_is_timed_from_files_memory_and_a_pack(config):
    found = benchmark_data(config)
    assert [row.name for row in found.rows] == [
        "loading from files",
        "loading from memory",
        "loading from a pack",
    ]
    assert "loading from a pack against loading from memory" in found.facts


def test_training_is_timed_against_batches_made_before(config):
    found = benchmark_train(config)
    assert found.rows[0].name == "training on batches made before"
    assert len(found.rows) == 4
