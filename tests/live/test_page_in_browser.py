"""The page of timelines in a real browser: in step with the video, by mouse and by keys."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest

from emotemporal.inference.caution import Caution
from emotemporal.inference.predictor import Judgement
from emotemporal.labels import SAVEE_7, Emotion
from emotemporal.live.sinks.formats import open_tables
from emotemporal.live.sinks.page import PageAbout
from emotemporal.types import Box
from emotemporal.video.write import VideoWriter

browser = pytest.importorskip(
    "tests.live.serve.browser", reason="drives a browser by websockets: the extra 'web'"
)
SAID = Judgement(
    0.0,
    0,
    Box(20, 20, 80, 90, 1),
    np.full(7, 1 / 7),
    np.array([0.1, 0.6, 0.1, 0.05, 0.05, 0.05, 0.05]),
    Emotion.HAPPINESS,
    False,
    False,
    SAVEE_7,
)


@pytest.fixture
def page_file(tmp_path):
    """Three seconds of two faces, one of which turns angry after a second."""
    video = tmp_path / "a film.webm"  # which Chromium plays without licensed codecs
    with VideoWriter(video, 10.0) as writer:
        for i in range(30):
            writer.write(np.full((120, 160, 3), 8 * i, np.uint8))
    about = PageAbout(video.name, SAVEE_7, Caution(), 0.1, video, "a model")
    path = tmp_path / "film.html"
    with ExitStack() as stack:
        (table,) = open_tables({"html": path}, about, stack)
        for i in range(30):
            shown = Emotion.ANGER if i >= 10 else Emotion.HAPPINESS
            table.write([replace(SAID, time_s=i / 10, shown=shown)])
            table.write([replace(SAID, time_s=i / 10, track_id=3)])
    return path


@pytest.fixture
def open_tab(tmp_path):
    chromium = browser.find_chromium()
    if chromium is None:
        pytest.skip("there is no Chromium here")
    return lambda path: browser.open_page(chromium, tmp_path / "profile", path.as_uri(), path)


def key(page, name):
    page.ask(f"document.dispatchEvent(new KeyboardEvent('keydown', {{key: {name!r}}}))")


NOW = "Math.round(10 * document.getElementById('video').currentTime)"
SAYS = "[...document.querySelectorAll('.lane .now')].map(now => now.textContent)"


@pytest.mark.slow
def test_timelines_and_video_go_together(page_file, open_tab):
    with open_tab(page_file) as page:
        page.wait_for("!document.getElementById('stage').hidden")
        assert page.ask("document.querySelectorAll('.lane').length") == 2
        assert page.ask(SAYS) == ["happiness", "happiness"]
        key(page, "ArrowRight")
        page.wait_for(f"{NOW} == 10")
        assert page.wait_for(SAYS) == ["anger", "happiness"]
        key(page, "ArrowUp")
        page.wait_for(f"{NOW} == 0")
        key(page, "ArrowDown")
        page.wait_for(f"{NOW} == 10")
        page.ask(
            "(() => { const box = document.querySelector('.lane canvas').getBoundingClientRect();"
            "document.getElementById('lanes').dispatchEvent(new PointerEvent('pointermove', {"
            "clientX: box.left + box.width * 2 / 3, buttons: 1})) })()"
        )
        page.wait_for(f"{NOW} == 20")
        lanes = "document.getElementById('lanes').getAttribute"
        assert page.ask(f"{lanes}('aria-valuetext')") == "00:02.0"
        assert "face 0 anger" in page.ask("document.getElementById('said').textContent")
        page.ask("document.getElementById('theme').click()")
        assert not page.complaints


@pytest.mark.slow
def test_without_its_video_the_timelines_play_alone(page_file, open_tab):
    (page_file.parent / "a film.webm").unlink()
    with open_tab(page_file) as page:
        page.wait_for("!document.getElementById('trouble').hidden")
        assert "a film.webm was not found" in page.ask(
            "document.getElementById('reason').textContent"
        )
        key(page, "End")
        assert page.ask(SAYS) == ["anger", "happiness"]
        key(page, " ")
        page.wait_for("document.getElementById('clock').textContent.startsWith('00:00.')")
        page.wait_for("document.getElementById('clock').textContent.startsWith('00:01.')")
