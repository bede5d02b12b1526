from __future__ import annotations

import csv
import io
import shutil
from dataclasses import replace
from datetime import datetime

import cv2
import numpy as np
import pytest

from emotemporal.inference.pick import describe
from emotemporal.inference.predictor import Judgement, StreamPredictor
from emotemporal.inference.smoothing import SmoothingConfig
from emotemporal.labels import SAVEE_7, Emotion
from emotemporal.live.captures import Pictures
from emotemporal.live.outputs import Controls, LiveOutputs
from emotemporal.live.overlay.status import StatusLine
from emotemporal.live.pace import Pace
from emotemporal.live.sinks.files import growing_file
from emotemporal.live.sinks.recording import Recording
from emotemporal.live.sinks.tables import CsvTable
from emotemporal.live.smoother_keys import SmootherKeys
from emotemporal.live.stages import Moment
from emotemporal.live.window import HELP, Window, has_display
from emotemporal.models.meta import read_meta
from emotemporal.types import Box, Frame
from emotemporal.video.file import VideoFile
from emotemporal.video.source import SourceStatus
from tests.fakes import FakeEngine

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


# The window's keys, without a window.


class FakeOverlay:
    """Draws a picture's own time, and counts what it is asked to note."""

    def __init__(self):
        self.notes = []

    def draw(self, image, faces, time_s, status):
        return np.full((48, 64, 3), int(10 * time_s) % 256, np.uint8)

    def draw_notes(self, picture, badges, note="", keys=()):
        self.notes.append((tuple(badges), note, bool(keys)))
        return 255 - picture


class Table:
    def __init__(self):
        self.rows = []

    def write(self, judgements):
        self.rows.extend(judgements)


KEYS = {"pause": ord(" "), "shot": ord("s"), "rec": ord("r"), "next": ord("m"), "help": ord("h")}


def show(tmp_path, keys, num_frames=4, controls=None, rate_hz=10.0):
    """Run frames through outputs with a window in which these keys are pressed, in turn."""
    gui, overlay, table = FakeGui(keys=keys), FakeOverlay(), Table()
    pictures = Pictures(tmp_path, rate_hz, now=lambda: datetime(2026, 1, 2, 3, 4, 5))
    window = Window("test", gui)
    with window, LiveOutputs(overlay, [table], None, window, pictures, controls) as outputs:
        for i in range(num_frames):
            outputs.write(Moment(Frame(BLACK, i / 10, i), [], [JUDGEMENT]))
            if outputs.is_closed:
                break
        outputs.finish([JUDGEMENT])
    return gui, overlay, table


def test_paused_the_picture_stands_still_until_the_key_comes_again(tmp_path):
    keys = [KEYS["pause"], -1, -1, KEYS["pause"]]
    gui, overlay, _ = show(tmp_path, keys, num_frames=2)
    assert len(gui.shown) == 2 + 3, "three more looks at the first picture"
    assert overlay.notes == [(("paused",), "", False)] * 3


def test_quitting_ends_a_pause(tmp_path):
    gui, _, table = show(tmp_path, [KEYS["pause"], -1, ord("q")])
    assert len(gui.shown) == 3
    assert len(table.rows) == 2, "the frame in hand and what was still due"


def test_a_signal_ends_a_pause(tmp_path):
    controls = Controls()
    controls.asked.set()
    gui, _, _ = show(tmp_path, [KEYS["pause"]], num_frames=1, controls=controls)
    assert len(gui.shown) == 1


def test_a_screenshot_is_the_labelled_picture_without_notes(tmp_path):
    _, overlay, _ = show(tmp_path, [-1, KEYS["help"], KEYS["shot"]])
    path = tmp_path / "emotemporal-20260102-030405.png"
    assert cv2.imread(str(path)).mean() == 2, "the third picture, not its negative with notes"
    assert overlay.notes[-1] == ((), f"wrote {path.name}", True)


def test_two_screenshots_in_a_second_are_two_files(tmp_path):
    show(tmp_path, [KEYS["shot"], KEYS["shot"]])
    assert len(list(tmp_path.glob("*.png"))) == 2


def test_a_recording_has_the_pictures_between_two_keys(tmp_path):
    _, overlay, _ = show(tmp_path, [KEYS["rec"], -1, -1, KEYS["rec"]], num_frames=6)
    with VideoFile(tmp_path / "emotemporal-20260102-030405.mp4") as video:
        assert video.info.num_frames == 3
    assert (("recording",), "recording emotemporal-20260102-030405.mp4", False) in overlay.notes


def test_a_recording_under_way_at_the_end_is_kept(tmp_path):
    show(tmp_path, [KEYS["rec"]], num_frames=5)
    with VideoFile(tmp_path / "emotemporal-20260102-030405.mp4") as video:
        assert video.info.num_frames == 4


