"""The page's files, what it asks for, and files that are handed over."""

from __future__ import annotations

import csv
import http.client
import io
import json
import re
import shutil
import ssl
import subprocess
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from urllib.parse import quote

import pytest
from websockets.sync.client import connect

from emotemporal.inference.card import read_card
from emotemporal.live.serve.config import LimitsConfig
from emotemporal.live.serve.controls import offered, to_smoothing
from emotemporal.live.serve.messages import Choice
from emotemporal.weights import SHIPPED_NAME, SHIPPED_SMOOTHING_NAME, shipped_file
from tests.fakes import FakeEngine
from tests.live.serve.serving import colour_model, serving, visiting

TOKEN = "a-token-of-enough-letters"


@pytest.fixture(scope="module")
def port(model):
    with serving(model, limits=LimitsConfig(max_upload_mb=1)) as port:
        yield port


def ask(port, path, method="GET", body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def judge(port, name, body, **headers):
    return ask(port, f"/judge?name={quote(name)}", "POST", body, **headers)


def page_files():
    return {
        file.name: file.read_text() for file in (files("emotemporal.live.serve") / "page").iterdir()
    }


def test_the_page_says_what_is_done_before_it_asks_for_a_camera(port):
    status, headers, page = ask(port, "/")
    assert status == 200
    intro = page[page.index('id="intro"') : page.index('id="start"')]
    for promise in (
        "Nothing is kept",
        "annotators",
        "not what somebody feels",
        "workplaces",
        "consent",
    ):
        assert promise in intro, promise
    assert headers["Cache-Control"] == "no-store"
    assert "server" not in headers


def test_the_page_brings_all_it_needs_and_may_load_nothing_else(port):
    for name, text in page_files().items():
        foreign = set(re.findall(r"https?://[\w.]+", text)) - {"http://www.w3.org"}
        assert not foreign, name
        assert not re.search(r"\son\w+=|style=\"|javascript:|innerHTML", text), name
        path = "/" if name == "page.html" else f"/{name}"
        status, headers, sent = ask(port, path)
        assert (status, sent) == (200, text), name
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_every_id_that_a_script_asks_for_is_on_the_page():
    told = page_files()
    ids = set(re.findall(r'id="([\w-]+)"', told["page.html"]))
    for name, text in told.items():
        assert set(re.findall(r'\$\("([\w-]+)"\)', text)) <= ids, name


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:80", "Origin": "http://evil.example:80"}, 403),
        ({"Host": "[::bad"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 200),
        ({"Host": "localhost"}, 200),
        ({"Host": "192.168.1.7:8765", "Origin": "https://192.168.1.7:8765"}, 200),
    ],
)
def test_foreign_names_and_pages_are_kept_out(port, headers, status):
    assert ask(port, "/about", **headers)[0] == status


def test_a_proxys_name_is_known_where_it_is_told(model):
    with serving(model, TOKEN, allowed_hosts="faces.example.org") as port:
        told = {"Host": "faces.example.org", "Authorization": f"Bearer {TOKEN}"}
        assert ask(port, "/about", **told)[0] == 200
        assert ask(port, "/about", Host="faces.example.org")[0] == 401
        assert (
            ask(port, "/about", **told | {"Authorization": "Bearer a-token-of-other-letters"})[0]
            == 401
        )
        assert ask(port, "/", Host="faces.example.org")[0] == 200  # the page is no secret
        assert judge(port, "a.jpg", b"x", Host="faces.example.org")[0] == 401


def test_the_page_learns_labels_and_controls(port, model):
    about = json.loads(ask(port, "/about")[2])
    assert [label["label"] for label in about["labels"]] == list(model.meta.labels.names)
    assert about["controls"][0]["name"] == "start"
    assert about["machine"]


def test_every_control_is_taken_at_both_its_ends():
    from emotemporal.inference.smoothing import SmoothingConfig, build_smoother
    from emotemporal.models.meta import read_meta

    meta = read_meta(shipped_file(SHIPPED_NAME))
    card = read_card(shipped_file(SHIPPED_SMOOTHING_NAME), meta)
    start = SmoothingConfig(name="ema")
    assert [control.name for control in offered(None)].count("auto") == 0
    for control in offered(card):
        for value in (control.low, control.value, control.high):
            build_smoother(to_smoothing(Choice(control.name, value), card, start))
    fast, steady = (
        card.steadiest_within(value)
        for c in offered(card)
        if c.name == "auto"
        for value in (c.low, c.high)
    )
    assert fast.tuned.median_lag_s < steady.tuned.median_lag_s


def lines_of(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def _empty_temp(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    assert list(tmp_path.glob("emotemporal-*")) == []


@pytest.mark.usefixtures("_empty_temp")
def test_a_film_is_judged_as_predict_does_and_deleted(port, model, tiny_scene):
    from emotemporal.faces.follow import FollowConfig, Follower, follow
    from emotemporal.inference.predictor import StreamPredictor
    from emotemporal.live.tables import CsvTable
    from emotemporal.video.file import VideoFile
    from tests.live.serve.serving import HAAR

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


def test_a_certificate_makes_it_https(model, tmp_path):
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl command is here to make a certificate with")
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=own"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run([openssl, *words, *names], check=True, capture_output=True)
    trust = ssl.create_default_context(cafile=cert)
    with serving(model, certfile=str(cert), keyfile=str(key)) as port:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=60, context=trust)
        connection.request("GET", "/", headers={"Origin": f"https://127.0.0.1:{port}"})
        assert connection.getresponse().status == 200
        connection.close()
        address = f"wss://127.0.0.1:{port}/camera"
        with connect(address, ssl=trust, origin=f"https://127.0.0.1:{port}") as socket:
            assert json.loads(socket.recv(timeout=60))["type"] == "ready"
