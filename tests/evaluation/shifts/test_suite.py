import csv
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from emotemporal.cli import main
from emotemporal.data.augmentation.shifts import NUM_STRENGTHS, SHIFTS, Shift
from emotemporal.data.readers import DatasetConfig, read_dataset
from emotemporal.data.table import take_rows
from emotemporal.evaluation.evaluate import EvaluateConfig, evaluate
from emotemporal.evaluation.shifts.figures import SuiteConfig
from emotemporal.evaluation.shifts.report import (
    as_csv,
    draw_shifts,
    shifts_as_text,
    write_shift_report,
)
from emotemporal.evaluation.shifts.suite import run_suite, stratified_part
from emotemporal.evaluation.still_images import StillJudge
from emotemporal.inference.load import load_engine
from emotemporal.inference.prior import to_probabilities, wanted_prior
from emotemporal.labels import SAVEE_7, parse_label_space
from emotemporal.models.meta import read_meta
from emotemporal.preprocess import preprocess
from tests.data.tiny_sets import picture
from tests.fakes import FakeEngine

THREE = parse_label_space("anger,fear,happiness")
RED, GREEN, BLUE = np.eye(3, dtype=np.uint8) * 255
IMAGES = (  # (what it shows, what the fake engine reads off its colour)
    ("anger", RED),
    ("anger", RED),
    ("anger", RED),
    ("fear", GREEN),
    ("fear", RED),
    ("happiness", BLUE),
)


def paint_red(crop, amount, generator):
    return np.full_like(crop, RED) if amount >= 3 else crop


TO_RED = Shift("to_red", "at 3 and more", (1, 2, 3, 4, 5), paint_red)
NOTHING = Shift("nothing", "of nothing", (1, 2, 3, 4, 5), lambda crop, amount, generator: crop)


@pytest.fixture
def colours(tmp_path):
    """A folder of plain pictures whose colour says the answer."""
    for i, (name, colour) in enumerate(IMAGES):
        path = tmp_path / "colours" / name / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((32, 32, 3), colour[::-1]))
    return read_dataset(DatasetConfig(name="folder", root=str(tmp_path / "colours")))


@pytest.fixture
def colour_judge(tiny_checkpoint) -> StillJudge:
    third = (1 / 3,) * 3
    meta = replace(read_meta(tiny_checkpoint), labels=THREE, training_prior=third)
    return StillJudge(FakeEngine(THREE), meta, third)


@pytest.fixture
def report(colours, colour_judge):
    return run_suite(colours, colour_judge, THREE, SuiteConfig(), (NOTHING, TO_RED))


@pytest.fixture(scope="module")
def frame_checkpoint(make_checkpoint) -> Path:
    return make_checkpoint("frame")


def evaluate_words(affectnet_root, checkpoint, *more) -> list[str]:
    words = ["evaluate", "--dataset", "affectnet", "--root", str(affectnet_root)]
    return [*words, "--checkpoint", str(checkpoint), "--split", "validation", *map(str, more)]


def test_the_ratios_are_those_counted_by_hand(report):
    # Unshifted, recall is 3/3, 1/2 and 1/1. All red from strength 3 on: 3/3, 0/2 and 0/1.
    assert report.unshifted.uar == pytest.approx(5 / 6)
    assert report.unshifted.accuracy == pytest.approx(5 / 6)
    uar = [figure.metrics.uar for figure in report.of(TO_RED)]
    assert uar == pytest.approx([5 / 6, 5 / 6, 1 / 3, 1 / 3, 1 / 3])
    assert [figure.metrics.accuracy for figure in report.of(TO_RED)][2:] == [0.5] * 3
    assert report.kept_by_shift["nothing"].estimate == pytest.approx(1)
    assert report.kept_by_shift["to_red"].estimate == pytest.approx((2 + 3 * 0.4) / 5)
    assert report.kept.estimate == pytest.approx(0.82)
    assert report.accuracy_ratio(report.figures) == pytest.approx((7 + 3 * 0.6) / 10)
    assert report.worst == TO_RED
    assert report.worst_figure.strength == 3


