"""The page's files, what it asks for, and files that are handed over."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import ssl
import subprocess
from importlib.resources import files

import pytest
from websockets.sync.client import connect

from emotemporal.inference.card import read_card
from emotemporal.live.serve.config import LimitsConfig
from emotemporal.live.serve.controls import offered, to_smoothing
from emotemporal.live.serve.messages import Choice
from emotemporal.weights import SHIPPED_NAME, SHIPPED_SMOOTHING_NAME, shipped_file
from tests.live.serve.serving import ask, judge, serving

TOKEN = "a-token-of-enough-letters"


@pytest.fixture(scope="module")
def port(model):
    with serving(model, limits=LimitsConfig(max_upload_mb=1)) as port:
        yield port


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
