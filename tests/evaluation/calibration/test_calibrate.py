import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from emotemporal.cli import main
from emotemporal.data.readers import DatasetConfig
from emotemporal.evaluation.calibration.calibrate import CalibrateConfig, calibrate
from emotemporal.labels import AFFECTNET_8, Emotion
from emotemporal.models.checkpoint import load_checkpoint, save_checkpoint
from emotemporal.models.meta import parse_storage, read_header, read_meta
from tests.data.tiny_sets import write_image

COLUMNS = ("Usage", "Image name", *AFFECTNET_8.names, "unknown", "NF")
NUM_IMAGES = 40


@pytest.fixture(scope="module")
def ferplus_root(tmp_path_factory) -> Path:
    """Forty pictures for validation, half of them without a strict majority; none for testing."""
    root = tmp_path_factory.mktemp("ferplus")
    generator = np.random.default_rng(0)
    with (root / "fer2013new.csv").open("w", newline="") as lines:
        writer = csv.DictWriter(lines, COLUMNS, restval=0)
        writer.writeheader()
        for i in range(NUM_IMAGES):
            name = f"fer{i:07d}.png"
            write_image(root / "FER2013Valid" / name, seed=i)
            first, second = generator.choice(len(AFFECTNET_8) - 1, 2, replace=False)
            votes = {AFFECTNET_8.names[first]: 5 + i % 2, AFFECTNET_8.names[second]: 5 - i % 2}
            writer.writerow({"Usage": "PublicTest", "Image name": name, **votes})
    return root


@pytest.fixture(scope="module")
def frame_checkpoint(make_checkpoint) -> Path:
    return make_checkpoint("frame")


@pytest.fixture
def config(ferplus_root, frame_checkpoint, tmp_path) -> CalibrateConfig:
    return CalibrateConfig(
        data=DatasetConfig(name="ferplus", root=str(ferplus_root)),
        checkpoint=str(frame_checkpoint),
        output=str(tmp_path / "calibrated.safetensors"),
    )


@pytest.fixture(scope="module")
def found(ferplus_root, frame_checkpoint, tmp_path_factory):
    """What comes of the defaults."""
    output = tmp_path_factory.mktemp("found") / "calibrated.safetensors"
    data = DatasetConfig(name="ferplus", root=str(ferplus_root))
    return calibrate(CalibrateConfig(data, str(frame_checkpoint), str(output)))


def test_what_was_found_is_written_and_the_network_is_the_same(found, frame_checkpoint):
    net, meta = load_checkpoint(Path(found.output))
    assert meta == found.meta
    assert meta.temperature != 1.5
    before, original = load_checkpoint(frame_checkpoint)
    assert original.uncertain_below is None
    for name, value in before.state_dict().items():
        assert torch.equal(net.state_dict()[name], value), name


def test_images_without_a_majority_count_for_the_temperature(found):
    figures = {figures.truth: figures for figures in found.report.figures}
    assert figures["votes"].after.num_images == NUM_IMAGES
    assert figures["majority"].after.num_images == NUM_IMAGES / 2
    assert figures["votes"].after.nll < figures["votes"].before.nll
    assert found.report.share_uncertain == pytest.approx(0.2)


@pytest.mark.parametrize("coverage", [0.5, 1.0])
def test_the_share_that_was_asked_for_is_not_uncertain(config, coverage):
    found = calibrate(replace(config, coverage=coverage))
    assert found.report.share_uncertain == pytest.approx(1 - coverage)


def test_a_threshold_is_kept_with_the_prior_that_it_is_of(found, config):
    training = found.meta
    uniform = calibrate(replace(config, prior="uniform")).meta
    assert training.uncertain_prior == training.training_prior
    assert uniform.uncertain_prior == (1 / 7,) * 7
    assert uniform.uncertain_below != training.uncertain_below
    assert uniform.temperature == training.temperature, "that is found under the images' own"


