"""Law 3: preprocessing travels in the checkpoint, and a mismatch is refused by name."""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emotemporal.data.prepare import PreparedSet
from emotemporal.data.sampling import SamplingConfig
from emotemporal.faces.crop import CropConfig, CropMap
from emotemporal.faces.detect import DetectorConfig
from emotemporal.inference.load import load_engine
from emotemporal.inference.predictor import predict_clip
from emotemporal.labels import AFFECTNET_8, SAVEE_7
from emotemporal.live.predict import PredictConfig
from emotemporal.live.runner import LiveConfig
from emotemporal.models.meta import CheckpointError, CheckpointMeta, ModelConfig, Origin, read_meta
from emotemporal.preprocess import PreprocessConfig
from emotemporal.train.features import require_same_crop
from emotemporal.types import FaceClip
from tests.fakes import FakeEngine

TRAVELS = ("labels", "preprocess", "crop", "clip_rate_hz", "format_version")
CROP = CropConfig(size_px=96, maps={"haar": CropMap(1.06, 0.015), "yunet": CropMap(0.96)})

OF_THE_CHECKPOINT = (PreprocessConfig, CropConfig, CropMap, SamplingConfig, ModelConfig)
WORDS = {"std", "normalise", "interpolation", "crop", "preprocess", "rate", "fps", "colour", "grey"}
OF_THE_SOURCE = {"images.rate_hz"}
"""When the pictures of a folder were taken, which is not the model's clock."""
NAMES = {"mean", "pixel_mean", "size", "size_px", "crop_px", "input_px", "input_size"}


@pytest.fixture
def meta() -> CheckpointMeta:
    return CheckpointMeta(
        labels=SAVEE_7,
        preprocess=PreprocessConfig(size_px=32),
        crop=CROP,
        clip_rate_hz=10.0,
        model=ModelConfig(head="gru", hidden_dim=16),
        training_prior=(1 / 7,) * 7,
        origin=Origin("0", "unknown", "none", seed=0),
    )


