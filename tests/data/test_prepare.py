from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from emotemporal.data.prepare import (
    PrepareConfig,
    PrepareError,
    PrepareJobConfig,
    load_prepared,
    prepare,
    prepare_dataset,
)
from emotemporal.data.readers import DatasetConfig
from emotemporal.data.table import DatasetTable, Problem, make_table
from emotemporal.faces.crop import CropConfig
from emotemporal.faces.detect import DetectorConfig
from emotemporal.faces.follow import FollowConfig
from emotemporal.labels import Emotion
from emotemporal.synthetic.faces import draw_face
from emotemporal.synthetic.head import Pose
from emotemporal.synthetic.identity import sample_identity
from emotemporal.synthetic.skin import Light

CONFIG = PrepareConfig(
    follow=FollowConfig(detector=DetectorConfig(name="haar"), crop=CropConfig(size_px=32))
)


def _write_video(path: Path, seed: int, num_frames: int = 12, has_face: bool = True) -> None:
    identity = sample_identity(np.random.default_rng(seed))
    writer = cv2.VideoWriter(
        str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (160, 128)
    )
    for index in range(num_frames):
        picture = np.full((256, 320, 3), 120, np.uint8)
        if has_face:
            draw_face(picture, identity, {}, Pose(160 + index, 120, 60), Light())
        small = cv2.resize(picture, (160, 128), interpolation=cv2.INTER_AREA)
        writer.write(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
    writer.release()


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("videos")
    (root / "DC").mkdir()
    for number in range(1, 5):
        _write_video(root / "DC" / f"a{number}.avi", seed=number)
    _write_video(root / "DC" / "empty.avi", seed=0, has_face=False)
    data = (root / "DC" / "a1.avi").read_bytes()
    (root / "DC" / "cut.avi").write_bytes(data[: len(data) // 2])
    return root


def _table(root: Path, *names: str, **more: object) -> DatasetTable:
    records = [
        {"path": f"DC/{name}.avi", "emotion": "anger", "subject": "01", "source_row": i, **more}
        for i, name in enumerate(names)
    ]
    return make_table("mine", root, "videos", records)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def test_videos_become_clips_of_faces(videos, tmp_path):
    report = prepare(_table(videos, "a1", "a2"), tmp_path / "out", CONFIG)
    assert (report.num_videos, report.num_clips, report.failures) == (2, 2, [])
    prepared = load_prepared(tmp_path / "out")
    clip = prepared.load(1)
    assert clip.crops.shape == (12, 32, 32, 3)
    np.testing.assert_allclose(clip.times_s, np.arange(12) / 25, atol=1e-3)
    assert (clip.subject, clip.source) == ("01", "DC/a2.avi")
    (target,) = clip.targets
    assert (target.emotion, target.start_s) == (Emotion.ANGER, 0.0)
    assert target.end_s == pytest.approx(12 / 25, abs=1e-3)
    assert (prepared.crop, prepared.detector) == (CONFIG.follow.crop, "haar")
    row = prepared.rows.iloc[0]
    assert (row["num_frames"], row["detected_share"], row["split"]) == (12, 1.0, "")


def test_who_is_shown_goes_with_the_clip_as_text(videos, tmp_path):
    records = [{"path": f"DC/a{i}.avi", "emotion": "anger", "age": f"0{i}0"} for i in (1, 2)]
    table = make_table("mine", videos, "videos", records, groups=("age", "skin"))
    prepare(table, tmp_path / "out", CONFIG)
    rows = load_prepared(tmp_path / "out").rows
    assert rows["age"].tolist() == ["010", "020"]
    assert rows["skin"].tolist() == ["", ""]


def test_killed_and_run_again_it_ends_with_the_same_bytes(videos, tmp_path):
    table = _table(videos, "a1", "a2", "a3")
    prepare(table, tmp_path / "whole", CONFIG)
    # What a kill after the first video leaves: its clip and record, and no table.
    prepare(table, tmp_path / "killed", CONFIG)
    for row in sorted((tmp_path / "killed" / "rows").iterdir())[1:]:
        row.unlink()
    (tmp_path / "killed" / "clips.csv").unlink()
    record = json.loads((tmp_path / "killed" / "prepare.json").read_text())
    told = {k: v for k, v in record.items() if k not in ("clips_digest", "failures")}
    (tmp_path / "killed" / "prepare.json").write_text(json.dumps(told | {"is_complete": False}))
    with pytest.raises(FileNotFoundError, match="was not finished"):
        load_prepared(tmp_path / "killed")
    report = prepare(table, tmp_path / "killed", CONFIG)
    assert report.num_resumed == 1
    assert _bytes(tmp_path / "killed") == _bytes(tmp_path / "whole")


@pytest.mark.slow
def test_several_workers_write_the_same_bytes_as_one(videos, tmp_path):
    table = _table(videos, "a1", "a2", "a3")
    prepare(table, tmp_path / "one", CONFIG)
    prepare(table, tmp_path / "two", CONFIG, workers=2)
    assert _bytes(tmp_path / "one") == _bytes(tmp_path / "two")


def test_failures_are_listed_with_reasons_and_bounded(videos, tmp_path):
    table = _table(videos, "a1", "a2", "cut", "empty")
    with pytest.raises(PrepareError, match="2 of 4 videos failed") as caught:
        prepare(table, tmp_path / "out", CONFIG)
    assert "truncated" in str(caught.value)
    with pytest.raises(FileNotFoundError, match="not finished"):
        load_prepared(tmp_path / "out")
    report = prepare(table, tmp_path / "out", replace(CONFIG, max_bad_share=0.5))
    assert [path for path, _ in report.failures] == ["DC/cut.avi", "DC/empty.avi"]
    assert "no face was found" in report.failures[1][1]
    told = json.loads((tmp_path / "out" / "prepare.json").read_text())["failures"]
    assert [item["path"] for item in told] == ["DC/cut.avi", "DC/empty.avi"]
    assert len(load_prepared(tmp_path / "out")) == 2


def test_of_several_faces_too_a_video_without_one_is_a_failure(videos, tmp_path):
    config = replace(CONFIG, faces="all", max_bad_share=0.5)
    report = prepare(_table(videos, "a1", "empty"), tmp_path / "out", config)
    assert [path for path, _ in report.failures] == ["DC/empty.avi"]


def test_a_missing_video_is_a_failure_by_name(videos, tmp_path):
    table = _table(videos, "a1", "none")
    report = prepare(table, tmp_path / "out", replace(CONFIG, max_bad_share=0.5))
    assert report.failures[0][0] == "DC/none.avi"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"faces": "all"}, "faces was main, is all"),
        ({"follow": replace(CONFIG.follow, crop=CropConfig(size_px=48))}, "follow was"),
    ],
)
def test_another_config_on_the_same_folder_is_refused(videos, tmp_path, change, told):
    table = _table(videos, "a1")
    prepare(table, tmp_path / "out", CONFIG)
    with pytest.raises(ValueError, match=told):
        prepare(table, tmp_path / "out", replace(CONFIG, **change))
    with pytest.raises(ValueError, match="data_fingerprint was"):
        prepare(_table(videos, "a2"), tmp_path / "out", CONFIG)


