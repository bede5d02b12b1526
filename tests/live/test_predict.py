from __future__ import annotations

import csv
import io
from dataclasses import replace

import cv2
import numpy as np
import pytest

from emotemporal.faces.detect import DetectorConfig
from emotemporal.labels import SAVEE_7, Emotion
from emotemporal.live.predict import PredictConfig, predict
from emotemporal.live.runner import LiveConfig, run_live
from emotemporal.models.checkpoint import load_checkpoint, save_checkpoint
from emotemporal.video.file import VideoFile

HAAR = DetectorConfig("haar")


def predict_rows(checkpoint, *paths, **changes):
    out = io.StringIO()
    config = PredictConfig([str(p) for p in paths], str(checkpoint), detector=HAAR, **changes)
    summary = predict(config, out)
    return summary, list(csv.DictReader(out.getvalue().splitlines()))


@pytest.fixture
def photo(tiny_scene, tmp_path):
    with VideoFile(tiny_scene) as video:
        image = video.read([20]).frames[0]
    path = tmp_path / "two people.png"
    cv2.imwrite(str(path), image[..., ::-1])
    return path


def test_every_face_of_an_image_is_judged(tiny_checkpoint, photo):
    summary, rows = predict_rows(tiny_checkpoint, photo, min_probability=0.0)
    assert summary.is_complete
    assert summary.num_faces == len(rows) >= 2
    assert {row["source"] for row in rows} == {str(photo)}
    assert {row["time_s"] for row in rows} == {"0.000000"}
    assert all(row["shown"] in SAVEE_7.names for row in rows)
    assert {row["is_warm_up"] for row in rows} == {"0"}


def test_a_video_gets_the_rows_that_live_gives(tiny_checkpoint, tiny_scene, tmp_path):
    table = tmp_path / "live.csv"
    run_live(
        LiveConfig(
            str(tiny_scene), str(tiny_checkpoint), csv=str(table), detector=HAAR, window="no"
        )
    )
    _, rows = predict_rows(tiny_checkpoint, tiny_scene)
    for row in rows:
        row.pop("source")
    assert rows == list(csv.DictReader(table.read_text().splitlines()))


@pytest.fixture
def calibrated(tiny_checkpoint, tmp_path):
    """The tiny checkpoint, told to hide what it says of the photo and to call nothing uncertain."""
    net, meta = load_checkpoint(tiny_checkpoint)

    def calibrate(**changes):
        path = tmp_path / "calibrated.safetensors"
        known = {"uncertain_below": 0.0, "uncertain_prior": meta.training_prior}
        save_checkpoint(path, net, replace(meta, **known, **changes))
        return path

    return calibrate


def test_a_hidden_emotion_is_in_the_table_and_never_shown(calibrated, photo):
    _, rows = predict_rows(calibrated(), photo)
    said = Emotion(rows[0]["shown"])
    summary, hiding = predict_rows(calibrated(hidden=(said,), weak=(said,)), photo)
    assert said not in {row["shown"] for row in hiding}
    column = f"smoothed_{said}"
    assert [row[column] for row in hiding] == [row[column] for row in rows]
    assert f"in tables only: {said}" in str(summary)
    _, shown = predict_rows(calibrated(hidden=(said,)), photo, hidden="")
    assert shown == rows


def test_the_calibrated_threshold_is_used_and_told(calibrated, photo):
    path = calibrated(weak=(Emotion.FEAR,))
    net, meta = load_checkpoint(path)
    save_checkpoint(path, net, replace(meta, uncertain_below=0.999))
    summary, rows = predict_rows(path, photo)
    assert {row["is_uncertain"] for row in rows} == {"1"}
    assert "uncertain below 0.999 (as calibrated); * weak, seldom recognised: fear" in str(summary)
    summary, rows = predict_rows(path, photo, prior="uniform", min_probability=0.0)
    assert {row["is_uncertain"] for row in rows} == {"0"}
    assert "as asked for" in str(summary)


def test_the_table_can_go_to_a_file(tiny_checkpoint, photo, tmp_path):
    table = tmp_path / "table.csv"
    summary, printed = predict_rows(tiny_checkpoint, photo, csv=str(table))
    assert printed == []
    assert len(table.read_text().splitlines()) == summary.num_ticks + 1


def test_the_table_goes_to_standard_output_otherwise(tiny_checkpoint, photo, capsys):
    predict(PredictConfig([str(photo)], str(tiny_checkpoint), detector=HAAR))
    assert capsys.readouterr().out.startswith("source,time_s,track_id")


def test_files_that_cannot_be_read_are_named_and_the_others_judged(
    tiny_checkpoint, tiny_scene, photo, tmp_path
):
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(tiny_scene.read_bytes()[: tiny_scene.stat().st_size // 2])
    torn = tmp_path / "torn.png"
    torn.write_bytes(photo.read_bytes()[:2000])
    summary, rows = predict_rows(tiny_checkpoint, cut, photo, torn, tmp_path / "none.jpg")
    assert not summary.is_complete
    assert summary.num_files == 1
    wrong = ("cut.mp4", "torn.png", "none.jpg")
    assert all(name in told for name, told in zip(wrong, summary.failures, strict=True))
    assert {row["source"] for row in rows} == {str(photo)}
    assert "cannot be judged" in str(summary)


def test_a_file_without_a_face_is_named(tiny_checkpoint, tmp_path):
    empty = tmp_path / "empty.png"
    cv2.imwrite(str(empty), np.full((200, 300, 3), 90, np.uint8))
    summary, rows = predict_rows(tiny_checkpoint, empty)
    assert (summary.without_face, rows) == ((str(empty),), [])
    assert f"no face found: {empty}" in str(summary)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"paths": []}, "at least one"),
        ({"paths": ["a.csv"], "csv": "a.csv"}, "one of the files to judge"),
        ({"paths": ["a.png"], "warm_up_s": -1.0}, "warm_up_s"),
    ],
)
def test_a_wrong_config_is_refused(changes, complaint):
    with pytest.raises(ValueError, match=complaint):
        PredictConfig(checkpoint="c.safetensors", **changes)
