"""The page in a real browser without a window, with a film for a camera."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from emotemporal.inference.load import load_model
from emotemporal.video.file import VideoFile
from tests.live.serve.browser import find_chromium, open_page, write_y4m
from tests.live.serve.serving import colour_model, serving, visiting
from tests.live.serve.test_camera import TOKEN

pytestmark = pytest.mark.slow
LIVE = "document.getElementById('state-words').textContent === 'live'"
READY = "document.getElementById('start')?.disabled === false"
JUDGED = "document.getElementById('state-words').textContent.startsWith('judged')"
MS_TO_LABEL = """performance.getEntriesByName('labelled')[0].startTime
    - performance.getEntriesByName('permitted')[0].startTime"""


@pytest.fixture(scope="module")
def chromium():
    found = find_chromium()
    if found is None:
        pytest.skip("no Chromium or Chrome is installed; the page is not tried in a browser")
    return found


@pytest.fixture(scope="module")
def clip(tiny_scene):
    """A real clip where there are some, else a drawn one."""
    folder = Path(os.environ.get("EMOTEMPORAL_TEST_DATA", "")) / "clips"
    real = folder / "WolfgangLanger_Pexels.mp4"
    return real if real.is_file() else tiny_scene


@pytest.fixture(scope="module")
def film(clip, tmp_path_factory):
    """Its first three seconds, as the fake camera takes them."""
    path = tmp_path_factory.mktemp("camera") / "camera.y4m"
    with VideoFile(clip) as video:
        rate_hz = round(video.info.frame_rate_hz)
        count = min(video.info.num_frames, 3 * rate_hz)
        write_y4m(path, video.read(range(count)).frames, rate_hz)
    return path


def text_of(page, name):
    return page.ask(f"document.getElementById('{name}').textContent")


def test_a_label_is_shown_soon_after_permission_beside_seven_others(
    chromium, clip, film, scene_of, tmp_path, record_property, capsys
):
    with ExitStack() as stack:
        port = stack.enter_context(serving(load_model()))
        others = [stack.enter_context(visiting(port)) for _ in range(7)]
        page = stack.enter_context(open_page(chromium, tmp_path, f"http://127.0.0.1:{port}/", film))
        page.resize(1280, 860)
        page.wait_for(READY)
        assert page.ask("document.getElementById('video').srcObject === null")  # not yet asked for
        assert page.ask("document.activeElement.id") == ""
        page.press("Tab")
        assert page.ask("document.activeElement.id") == "start"
        page.press("Enter")
        page.wait_for("performance.getEntriesByName('labelled').length > 0")
        took_ms = page.ask(MS_TO_LABEL)
        record_property("ms_from_permission_to_label", took_ms)
        with capsys.disabled():
            sys.stdout.write(f"\nfrom permission to the first label: {took_ms:.0f} ms\n")
        assert page.ask("document.activeElement.id") == "stop"
        # The others see their own scene, in another picture's place, while the page goes on.
        for i in range(4):
            for number, other in enumerate(others):
                jpeg, centre, _ = scene_of(number)
                (face,) = other.show(0.1 * i, jpeg)["faces"]
                x1, _, x2, _ = face["box"]
                assert (x1 + x2) / 2 == pytest.approx(centre[0], abs=0.03)
        page.wait_for("document.getElementById('said').textContent.startsWith('Face 1: ')")
        page.wait_for("document.getElementById('figures').childElementCount === 3")
        assert page.wait_for("!document.getElementById('save').disabled")
        drawn = """(() => { const c = document.getElementById('overlay');
            const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
            return d.some((value, i) => i % 4 === 3 && value > 0); })()"""
        page.wait_for(drawn)
        page.ask("""(() => { const s = document.getElementById('smoother');
            s.value = 'none'; s.dispatchEvent(new Event('change')); })()""")
        for width in (360, 768, 1280):
            page.resize(width, 740)
            assert page.ask("document.documentElement.scrollWidth") <= width
        page.ask("document.getElementById('stop').click()")
        page.choose_file("#file", clip)
        page.wait_for(
            "document.getElementById('state-words').textContent.startsWith('judged')", 120
        )
        assert page.ask("document.getElementById('faces').childElementCount") >= 1
        assert page.complaints == []


def test_the_page_says_why_it_is_not_let_in_and_goes_on_once_it_is(
    chromium, film, make_checkpoint, tmp_path
):
    model = colour_model(make_checkpoint("frame"))
    with serving(model, TOKEN) as port, ExitStack() as stack:
        page = stack.enter_context(open_page(chromium, tmp_path, f"http://127.0.0.1:{port}/", film))
        page.wait_for("!document.getElementById('token-form').hidden")
        for word, shown in (("x" * 20, "That is not the token."), (TOKEN, "")):
            page.ask(f"document.getElementById('token').value = '{word}'")
            page.ask("document.getElementById('token-form').requestSubmit()")
            if shown:
                page.wait_for(f"document.getElementById('notice').textContent === '{shown}'")
        page.wait_for(READY)
        words = ["emotemporal", f"token.{TOKEN}"]
        eight = [stack.enter_context(visiting(port, subprotocols=words)) for _ in range(8)]
        page.ask("document.getElementById('start').click()")
        page.wait_for("document.getElementById('notice').textContent.includes('all 8 places')")
        assert not page.ask("document.getElementById('intro').hidden")
        eight[0].socket.close()
        page.ask("document.getElementById('start').click()")
        page.wait_for(LIVE)


def test_the_link_brings_the_token_and_leaves_it_out_of_the_address(
    chromium, film, make_checkpoint, tmp_path
):
    with (
        serving(colour_model(make_checkpoint("frame")), TOKEN) as port,
        open_page(chromium, tmp_path, f"http://127.0.0.1:{port}/#token={TOKEN}", film) as page,
    ):
        page.wait_for(READY)
        assert TOKEN not in page.ask("location.href")
        page.go(f"http://127.0.0.1:{port}/")
        page.wait_for(READY)


def test_y4m_is_what_the_standard_says(tmp_path):
    path = tmp_path / "a.y4m"
    write_y4m(path, [np.full((4, 7, 3), 255, np.uint8)] * 2, 25)
    content = path.read_bytes()
    assert content.startswith(b"YUV4MPEG2 W6 H4 F25:1 Ip A1:1 C420jpeg\nFRAME\n")
    assert content.count(b"FRAME\n") == 2
    assert len(content) == content.index(b"FRAME") + 2 * (6 + 6 * 4 * 3 // 2)
