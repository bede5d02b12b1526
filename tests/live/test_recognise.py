from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest

from emotemporal.faces.detect import DetectorConfig
from emotemporal.live import RecogniseConfig, Recogniser, recognise
from emotemporal.live.sinks.tables import columns
from emotemporal.types import Frame
from emotemporal.video.file import VideoFile


@pytest.fixture
def config(tiny_checkpoint):
    return RecogniseConfig(str(tiny_checkpoint), detector=DetectorConfig("haar"))


@pytest.fixture
def pixels(tiny_scene):
    with VideoFile(tiny_scene) as video:
        return video.read(range(video.info.num_frames)).frames


def plain(judgements):
    return [(round(j.time_s, 6), j.track_id, j.shown, *np.round(j.smoothed, 6)) for j in judgements]


def test_path_pixels_and_frames_give_the_same(config, tiny_scene, pixels):
    recogniser = Recogniser(config)
    of_path = plain(recogniser(tiny_scene))
    assert len({row[1] for row in of_path}) >= 2
    assert plain(recogniser(str(tiny_scene))) == of_path
    with VideoFile(tiny_scene) as frames:
        assert plain(recogniser(frames)) == of_path
    # Times of a container are rounded, so of pixels only what they are given is expected.
    frames = [Frame(image, i / 15, i) for i, image in enumerate(pixels)]
    assert plain(recogniser(pixels, frame_rate_hz=15)) == plain(recogniser(frames))


def test_a_recognition_starts_anew_each_time(config, tiny_scene):
    recognition = recognise(tiny_scene, config)
    first = next(iter(recognition))
    assert plain([first]) == plain(recognition)[:1]
    assert recognition.labels == recognition.recogniser.labels


def test_an_image_is_judged_as_it_is(config, pixels, tmp_path):
    image = pixels[20]
    judgements = list(recognise(image, config))
    assert len(judgements) >= 2
    assert not any(judgement.is_warm_up for judgement in judgements)
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), image[..., ::-1])
    assert plain(recognise(path, config)) == plain(judgements)


def test_a_frame_has_the_columns_of_the_tables(config, tiny_scene):
    recognition = recognise(tiny_scene, config)
    frame = recognition.to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == columns(recognition.labels)
    assert len(frame) == len(list(recognition))
    assert recognise(np.zeros((40, 40, 3), np.uint8), config).to_frame().empty


@pytest.mark.parametrize(
    ("source", "rate_hz", "complaint"),
    [
        (np.zeros((3, 40, 40, 3), np.uint8), None, "need one"),
        (np.zeros((40, 40, 3), np.uint8), 25.0, "have none"),
        (np.zeros((40, 40, 3)), None, "uint8"),
        (np.zeros((40, 40), np.uint8), None, "uint8"),
        (np.zeros((3, 40, 40, 3), np.uint8), 0.0, "above 0"),
        ("film.mp4", 25.0, "their own times"),
    ],
)
def test_pixels_that_cannot_be_meant_are_refused(config, source, rate_hz, complaint):
    with pytest.raises(ValueError, match=complaint):
        recognise(source, config, rate_hz)


def test_a_wrong_config_is_refused():
    with pytest.raises(ValueError, match="max_faces is 0"):
        RecogniseConfig(max_faces=0)


def test_small_faces_and_all_but_the_nearest_can_be_left_out(config, tiny_scene):
    everybody = {judgement.track_id for judgement in recognise(tiny_scene, config)}
    nearest = list(recognise(tiny_scene, replace(config, faces="nearest")))
    assert len({judgement.track_id for judgement in nearest}) < len(everybody)
    assert list(recognise(tiny_scene, replace(config, min_face_px=1000.0))) == []