def test_an_interval_holds_the_estimate_and_is_no_wider_than_what_can_be(report):
    assert report.kept.low <= report.kept.estimate <= report.kept.high
    nothing = report.kept_by_shift["nothing"]
    assert (nothing.low, nothing.high) == (1, 1)


def test_the_json_holds_the_same_figures(report):
    written = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert written["mean_uar_ratio"] == pytest.approx(0.82)
    assert written["worst_shift"] == "to_red"
    assert written["shifts"]["to_red"]["uar_ratio"] == pytest.approx([1, 1, 0.4, 0.4, 0.4])
    assert written["shifts"]["to_red"]["amounts"] == [1, 2, 3, 4, 5]


def test_the_text_names_the_worst_shift_first_and_says_what_is_kept(report):
    lines = shifts_as_text(report).splitlines()
    assert lines[2].split()[:2] == ["to_red", "83.3/83.3"]
    assert "UAR kept 82.0%" in lines[-1]
    assert "worst shift to_red" in lines[-1]


def test_the_table_has_a_line_for_every_figure_and_one_for_none(report):
    origin, *lines = as_csv(report, {"commit": "abc"}).splitlines()
    assert origin == '# commit: "abc"'
    rows = list(csv.DictReader(lines))
    assert len(rows) == 1 + 2 * NUM_STRENGTHS
    assert (rows[0]["shift"], rows[0]["strength"]) == ("", "0")
    assert rows[-1]["shift"] == "to_red"
    assert float(rows[-1]["uar_ratio"]) == pytest.approx(0.4)
    assert float(rows[-1]["recall_fear"]) == 0


def test_a_model_that_is_never_right_has_no_ratio(colours, colour_judge, tmp_path):
    wrong = take_rows(colours, [int(np.flatnonzero(colours.rows["path"] == "fear/4.png")[0])])
    found = run_suite(wrong, colour_judge, THREE, SuiteConfig(), (NOTHING,))
    assert np.isnan(found.kept.estimate)
    assert found.to_json()["mean_uar_ratio"] is None
    write_shift_report(found, tmp_path / "report", {})


def test_the_same_pictures_are_judged_whatever_their_order_and_company(colours, colour_judge):
    noise = tuple(shift for shift in SHIFTS if shift.name in ("noise", "crop_offset"))
    whole = run_suite(colours, colour_judge, THREE, SuiteConfig(), noise)
    turned = take_rows(colours, list(range(len(colours)))[::-1])
    again = run_suite(turned, colour_judge, THREE, SuiteConfig(), noise)
    assert [f.metrics.nll for f in whole.figures] == pytest.approx(
        [f.metrics.nll for f in again.figures], abs=1e-12
    )
    other = run_suite(colours, colour_judge, THREE, SuiteConfig(seed=1), noise)
    assert whole.figures[-1].metrics.nll != other.figures[-1].metrics.nll


def test_a_part_has_the_same_share_of_every_emotion(affectnet_root):
    table = read_dataset(DatasetConfig(name="affectnet", root=str(affectnet_root)))
    rows = stratified_part(table, SAVEE_7, SuiteConfig(share=0.25))
    assert rows == sorted(set(rows))
    assert rows == stratified_part(table, SAVEE_7, SuiteConfig(share=0.25))
    assert rows != stratified_part(table, SAVEE_7, SuiteConfig(share=0.25, seed=1))
    chosen = table.rows["emotion"].iloc[rows].value_counts()
    assert chosen.to_dict() == dict.fromkeys(SAVEE_7.names, 2)  # 8 images each
    assert len(stratified_part(table, SAVEE_7, SuiteConfig())) == 7 * 8