def test_a_row_may_be_a_part_of_its_video(videos, tmp_path):
    table = _table(videos, "a1", start_s=0.1, end_s=0.3)
    prepare(table, tmp_path / "out", CONFIG)
    times_s = load_prepared(tmp_path / "out").load(0).times_s
    np.testing.assert_allclose(times_s, [0.12, 0.16, 0.2, 0.24, 0.28], atol=1e-3)


def test_a_data_set_of_images_is_refused_before_it_is_read(tmp_path):
    data = DatasetConfig("ferplus", str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match=r"ferplus is made of images.*'pretrain'"):
        prepare_dataset(PrepareJobConfig(data, str(tmp_path / "out")))


def test_a_folder_that_nothing_was_prepared_in_is_told_with_what_makes_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"is not there\. 'emotemporal prepare' makes one"):
        load_prepared(tmp_path)


def test_images_and_unusable_tables_are_refused_before_any_work(videos, tmp_path):
    table = _table(videos, "a1")
    with pytest.raises(ValueError, match="only videos are prepared"):
        prepare(replace(table, kind="images"), tmp_path / "out", CONFIG)
    broken = replace(table, problems=(Problem("s1.avi", "no such code", "Rename it.", True),))
    with pytest.raises(ValueError, match=r"s1\.avi: no such code"):
        prepare(broken, tmp_path / "out", CONFIG)
    assert not (tmp_path / "out").exists()


def test_a_damaged_clip_and_a_changed_table_are_told(videos, tmp_path):
    prepare(_table(videos, "a1"), tmp_path / "out", CONFIG)
    prepared = load_prepared(tmp_path / "out")
    file = tmp_path / "out" / str(prepared.rows["file"].iloc[0])
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(data)
    with pytest.raises(ValueError, match="damaged"):
        prepared.load(0)
    with (tmp_path / "out" / "clips.csv").open("a") as table:
        table.write("more\n")
    with pytest.raises(ValueError, match="was changed"):
        load_prepared(tmp_path / "out")
