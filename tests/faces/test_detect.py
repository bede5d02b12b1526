from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import pytest

from emotemporal.faces import detect
from emotemporal.faces.crop import CropConfig
from emotemporal.faces.detect import (
    DetectorConfig,
    HaarDetector,
    YuNetDetector,
    build_detector,
    find_yunet,
)
from emotemporal.video.file import VideoFile


@pytest.fixture
def no_yunet(monkeypatch, tmp_path):
    monkeypatch.delenv("EMOTEMPORAL_YUNET", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "emotemporal"


@pytest.fixture
def yunet_file() -> Path:
    name = os.environ.get("EMOTEMPORAL_YUNET")
    if not name:
        pytest.skip("EMOTEMPORAL_YUNET names no file")
    return Path(name)


def test_auto_is_haar_without_yunets_file_and_says_so(no_yunet, caplog):
    with caplog.at_level(logging.INFO):
        assert build_detector(DetectorConfig()).name == "haar"
    assert "no YuNet file" in caplog.text


def test_asked_for_by_name_yunet_must_be_there(no_yunet):
    with pytest.raises(FileNotFoundError, match="EMOTEMPORAL_YUNET"):
        build_detector(DetectorConfig(name="yunet"))


def test_a_wrong_name_for_yunets_file_is_told_and_not_passed_over(no_yunet, tmp_path):
    with pytest.raises(FileNotFoundError, match="no such YuNet file"):
        build_detector(DetectorConfig(yunet_file=str(tmp_path / "none.onnx")))


def test_a_file_that_is_not_yunet_is_refused(no_yunet, tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"something else")
    with pytest.raises(ValueError, match="SHA-256"):
        build_detector(DetectorConfig(yunet_file=str(tmp_path / "a.onnx")))


def test_the_option_goes_before_the_environment_and_that_before_the_cache(no_yunet, monkeypatch):
    no_yunet.mkdir(parents=True)
    cached = no_yunet / "face_detection_yunet_2023mar.onnx"
    cached.write_bytes(b"")
    assert find_yunet(DetectorConfig()) == cached
    monkeypatch.setenv("EMOTEMPORAL_YUNET", "env.onnx")
    assert find_yunet(DetectorConfig()) == Path("env.onnx")
    assert find_yunet(DetectorConfig(yunet_file="opt.onnx")) == Path("opt.onnx")


def test_nothing_is_found_in_a_flat_picture():
    assert HaarDetector(DetectorConfig())(np.full((120, 160, 3), 90, np.uint8)) == []


@pytest.mark.parametrize("field", ["yunet_width_px", "haar_width_px", "haar_neighbours"])
def test_impossible_settings_are_refused(field):
    with pytest.raises(ValueError, match=field):
        DetectorConfig(**{field: 0})


def test_a_box_inside_another_is_no_second_face():
    outer = detect.Box(0, 0, 100, 100, 5.0)
    boxes = detect._drop_nested([detect.Box(30, 30, 60, 60, 1.0), outer])
    assert boxes == [outer]


def test_on_a_real_face_the_width_of_the_search_does_not_move_the_box(test_data, yunet_file):
    with VideoFile(test_data / "clips" / "single_face.mp4") as video:
        image = video.read([30]).frames[0]
    boxes = [
        YuNetDetector(DetectorConfig(yunet_width_px=width), yunet_file)(image)
        for width in (320, 640)
    ]
    assert len(boxes[0]) == len(boxes[1]) == 1
    a, b = boxes[0][0], boxes[1][0]
    assert abs(a.x1 - b.x1) < 0.1 * b.height_px
    assert abs(a.height_px - b.height_px) < 0.12 * b.height_px


def test_haar_and_yunet_give_one_face_the_same_crop(test_data, yunet_file):
    maps = CropConfig().maps
    detectors = (HaarDetector(DetectorConfig()), YuNetDetector(DetectorConfig(), yunet_file))
    with VideoFile(test_data / "clips" / "woman_talking.mp4") as video:
        images = video.read(range(0, 400, 40)).frames
    squares = []
    for image in images:
        row = []
        for detector in detectors:
            (box,) = detector(image)
            crop_map = maps[detector.name]
            y = (box.y1 + box.y2) / 2 + crop_map.shift_y * box.height_px
            row.append([(box.x1 + box.x2) / 2, y, crop_map.scale * box.height_px])
        squares.append(row)
    haar, yunet = np.median(squares, axis=0)
    assert abs(haar - yunet).max() < 0.08 * yunet[2]