def test_confidence_can_be_taken_under_a_prior_of_its_own(found, config):
    data = calibrate(replace(config, prior="uniform", uncertain_prior="data"))
    assert data.meta.uncertain_prior not in (found.meta.training_prior, (1 / 7,) * 7)
    assert sum(data.meta.uncertain_prior) == pytest.approx(1)
    assert data.report.share_uncertain == pytest.approx(0.2), "whatever prior is reported on"
    assert data.meta.uncertain_below != found.meta.uncertain_below


@pytest.mark.parametrize("weak_below", [0.0, 1.0])
def test_an_emotion_is_weak_unless_shown_to_be_recognised(config, weak_below):
    found = calibrate(replace(config, weak_below=weak_below))
    seen = {recall.emotion for recall in found.recalls if recall.num_clips}
    assert seen
    # Whatever is asked, of an emotion that no image shows nothing was shown.
    strong = seen if weak_below == 0 else set()
    assert set(found.meta.weak) == set(found.meta.labels.emotions) - strong


def test_hidden_emotions_are_written_and_kept(config, tmp_path):
    first = calibrate(replace(config, hidden="disgust,fear")).meta
    assert first.hidden == (Emotion.DISGUST, Emotion.FEAR)
    again = replace(config, checkpoint=config.output, output=str(tmp_path / "again.safetensors"))
    assert calibrate(again).meta.hidden == first.hidden
    assert calibrate(replace(again, hidden="anger")).meta.hidden == (Emotion.ANGER,)
    assert calibrate(replace(again, hidden="")).meta.hidden == ()


def test_calibrating_what_is_calibrated_finds_the_same(found, config):
    again = calibrate(replace(config, checkpoint=found.output))
    assert again.meta.temperature == pytest.approx(found.meta.temperature)


def test_the_origin_tells_of_training_and_of_calibration(found):
    origin = found.meta.origin
    assert origin.seed == 0
    assert origin.config["calibrate"]["config"]["split"] == "validation"
    assert len(origin.config["calibrate"]["checkpoint_sha256"]) == 64


def test_half_precision_stays_half(config, tmp_path):
    net, meta = load_checkpoint(Path(config.checkpoint))
    half = tmp_path / "half.safetensors"
    save_checkpoint(half, net, meta, "float16")
    calibrate(replace(config, checkpoint=str(half)))
    assert parse_storage(read_header(Path(config.output))["__metadata__"]) == "float16"


def test_sets_with_one_label_an_image_do_as_well(config, affectnet_root):
    data = DatasetConfig(name="affectnet", root=str(affectnet_root))
    found = calibrate(replace(config, data=data))
    assert [figures.truth for figures in found.report.figures] == ["label"]
    assert found.report.figures[0].after.num_images == 14, "16 less two of contempt"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({"split": "test"}, "no test split", id="split"),
        pytest.param({"hidden": "glee"}, "glee", id="hidden"),
        pytest.param(
            {"hidden": "contempt"}, "labels it lacks: contempt", id="hidden-unknown-to-it"
        ),
        pytest.param({"prior": "nowhere.json"}, "nowhere.json", id="prior"),
    ],
)
def test_what_cannot_be_done_is_refused_before_any_judging(config, changes, told, monkeypatch):
    monkeypatch.setattr("emotemporal.data.images.ImageSet.sample", None)
    with pytest.raises((ValueError, OSError), match=told):
        calibrate(replace(config, **changes))
    assert not Path(config.output).exists()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"coverage": 0.0}, "coverage is 0"),
        ({"weak_below": 2.0}, "weak_below is 2"),
        ({"output": "x", "checkpoint": "./x"}, "the checkpoint itself"),
    ],
)
def test_a_config_that_contradicts_itself_is_refused(config, changes, told):
    with pytest.raises(ValueError, match=told):
        replace(config, **changes)


def test_the_command_says_what_it_found(config, capsys):
    words = ["--checkpoint", config.checkpoint, "--output", config.output]
    words += ["--dataset", "ferplus", "--root", config.data.root, "--coverage", "0.75"]
    assert main(["calibrate", *words]) == 0
    told = capsys.readouterr().out
    meta = read_meta(Path(config.output))
    assert f"uncertain below {meta.uncertain_below:.3f}: 25.0% of these" in told
    assert "most_votes" in told
    assert "weak" in told
