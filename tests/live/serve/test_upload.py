"""Files that are handed over: judged as `predict` does, told line by line, and deleted."""

from __future__ import annotations

import csv
import http.client
import io
import json
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.util import get_temp_dir

import pytest

from emotemporal.faces.follow import FollowConfig, Follower, follow
from emotemporal.inference.predictor import StreamPredictor
from emotemporal.live.serve.config import LimitsConfig
from emotemporal.live.sinks.tables import CsvTable
from emotemporal.video.file import VideoFile
from tests.fakes import FakeEngine
from tests.live.serve.serving import HAAR, colour_model, judge, serving, visiting


@pytest.fixture(scope="module")
def port(model):
    with serving(model, limits=LimitsConfig(max_upload_mb=1)) as port:
        yield port


def lines_of(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def _empty_temp(tmp_path, monkeypatch):
    get_temp_dir()  # processes keep theirs for good: not in a folder that goes with this test
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    assert list(tmp_path.glob("emotemporal-*")) == []


@pytest.mark.usefixtures("_empty_temp")
def test_a_film_is_judged_as_predict_does_and_deleted(port, model, tiny_scene):

    status, headers, text = judge(port, "my film.mp4", tiny_scene.read_bytes())
    assert (status, headers["Content-Type"].split(";")[0]) == (200, "application/x-ndjson")
    told = lines_of(text)
    assert [told[0]["type"], told[-1]["type"]] == ["file", "done"]
    faces = [line for line in told if line["type"] == "faces"]
    assert faces[-1]["done"] == told[0]["num_frames"]
    expected = io.StringIO()
    table = CsvTable(expected, model.meta.labels)
    predictor = StreamPredictor(model.engine, model.meta)
    follower = Follower(FollowConfig(HAAR, crop=model.meta.crop))
    with VideoFile(tiny_scene) as video:
        for frame, views in follow(video, follower):
            table.write(predictor.step(sorted(views, key=lambda view: view.track.id), frame.time_s))
    table.write(predictor.finish())
    assert told[0]["csv_header"] + "".join(line["csv"] for line in faces) == expected.getvalue()


@pytest.mark.usefixtures("_empty_temp")
def test_a_picture_is_judged_at_once(port, face_jpeg):
    told = lines_of(judge(port, "photo.JPG", face_jpeg)[2])
    assert [line["type"] for line in told] == ["file", "faces", "done"]
    (judgement,) = told[1]["judgements"]
    assert judgement["shown"] == "neutral"
    assert len(list(csv.DictReader([told[0]["csv_header"], told[1]["csv"]]))) == 1


@pytest.mark.usefixtures("_empty_temp")
def test_a_file_that_cannot_be_judged_is_told_by_its_own_name(port, tiny_scene, tmp_path):
    for name, body in (("half.mp4", tiny_scene.read_bytes()[:9000]), ("no.png", b"nothing")):
        *_, last = lines_of(judge(port, name, body)[2])
        assert last["type"] == "failed"
        assert name in last["reason"]
        assert str(tmp_path) not in last["reason"]


@pytest.mark.usefixtures("_empty_temp")
@pytest.mark.parametrize(
    ("name", "body", "status", "reason"),
    [
        ("notes.txt", b"x", 415, ".txt"),
        ("../../etc/passwd", b"x", 415, "without an ending"),
        ("a.mp4", b"", 400, "empty"),
        ("a.mp4", bytes(1_000_001), 413, "at most 1 MB"),
        ("a.mp4", iter([bytes(600_000)] * 2), 413, "at most 1 MB"),
    ],
)
def test_what_is_no_video_or_too_long_is_refused(port, name, body, status, reason):
    try:
        found, _, text = judge(port, name, body)
    except (BrokenPipeError, ConnectionResetError):  # told before all was sent
        return
    assert found == status
    assert reason in text


def test_cameras_go_on_beside_a_film_and_a_second_is_told_to_wait(
    make_checkpoint, tiny_scene, face_jpeg
):
    begun, gate = threading.Event(), threading.Event()

    class Waiting(FakeEngine):
        def step(self, crops, states):
            if len(crops) > 1:  # of the film's two faces, not the camera's one
                begun.set()
                assert gate.wait(timeout=60)
            return super().step(crops, states)

    model = colour_model(make_checkpoint("frame"))
    slow = colour_model(model.path, Waiting(model.meta.labels))
    limits = LimitsConfig(max_uploads=1)
    with serving(slow, limits=limits) as port, ThreadPoolExecutor(1) as other:
        film = other.submit(judge, port, "film.mp4", tiny_scene.read_bytes())
        assert begun.wait(timeout=60)
        status, headers, reason = judge(port, "photo.jpg", face_jpeg)
        assert (status, headers["Retry-After"]) == (503, "30")
        assert "places for files are taken" in reason
        with visiting(port) as client:
            assert len(client.show(0.0, face_jpeg)["faces"]) == 1
            assert len(client.show(0.2, face_jpeg)["judgements"]) == 2
        gate.set()
        assert lines_of(film.result(timeout=60)[2])[-1]["type"] == "done"
        assert judge(port, "photo.jpg", face_jpeg)[0] == 200


@pytest.mark.usefixtures("_empty_temp")
def test_a_page_that_leaves_in_the_middle_leaves_nothing_behind(make_checkpoint, tiny_scene):
    begun, gate = threading.Event(), threading.Event()

    class Waiting(FakeEngine):
        def step(self, crops, states):
            begun.set()
            assert gate.wait(timeout=60)
            return super().step(crops, states)

    model = colour_model(make_checkpoint("frame"))
    slow = colour_model(model.path, Waiting(model.meta.labels))
    with serving(slow, limits=LimitsConfig(max_uploads=1)) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("POST", "/judge?name=film.mp4", tiny_scene.read_bytes())
        assert begun.wait(timeout=60)
        connection.close()
        gate.set()


def test_a_film_with_huge_frames_is_refused_by_its_header(model, tiny_scene):
    with serving(model, limits=LimitsConfig(max_upload_px=1000)) as port:
        *_, last = lines_of(judge(port, "film.mp4", tiny_scene.read_bytes())[2])
    assert "480 x 240 pixels; at most 1000" in last["reason"]


@pytest.mark.usefixtures("_empty_temp")
def test_an_upload_that_stops_half_way_gives_its_place_away(model, face_jpeg):
    limits = LimitsConfig(max_uploads=1, idle_s=0.3)
    with serving(model, limits=limits) as port:
        slow = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        slow.putrequest("POST", "/judge?name=photo.jpg")
        slow.putheader("Content-Length", str(len(face_jpeg)))
        slow.endheaders()
        slow.send(face_jpeg[:1000])
        answer = slow.getresponse()
        assert (answer.status, answer.read()) == (408, b"nothing more came for 0.3 s")
        slow.close()
        assert judge(port, "photo.jpg", face_jpeg)[0] == 200
