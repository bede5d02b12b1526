from __future__ import annotations

import csv
import io
from dataclasses import replace

import cv2
import numpy as np
import pytest

from emotemporal.inference.predictor import Judgement
from emotemporal.labels import SAVEE_7, Emotion
from emotemporal.live.files import growing_file
from emotemporal.live.recording import Recording
from emotemporal.live.tables import CsvTable
from emotemporal.live.window import Window, has_display
from emotemporal.types import Box
from emotemporal.video.file import VideoFile

JUDGEMENT = Judgement(
    0.1,
    3,
    Box(1.25, 2, 30, 40, 0.9),
    np.linspace(0, 0.25, 7),
    np.full(7, 1 / 7),
    Emotion.FEAR,
    False,
    True,
    SAVEE_7,
)
BLACK, WHITE = np.zeros((48, 64, 3), np.uint8), np.full((48, 64, 3), 255, np.uint8)


def test_the_table_names_its_columns_by_emotion():
    out = io.StringIO()
    CsvTable(out, SAVEE_7).write([JUDGEMENT, replace(JUDGEMENT, shown=None, is_warm_up=True)])
    one, two = csv.DictReader(out.getvalue().splitlines())
    assert list(one) == [
        *("time_s", "track_id", "x1", "y1", "x2", "y2"),
        *(f"raw_{name}" for name in SAVEE_7.names),
        *(f"smoothed_{name}" for name in SAVEE_7.names),
        *("shown", "is_warm_up", "is_uncertain"),
    ]
    assert (one["time_s"], one["track_id"], one["x1"]) == ("0.100000", "3", "1.25")
    assert (one["raw_anger"], one["smoothed_fear"]) == ("0.2500000", "0.1428571")
    assert (one["shown"], one["is_warm_up"], one["is_uncertain"]) == ("fear", "0", "1")
    assert (two["shown"], two["is_warm_up"]) == ("", "1")


def test_a_table_of_several_files_names_the_source():
    out = io.StringIO()
    CsvTable(out, SAVEE_7, has_source=True).write([JUDGEMENT], "a, b.mp4")
    (row,) = csv.DictReader(out.getvalue().splitlines())
    assert row["source"] == "a, b.mp4"


def test_a_growing_file_has_its_name_once_it_is_whole(tmp_path):
    path = tmp_path / "table.csv"
    with growing_file(path) as file:
        file.write("one\n")
        assert not path.exists()
    assert path.read_text() == "one\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_growing_file_left_with_an_error_leaves_what_was_there(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    growing = growing_file(path)
    growing.__enter__().write("half")
    error = RuntimeError()
    assert not growing.__exit__(type(error), error, None)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_growing_file_needs_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"), growing_file(tmp_path / "a/b"):
        pass


def test_a_recording_of_a_file_has_every_picture(tmp_path):
    with Recording(tmp_path / "out.mp4", 12.5) as recording:
        for i in range(7):
            recording.write(WHITE if i % 2 else BLACK, 17.0 * i)
    with VideoFile(tmp_path / "out.mp4") as video:
        assert video.info.num_frames == 7
        assert video.info.frame_rate_hz == pytest.approx(12.5)


def test_a_recording_of_a_camera_runs_as_fast_as_life(tmp_path):
    # Ten pictures a second for one second, then a pause of one.
    times_s = [*np.arange(11) / 10, 2.0]
    with Recording(tmp_path / "out.mp4", None) as recording:
        for time_s in times_s:
            recording.write(WHITE if time_s == 2 else BLACK, time_s)
    with VideoFile(tmp_path / "out.mp4") as video:
        assert video.info.duration_s == pytest.approx(2.0, abs=0.1)
        levels = [frame.image.mean() for frame in video]
    assert max(levels[:-1]) < 50 < levels[-1]


def test_a_recording_left_with_an_error_leaves_nothing(tmp_path):
    recording = Recording(tmp_path / "out.mp4", None).__enter__()
    recording.write(BLACK, 0.0)
    recording.write(BLACK, 1.0)
    recording.__exit__(RuntimeError)
    assert list(tmp_path.iterdir()) == []


class FakeGui:
    """A window that is seen `visible` times, with these keys pressed."""

    def __init__(self, keys=(), visible=1000):
        self._keys, self._visible = list(keys), visible
        self.shown, self.is_open = [], False

    def namedWindow(self, title, flags):  # noqa: N802
        self.is_open = True

    def imshow(self, title, picture):
        self.shown.append(picture)

    def waitKey(self, delay_ms):  # noqa: N802
        return self._keys.pop(0) if self._keys else -1

    def getWindowProperty(self, title, which):  # noqa: N802
        return float(len(self.shown) < self._visible)

    def destroyWindow(self, title):  # noqa: N802
        assert self.is_open
        self.is_open = False


def test_a_window_shows_bgr_for_that_is_what_opencv_takes():
    gui = FakeGui()
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 255
    with Window("test", gui) as window:
        window.write(red)
    assert gui.shown[0][0, 0].tolist() == [0, 0, 255]
    assert not gui.is_open


@pytest.mark.parametrize("key", [ord("q"), 27, 0x100000 + ord("q")], ids=["q", "escape", "flags"])
def test_a_key_closes_the_window(key):
    gui = FakeGui(keys=[-1, key])
    with Window("test", gui) as window:
        window.write(BLACK)
        assert not window.is_closed
        window.write(BLACK)
        assert window.is_closed
    assert not gui.is_open


def test_the_button_closes_the_window():
    with Window("test", FakeGui(visible=1)) as window:
        window.write(BLACK)
        assert window.is_closed


def test_the_gui_of_opencv_has_what_a_window_needs():
    names = [name for name in vars(FakeGui) if not name.startswith("_")]
    assert all(hasattr(cv2, name) for name in names)


@pytest.mark.parametrize(
    ("platform", "display", "expected"),
    [("linux", "", False), ("linux", ":0", True), ("darwin", "", True), ("win32", "", True)],
)
def test_a_display_is_recognised(monkeypatch, platform, display, expected):
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert has_display() is expected