@pytest.mark.parametrize("with_mirror", [False, True])
@pytest.mark.parametrize("head", ["frame", "gru"])
def test_many_images_at_once_are_judged_as_each_alone(make_checkpoint, head, with_mirror):
    engine, meta = load_engine(make_checkpoint(head))
    prior = wanted_prior("uniform", meta)
    crops = np.stack([picture(seed) for seed in range(5)])
    found = StillJudge(engine, meta, prior, with_mirror).judge(crops)
    for crop, probabilities in zip(crops, found, strict=True):
        views = [crop, crop[:, ::-1]] if with_mirror else [crop]
        alone = [
            to_probabilities(engine.run(preprocess(view[None], meta.preprocess)), meta, prior)[0]
            for view in views
        ]
        np.testing.assert_allclose(probabilities, np.mean(alone, axis=0), rtol=0, atol=1e-5)


def test_with_the_mirror_a_face_and_its_mirror_image_are_judged_alike(frame_checkpoint):
    engine, meta = load_engine(frame_checkpoint)
    crops = np.stack([picture(seed) for seed in range(3)])
    mirrored = crops[:, :, ::-1]
    judge = StillJudge(engine, meta, meta.training_prior, with_mirror=True)
    np.testing.assert_allclose(judge.judge(crops), judge.judge(mirrored), atol=1e-6)
    plain = replace(judge, with_mirror=False)
    assert np.abs(plain.judge(crops) - plain.judge(mirrored)).max() > 1e-4


def test_the_command_judges_under_shifts_and_writes_the_report(
    affectnet_root, frame_checkpoint, tmp_path, capsys
):
    options = ("--shifts", "true", "--shift_share", "0.5", "--report", tmp_path / "report")
    labels = ("--labels", "anger,fear,sadness", "--prior", "uniform")
    words = evaluate_words(affectnet_root, frame_checkpoint, *options, *labels)
    assert main([*words, "--json", str(tmp_path / "figures.json")]) == 0
    assert "over all: UAR kept" in capsys.readouterr().out
    written = json.loads((tmp_path / "figures.json").read_text())
    assert written["shifts"]["num_images"] == 3  # of two each of the three
    assert set(written["shifts"]["shifts"]) == {shift.name for shift in SHIFTS}
    assert {path.name for path in (tmp_path / "report").iterdir()} == {
        "shifts.csv",
        "shifts.png",
        "shifts_example.png",
    }
    sheet = cv2.imread(str(tmp_path / "report" / "shifts_example.png"))
    assert sheet is not None


def test_the_sheet_shows_the_example_as_it_is_and_at_every_strength(report):
    sheet = draw_shifts(report, cell_px=32)
    assert sheet.shape == (2 * (32 + 16), 6 * 32, 3)
    last_row = sheet[-16, 16::32]
    assert np.array_equal(last_row[0], report.example[0, 0])
    assert np.array_equal(last_row[-1], RED)


def test_without_shifts_there_are_none(affectnet_root, frame_checkpoint):
    data = DatasetConfig(name="affectnet", root=str(affectnet_root))
    config = EvaluateConfig(data, checkpoint=str(frame_checkpoint), split="validation")
    found = evaluate(config)
    assert found.shifts is None
    assert found.to_json()["shifts"] is None
    mirrored = evaluate(replace(config, mirror=True))
    assert mirrored.metrics.nll != found.metrics.nll


@pytest.mark.parametrize(
    ("options", "told"),
    [
        pytest.param(("--report", "there"), "needs --shifts", id="report"),
        pytest.param(("--shift_share", "0"), "shift_share is 0", id="share"),
        pytest.param(("--shift_share", "1.5"), "shift_share is 1.5", id="more-than-all"),
    ],
)
def test_options_that_cannot_be_are_refused(
    affectnet_root, frame_checkpoint, options, told, capsys
):
    assert main(evaluate_words(affectnet_root, frame_checkpoint, *options)) == 1
    assert told in capsys.readouterr().err