def write_description(path: Path, value: object) -> Path:
    header = json.dumps({"__metadata__": {"emotemporal": json.dumps(value)}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    return path


def prepared_with(crop: CropConfig) -> PreparedSet:
    return PreparedSet(Path("clips"), "savee", pd.DataFrame(), crop, "haar", "0" * 64)


def test_everything_about_pixels_and_time_comes_back_from_the_file(meta, tmp_path):
    found = read_meta(write_description(tmp_path / "x.safetensors", meta.to_json()))
    assert all(getattr(found, name) == getattr(meta, name) for name in TRAVELS)


@pytest.mark.parametrize("name", TRAVELS)
def test_a_file_that_leaves_one_at_home_is_refused_by_name(meta, tmp_path, name):
    value = {key: v for key, v in meta.to_json().items() if key != name}
    with pytest.raises(CheckpointError, match=rf"x\.safetensors.*{name}"):
        read_meta(write_description(tmp_path / "x.safetensors", value))


@pytest.mark.parametrize(
    ("other", "said"),
    [
        pytest.param(replace(CROP, size_px=72), ["size_px", "72", "96"], id="size"),
        pytest.param(
            replace(CROP, maps={**CROP.maps, "haar": CropMap(1.3, 0.015)}),
            ["haar", "scale", "1.3", "1.06"],
            id="scale",
        ),
        pytest.param(
            replace(CROP, maps={**CROP.maps, "yunet": CropMap(0.96, -0.25)}),
            ["yunet", "shift_y", "-0.25", "0.0"],
            id="shift",
        ),
        pytest.param(replace(CROP, maps={"haar": CROP.maps["haar"]}), ["yunet"], id="a-map-less"),
    ],
)
def test_clips_cropped_otherwise_are_refused_and_the_difference_is_told(meta, other, said):
    with pytest.raises(CheckpointError) as refused:
        require_same_crop(meta, prepared_with(other))
    message = str(refused.value)
    assert all(word in message for word in [*said, "clips", "emotemporal prepare"])


def test_clips_cropped_alike_are_not_refused(meta):
    require_same_crop(meta, prepared_with(CropConfig.from_json(CROP.to_json())))


def clip_of(size_px: int) -> FaceClip:
    crops = np.zeros((25, size_px, size_px, 3), np.uint8)
    return FaceClip(crops, np.arange(25) / 25, (), "nobody", "clip.avi")


class SizeEngine:
    """Notes the shape of what it is given."""

    def __init__(self) -> None:
        self._engine = FakeEngine(SAVEE_7)
        self.labels = SAVEE_7
        self.shapes: list[tuple[int, ...]] = []

    def step(self, crops, states):
        return self._engine.step(crops, states)

    def run(self, crops):
        self.shapes.append(crops.shape)
        return self._engine.run(crops)


@pytest.mark.parametrize(("size_px", "clip_rate_hz", "num_ticks"), [(32, 10.0, 10), (40, 5.0, 5)])
def test_what_the_network_sees_is_what_the_checkpoint_says(meta, size_px, clip_rate_hz, num_ticks):
    described = replace(
        meta, preprocess=PreprocessConfig(size_px=size_px), clip_rate_hz=clip_rate_hz
    )
    engine = SizeEngine()
    predict_clip(engine, described, clip_of(96))
    assert engine.shapes == [(num_ticks, size_px, size_px, 3)]


def test_crops_of_another_size_are_refused_with_both_sizes(meta):
    with pytest.raises(ValueError, match=r"72x72.*96x96"):
        predict_clip(FakeEngine(SAVEE_7), meta, clip_of(72))


def test_an_engine_of_other_labels_is_refused_with_both(meta):
    with pytest.raises(CheckpointError, match=r"contempt.*the description.*anger"):
        predict_clip(FakeEngine(AFFECTNET_8), meta, clip_of(96))


def test_an_engine_comes_with_the_description_of_its_own_file(tiny_checkpoint):
    engine, meta = load_engine(tiny_checkpoint)
    assert meta == read_meta(tiny_checkpoint)
    assert engine.labels == meta.labels


def options_of(kind: type, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Return every option of a config, nested ones too, with its type."""
    hints = typing.get_type_hints(kind)
    for option in fields(kind):
        name, hint = f"{prefix}{option.name}", hints[option.name]
        yield name, hint
        if is_dataclass(hint):
            yield from options_of(typing.cast(type, hint), f"{name}.")


def types_in(hint: object) -> Iterator[object]:
    yield hint
    for inner in typing.get_args(hint):
        yield from types_in(inner)


def overriding_options(kind: type) -> list[str]:
    """Return the options that would override what the checkpoint says of pixels or time."""
    found = []
    for name, hint in options_of(kind):
        last = name.rpartition(".")[2]
        is_named_so = last in NAMES or not WORDS.isdisjoint(last.split("_"))
        is_named_so &= name not in OF_THE_SOURCE
        if is_named_so or any(inner in OF_THE_CHECKPOINT for inner in types_in(hint)):
            found.append(name)
    return found


@pytest.mark.parametrize("kind", [LiveConfig, PredictConfig])
def test_live_has_no_option_for_size_mean_or_rate(kind):
    assert overriding_options(kind) == []
    assert len(list(options_of(kind))) > 10


@dataclass(frozen=True)
class Inner:
    input_size: int = 64
    clip_rate_hz: float = 10.0
    beta: float = 0.1


@dataclass(frozen=True)
class TemptingConfig:
    checkpoint: str
    mean: tuple[float, ...] = ()
    shape: CropConfig | None = None
    look: dict[str, CropMap] = field(default_factory=dict)
    inner: Inner = field(default_factory=Inner)
    detector: DetectorConfig = field(default_factory=DetectorConfig)


def test_such_an_option_would_be_noticed():
    assert overriding_options(TemptingConfig) == [
        "mean",
        "shape",
        "look",
        "inner.input_size",
        "inner.clip_rate_hz",
    ]
