import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from emotemporal.data.readers import DatasetConfig, read_dataset
from emotemporal.data.table import make_table
from emotemporal.evaluation.calibration.background import background_crops
from emotemporal.evaluation.calibration.plots import draw_calibration
from emotemporal.evaluation.calibration.report import (
    CalibrationConfig,
    report_background,
    report_calibration,
    truths_of,
)
from emotemporal.evaluation.evaluate import EvaluateConfig, evaluate
from emotemporal.evaluation.outcome import as_text
from emotemporal.labels import SAVEE_7, LabelSpace
from emotemporal.models.meta import read_meta
from tests.data.tiny_sets import write_image

THREE = LabelSpace.from_names(["neutral", "happiness", "fear"])


def voted(**votes: float) -> dict[str, float]:
    return {f"votes_{name}": float(votes.get(name, 0)) for name in (*SAVEE_7.names, "contempt")}


@pytest.fixture
def table():
    """Votes for one, for one of two, for two alike, and for nothing that the model knows."""
    records = [
        {"path": "a.png", "emotion": "neutral", **voted(neutral=10)},
        {"path": "b.png", "emotion": "fear", **voted(neutral=4, fear=6)},
        {"path": "c.png", "emotion": None, **voted(happiness=5, fear=5)},
        {"path": "d.png", "emotion": "anger", **voted(anger=10)},
    ]
    return make_table("voted", Path(), "images", records)


@pytest.fixture
def meta(tiny_checkpoint):
    prior = (0.5, 0.3, 0.2)
    return replace(
        read_meta(tiny_checkpoint),
        labels=THREE,
        training_prior=prior,
        temperature=2.0,
        uncertain_below=0.7,
        uncertain_prior=prior,
    )


SHARES = np.array([[0.9, 0.05, 0.05], [0.2, 0.2, 0.6], [0.1, 0.1, 0.8], [1 / 3] * 3])
LOGITS = 2 * np.log(SHARES)  # so that they are the shares at the temperature above


def test_votes_are_a_truth_in_three_ways(table):
    votes, most, majority = truths_of(table, THREE)
    np.testing.assert_allclose(votes.shares[:3], [[1, 0, 0], [0.4, 0, 0.6], [0, 0.5, 0.5]])
    np.testing.assert_allclose(most.shares[:3], [[1, 0, 0], [0, 0, 1], [0, 0.5, 0.5]])
    assert majority.is_known.tolist() == [True, True, False, False]
    assert votes.is_known.tolist() == most.is_known.tolist() == [True, True, True, False]


def test_a_report_of_a_case_worked_by_hand(table, meta):
    report = report_calibration(LOGITS, table, meta, CalibrationConfig(coverage=0.5))
    found = {figures.truth: figures for figures in report.figures}
    assert found["votes"].after.num_images == 3
    assert found["votes"].after.error == pytest.approx((0 + 0.4 + 0.5) / 3)
    assert found["most_votes"].after.error == pytest.approx((0 + 0 + 0.5) / 3)
    assert found["majority"].after.error == 0
    # The surest two of three are the first and the third.
    assert found["votes"].after.error_covered == pytest.approx(0.25)
    assert found["votes"].error_answered == pytest.approx(0.25), "the others reach 0.7"
    assert report.share_uncertain == 0.5
    assert found["votes"].before.nll != found["votes"].after.nll
    assert found["votes"].before.error == found["votes"].after.error


def test_without_a_threshold_nothing_is_said_of_uncertainty(table, meta):
    plain = replace(meta, uncertain_below=None, uncertain_prior=None)
    report = report_calibration(LOGITS, table, plain, CalibrationConfig())
    assert report.share_uncertain is None
    assert report.figures[0].error_answered is None
    assert "'calibrate' finds one" in str(report)
    background = report_background(LOGITS, plain, CalibrationConfig(background="4"))
    assert background.share_uncertain is None
    assert "uncertain" not in str(background)