def test_what_cannot_be_written_is_told_and_the_run_goes_on(tmp_path):
    (tmp_path / "file").write_text("")
    for key in ("shot", "rec"):
        _, overlay, table = show(tmp_path / "file" / "folder", [KEYS[key]])
        assert len(table.rows) == 5
        assert overlay.notes[0][1].startswith("cannot be written: ")


def test_a_recording_that_fails_under_way_is_told_and_the_run_goes_on(tmp_path):
    folder = tmp_path / "captures"
    times = []

    class LosingTable(Table):
        def write(self, judgements):
            times.append(len(times))
            if len(times) == 2:  # the first picture was shown, and its key has begun a recording
                shutil.rmtree(folder)
            super().write(judgements)

    gui, overlay, table = FakeGui(keys=[KEYS["rec"]]), FakeOverlay(), LosingTable()
    pictures, window = Pictures(folder, 10.0), Window("test", gui)
    with window, LiveOutputs(overlay, [table], None, window, pictures) as outputs:
        for i in range(4):
            outputs.write(Moment(Frame(BLACK, i / 10, i), [], [JUDGEMENT]))
    assert len(table.rows) == 4
    assert overlay.notes[-1][1].startswith("cannot be written: ")
    assert not pictures.is_recording


def test_a_recording_that_cannot_be_ended_takes_nothing_else_along(tmp_path, caplog):
    folder = tmp_path / "captures"
    window = Window("test", FakeGui(keys=[KEYS["rec"]]))
    with (
        growing_file(tmp_path / "table.csv") as file,
        window,
        LiveOutputs(FakeOverlay(), [], None, window, Pictures(folder, 10.0)) as outputs,
    ):
        file.write("kept")
        for i in range(4):
            outputs.write(Moment(Frame(BLACK, i / 10, i), [], [JUDGEMENT]))
        shutil.rmtree(folder)
    assert (tmp_path / "table.csv").read_text() == "kept"
    assert "cannot be kept" in caplog.text


def test_the_folder_for_captures_is_made(tmp_path):
    show(tmp_path / "new", [KEYS["rec"]])
    assert len(list((tmp_path / "new").glob("*.mp4"))) == 1


def test_the_next_smoother_is_told(tmp_path):
    controls = Controls(next_smoother=lambda: "smoothing: ema 0.3 s")
    _, overlay, _ = show(tmp_path, [KEYS["next"]], controls=controls)
    assert overlay.notes == [((), "smoothing: ema 0.3 s", False)] * 3


def test_help_comes_and_goes(tmp_path):
    _, overlay, _ = show(tmp_path, [KEYS["help"], -1, KEYS["help"]], num_frames=5)
    assert overlay.notes == [((), "", True)] * 2


def test_every_key_of_the_help_does_something():
    gui = FakeGui(keys=[ord(key) if len(key) == 1 else ord(" ") for key, _ in HELP])
    with Window("test", gui) as window:
        assert all(window.write(BLACK) is not None for _ in HELP)


def test_smoothers_take_turns(tiny_checkpoint):
    meta = read_meta(tiny_checkpoint)
    predictor = StreamPredictor(FakeEngine(SAVEE_7), meta)
    first = SmoothingConfig("ema")
    turn = SmootherKeys(predictor, first)
    names = [turn() for _ in range(5)]
    assert len(set(names)) == 5
    assert names[-1] == f"smoothing: {describe(first)}"


# What the status says.


def moment(time_s, status=None, pace=None, index=0):
    return Moment(Frame(BLACK, time_s, index), [], [], status, pace)


def test_a_files_status_is_its_time_and_faces():
    assert StatusLine().step(moment(61.24)).words == ("01:01.2", "0 faces")


def test_a_live_status_has_rate_and_delays():
    line, pace = StatusLine(), Pace(0.01, 0.02, 0.123, 7, 0.47)
    line.step(moment(0.0, SourceStatus(), pace))
    status = line.step(moment(0.04, SourceStatus(), pace, 1))
    assert status.words[2:] == ("25 fps", "lag 0.12 s", "+ 0.5 s smoothing", "7 skipped")
    assert status.alert == ""


def test_a_picture_that_is_shown_again_while_one_waits_is_no_other_frame():
    line, pace = StatusLine(), Pace(0.01, 0.02, None, 0)
    for time_s, index in ((0.0, 0), (0.1, 0), (0.2, 1), (0.3, 1), (0.4, 2)):
        status = line.step(moment(time_s, SourceStatus(), pace, index))
    assert status.words[2] == "5 fps"


def test_a_lost_source_is_an_alert():
    lost = SourceStatus("reconnecting", age_s=3.2, retry_in_s=2.0)
    assert StatusLine().step(moment(1.0, lost)).alert == "no picture for 3 s, reconnecting in 2 s"
