"""The drawn AffectNet: both official layouts, exact, repeatable, and safe to ask for twice."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from emotemporal.labels import AFFECTNET_8, Emotion
from emotemporal.synthetic.affectnet import CSV_COLUMNS, write_affectnet
from emotemporal.synthetic.portraits import SyntheticAffectNetConfig, draw_image

SMALL = SyntheticAffectNetConfig(num_images=16, num_validation=8, image_px=96)
SMALL_NPY = SyntheticAffectNetConfig(num_images=8, num_validation=8, image_px=96, layout="npy")


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


def _bytes(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def csv_root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("affectnet") / "csv"
    write_affectnet(root, SMALL)
    return root


def test_csv_layout_is_the_full_releases(csv_root):
    for name, count in (("training.csv", 16), ("validation.csv", 8)):
        with (csv_root / name).open() as lines:
            assert lines.readline().strip().split(",") == list(CSV_COLUMNS)
        rows = _rows(csv_root / name)
        assert len(rows) == count
        for row in rows:
            folder, file = row["subDirectory_filePath"].split("/")
            assert folder.isdecimal()
            assert len(Path(file).stem) == 56
            image = cv2.imread(str(csv_root / "Manually_Annotated_Images" / folder / file))
            assert image.shape == (96, 96, 3)
            x, y, w, h = (int(row[f"face_{k}"]) for k in ("x", "y", "width", "height"))
            assert x >= 0
            assert y >= 0
            assert x + w <= 96
            assert y + h <= 96
            assert min(w, h) > 40
            landmarks = [float(n) for n in row["facial_landmarks"].split(";")]
            assert len(landmarks) == 136


def test_emotions_are_equally_frequent_and_in_the_official_order(csv_root):
    rows = _rows(csv_root / "training.csv")
    assert Counter(row["expression"] for row in rows) == {str(k): 2 for k in range(8)}
    named = {r["file"].split("/", 1)[1]: r["emotion"] for r in _rows(csv_root / "truth.csv")}
    for row in rows:
        expected = AFFECTNET_8.names[int(row["expression"])]
        assert named[row["subDirectory_filePath"]] == expected


def test_truth_tells_intensity_and_valence_follows_it(csv_root):
    for row in _rows(csv_root / "truth.csv"):
        intensity = float(row["intensity"])
        if row["emotion"] == "neutral":
            assert intensity == 0
        else:
            assert SMALL.min_intensity <= intensity <= 1
    by_file = {
        r["file"].split("/", 1)[1]: float(r["intensity"]) for r in _rows(csv_root / "truth.csv")
    }
    happy = [r for r in _rows(csv_root / "training.csv") if r["expression"] == "1"]
    for row in happy:
        assert float(row["valence"]) == pytest.approx(
            0.8 * by_file[row["subDirectory_filePath"]], abs=1e-3
        )


def test_npy_layout_keeps_labels_as_strings(tmp_path):
    write_affectnet(tmp_path / "npy", SMALL_NPY)
    for folder in ("train_set", "val_set"):
        base = tmp_path / "npy" / folder
        assert len(list((base / "images").glob("*.jpg"))) == 8
        labels = set()
        for index in range(8):
            label = np.load(base / "annotations" / f"{index}_exp.npy")
            assert label.dtype.kind == "U"
            assert label.shape == ()
            labels.add(int(label))
            assert -1 <= float(np.load(base / "annotations" / f"{index}_val.npy")) <= 1
            assert -1 <= float(np.load(base / "annotations" / f"{index}_aro.npy")) <= 1
            assert np.load(base / "annotations" / f"{index}_lnd.npy").shape == (136,)
        assert labels == set(range(8))


def test_same_seed_same_bytes_whatever_the_number_of_workers(csv_root, tmp_path):
    write_affectnet(tmp_path / "again", SMALL, workers=2)
    assert _bytes(tmp_path / "again") == _bytes(csv_root)


def test_another_seed_draws_other_people():
    other = SyntheticAffectNetConfig(num_images=16, num_validation=8, image_px=96, seed=1)
    first, second = draw_image(SMALL, "train", 3), draw_image(other, "train", 3)
    assert first.emotion == second.emotion
    assert not np.array_equal(first.picture, second.picture)


def test_training_and_validation_share_no_picture():
    first, second = draw_image(SMALL, "train", 1), draw_image(SMALL, "validation", 1)
    assert not np.array_equal(first.picture, second.picture)


def test_fear_and_surprise_differ_in_pictures():
    index = {emotion: AFFECTNET_8.index(emotion) for emotion in Emotion}
    fear = draw_image(SMALL, "train", index[Emotion.FEAR]).actions
    surprise = draw_image(SMALL, "train", index[Emotion.SURPRISE]).actions
    assert fear.get("AU20", 0) > 0.2
    assert surprise.get("AU20", 0) == 0


def test_asked_twice_it_draws_once(csv_root):
    before = {p: p.stat().st_mtime_ns for p in csv_root.rglob("*")}
    write_affectnet(csv_root, SMALL)
    assert {p: p.stat().st_mtime_ns for p in csv_root.rglob("*")} == before
    assert json.loads((csv_root / "synthetic_affectnet.json").read_text())["config"]["seed"] == 0


def test_another_config_on_the_same_folder_is_refused(csv_root):
    other = SyntheticAffectNetConfig(num_images=16, num_validation=8, image_px=96, seed=5)
    with pytest.raises(FileExistsError, match=r"seed is 0, not 5"):
        write_affectnet(csv_root, other)


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "training.csv").write_text("the real one\n")
    with pytest.raises(FileExistsError, match="not drawn by emotemporal"):
        write_affectnet(tmp_path, SMALL)
    assert (tmp_path / "training.csv").read_text() == "the real one\n"


def test_broken_off_it_is_drawn_to_its_end(csv_root, tmp_path):
    root = tmp_path / "broken"
    write_affectnet(root, SMALL)
    record = root / "synthetic_affectnet.json"
    record.rename(root / "synthetic_affectnet.unfinished.json")
    next(root.rglob("*.jpg")).unlink()
    (root / "training.csv").unlink()
    write_affectnet(root, SMALL)
    assert _bytes(root) == _bytes(csv_root)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        pytest.param({"num_images": 0}, "num_images is 0", id="nothing-to-draw"),
        pytest.param({"image_px": 8}, "image_px is 8", id="too-small"),
        pytest.param({"min_intensity": 0.05}, "min_intensity is 0.05", id="weaker-than-neutral"),
    ],
)
def test_impossible_configs_are_refused(fields, told):
    with pytest.raises(ValueError, match=told):
        SyntheticAffectNetConfig(**fields)


def test_no_workers_is_refused(tmp_path):
    with pytest.raises(ValueError, match="workers is 0"):
        write_affectnet(tmp_path / "none", SMALL, workers=0)