def test_where_all_are_uncertain_there_is_no_error_of_answers(table, meta):
    report = report_calibration(
        LOGITS, table, replace(meta, uncertain_below=0.99), CalibrationConfig()
    )
    assert report.figures[0].error_answered is None
    assert "error of the others: there are none" in str(report)


def test_crops_without_a_face_are_counted(meta):
    config = CalibrationConfig(background="4")
    found = report_background(LOGITS, meta, config)
    assert (found.source, found.num_crops, found.share_uncertain) == ("drawn", 4, 0.5)
    assert "4 crops without a face (drawn): 50.0% uncertain" in str(found)


def test_drawn_background_is_the_same_every_time_and_never_twice():
    crops = background_crops("5", size_px=48)
    assert crops.shape == (5, 48, 48, 3)
    assert np.array_equal(background_crops("3", 48), crops[:3])
    assert not np.array_equal(background_crops("5", 48, seed=1), crops)
    assert len({crop.tobytes() for crop in crops}) == 5


def test_background_can_be_a_folder_of_images(tmp_path):
    for i in range(3):
        write_image(tmp_path / "some" / f"{i}.png", i, size=40)
    assert background_crops(str(tmp_path), 48).shape == (3, 48, 48, 3)


@pytest.mark.parametrize("source", ["0", "-3", "nowhere"])
def test_background_that_is_neither_is_refused(source):
    with pytest.raises(ValueError, match="how many crops to draw"):
        background_crops(source, 48)


def test_pictures_are_drawn_with_one_truth_and_with_three(table, meta, tmp_path):
    one = replace(table, rows=table.rows.drop(columns=[c for c in table.rows if "votes" in c]))
    for name, rows in (("three", table), ("one", one)):
        report = report_calibration(LOGITS, rows, meta, CalibrationConfig())
        files = draw_calibration(report, tmp_path / name)
        assert [file.name for file in files] == ["reliability.png", "risk_coverage.png"]
        for file in files:
            assert cv2.imread(str(file)).std() > 5


@pytest.fixture
def config(affectnet_root, make_checkpoint, tmp_path) -> EvaluateConfig:
    return EvaluateConfig(
        data=DatasetConfig(name="affectnet", root=str(affectnet_root)),
        checkpoint=str(make_checkpoint("frame")),
        split="validation",
        calibration=True,
        background="10",
        report=str(tmp_path / "report"),
        json=str(tmp_path / "figures.json"),
    )


def test_evaluate_tells_of_calibration(config):
    found = evaluate(config)
    figures = json.loads(Path(config.json).read_text())["calibration"]
    assert figures["against"]["label"]["after"]["num_images"] == 14
    # The same figure by two ways: of predictions, and of logits.
    assert figures["against"]["label"]["after"]["nll"] == pytest.approx(found.metrics.nll, rel=1e-4)
    assert figures["background"]["num_crops"] == 10
    assert "calibration, prior training" in as_text(found)
    assert (Path(config.report) / "reliability.png").is_file()
    assert (
        evaluate(replace(config, calibration=False, background="", report="")).calibration is None
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"calibration": False}, "--calibration true"),
        ({"calibration": False, "background": ""}, "would be empty"),
        ({"labels": "anger,fear"}, "leave --labels out"),
        ({"coverage": 0.0}, "coverage is 0"),
    ],
)
def test_what_contradicts_itself_is_refused(config, changes, told):
    with pytest.raises(ValueError, match=told):
        replace(config, **changes)


def test_calibration_is_not_of_videos(config, tmp_path):
    (tmp_path / "AudioVisualClip" / "DC").mkdir(parents=True)
    (tmp_path / "AudioVisualClip" / "DC" / "a1.avi").write_bytes(b"never opened")
    data = DatasetConfig(name="savee", root=str(tmp_path))
    assert read_dataset(data).kind == "videos"
    with pytest.raises(ValueError, match="are of images"):
        evaluate(replace(config, data=data, split=None))
