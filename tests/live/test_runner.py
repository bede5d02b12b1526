from __future__ import annotations

import csv
import signal
import threading
from dataclasses import fields, replace

import numpy as np
import pytest
from PIL import Image

from emotemporal.faces.crop import CropConfig
from emotemporal.faces.detect import DetectorConfig
from emotemporal.faces.follow import FollowConfig, Follower
from emotemporal.faces.track import TrackerConfig
from emotemporal.inference.predictor import StreamConfig, StreamPredictor
from emotemporal.labels import SAVEE_7
from emotemporal.live.runner import LiveConfig, run_live
from emotemporal.live.sources import kind_of
from emotemporal.live.stages import run_stages
from emotemporal.models.meta import read_meta
from emotemporal.stopping import stop_when_asked
from emotemporal.types import Box
from emotemporal.video.capture import CameraConfig
from emotemporal.video.file import VideoFile
from emotemporal.video.folder import ImageFolderConfig
from emotemporal.video.source import VideoError
from tests.fakes import FakeDetector, FakeEngine, FakeSource
from tests.video.devices import Device, Script

HAAR = DetectorConfig("haar")
NOISE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)


def live_config(checkpoint, video, **changes):
    return LiveConfig(str(video), str(checkpoint), detector=HAAR, window="no", **changes)


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_live_on_a_file_gives_a_table_and_a_video(tiny_checkpoint, tiny_scene, tmp_path):
    table, video = tmp_path / "live.csv", tmp_path / "live.mp4"
    config = live_config(tiny_checkpoint, tiny_scene, csv=str(table), output=str(video))
    summary = run_live(config)
    with VideoFile(tiny_scene) as source, VideoFile(video) as labelled:
        assert labelled.info.num_frames == source.info.num_frames == summary.num_frames
        assert labelled.info.frame_rate_hz == pytest.approx(source.info.frame_rate_hz)
        assert not np.array_equal(labelled.read([20]).frames, source.read([20]).frames)
    rows = rows_of(table)
    assert summary.num_ticks == len(rows)
    assert summary.num_faces == len({row["track_id"] for row in rows}) >= 2
    assert summary.detector == "haar"
    assert not summary.was_stopped
    assert str(table) in str(summary)
    for row in rows:
        for kind in ("raw", "smoothed"):
            assert sum(float(row[f"{kind}_{n}"]) for n in SAVEE_7.names) == pytest.approx(1)
        assert (row["shown"] == "") or row["shown"] in SAVEE_7.names


def test_the_same_file_gives_the_same_bytes(tiny_checkpoint, tiny_scene, tmp_path):
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    run_live(live_config(tiny_checkpoint, tiny_scene, csv=str(first)))
    run_live(live_config(tiny_checkpoint, tiny_scene, csv=str(second)))
    assert first.read_bytes() == second.read_bytes()


def test_only_so_many_faces_are_judged(tiny_checkpoint, tiny_scene, tmp_path):
    table = tmp_path / "live.csv"
    run_live(live_config(tiny_checkpoint, tiny_scene, csv=str(table), max_faces=1))
    times = [row["time_s"] for row in rows_of(table)]
    assert len(set(times)) == len(times) > 10


def test_the_time_of_stages_is_measured_by_the_clock_given(tiny_checkpoint, tiny_scene):
    ticks = iter(range(10_000))
    summary = run_live(live_config(tiny_checkpoint, tiny_scene), clock=lambda: next(ticks) * 0.001)
    assert summary.follow_ms == pytest.approx(1)
    assert summary.judge_ms == pytest.approx(1)
    assert summary.write_ms == pytest.approx(1)
    assert summary.ms_per_frame == pytest.approx(3)


def test_a_truncated_file_leaves_no_outputs(tiny_checkpoint, tiny_scene, tmp_path):
    half = tmp_path / "half.mp4"
    half.write_bytes(tiny_scene.read_bytes()[: tiny_scene.stat().st_size // 2])
    outputs = {"csv": str(tmp_path / "out.csv"), "output": str(tmp_path / "out.mp4")}
    with pytest.raises(VideoError, match=r"half\.mp4"):
        run_live(live_config(tiny_checkpoint, half, **outputs))
    assert list(tmp_path.iterdir()) == [half]


WAITS = CameraConfig(first_retry_s=0.01, max_retry_s=0.02, give_up_s=0.2, idle_s=0.01)


def test_a_camera_that_fails_is_told_and_what_it_gave_is_kept(tiny_checkpoint, tmp_path):
    device = Device(Script(5, then="fails", size_wh=(80, 60)), Script(is_opened=False))
    table = tmp_path / "live.csv"
    config = live_config(tiny_checkpoint, "3", csv=str(table), camera=WAITS)
    with pytest.raises(VideoError, match="camera 3 gave no frame"):
        run_live(config, open_with=device)
    assert table.read_text().startswith("time_s,track_id")


def test_a_stream_that_ends_is_told_how_late_it_was(tiny_checkpoint, tmp_path):
    device = Device(Script(4, then="fails", size_wh=(80, 60), count=4, step_ms=20))
    config = live_config(tiny_checkpoint, "http://host/clip.mp4", csv=str(tmp_path / "a.csv"))
    summary = run_live(config, open_with=device)
    assert 0 < summary.num_frames <= 4
    assert "from capture to label" in str(summary)
    assert summary.num_skipped == 0


def test_a_folder_of_images_gives_what_the_video_gives(tiny_checkpoint, tiny_scene, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    with VideoFile(tiny_scene) as video:
        for frame in video:
            Image.fromarray(frame.image).save(images / f"{round(frame.time_s * 1e9)}.png")
    tables = [tmp_path / "video.csv", tmp_path / "images.csv"]
    run_live(live_config(tiny_checkpoint, tiny_scene, csv=str(tables[0])))
    times = ImageFolderConfig(times="ns")
    run_live(live_config(tiny_checkpoint, images, csv=str(tables[1]), images=times))
    assert tables[0].read_bytes() == tables[1].read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_and_finishes_the_outputs(
    tiny_checkpoint, tiny_scene, tmp_path, number
):
    table, ticks = tmp_path / "live.csv", iter(range(10_000))

    def clock():
        if next(ticks) == 30:
            signal.raise_signal(number)
        return 0.0

    before = signal.getsignal(number)
    summary = run_live(live_config(tiny_checkpoint, tiny_scene, csv=str(table)), clock)
    assert summary.was_stopped
    assert 0 < summary.num_frames < 15
    assert len(rows_of(table)) == summary.num_ticks > 0
    assert signal.getsignal(number) is before


@pytest.fixture
def _python_takes_ctrl_c():
    """Where tests run in the background of a shell, ctrl-C is ignored from the start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_python_takes_ctrl_c")
def test_a_second_signal_ends_it_at_once():
    with stop_when_asked() as asked:
        signal.raise_signal(signal.SIGINT)
        assert asked.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_outside_the_main_thread_signals_are_left_alone():
    seen = []

    def run():
        with stop_when_asked() as asked:
            seen.append(asked.is_set())

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [False]
    assert signal.getsignal(signal.SIGINT) is before


class ClosingSink:
    """Has seen enough after some frames."""

    def __init__(self, after):
        self._after = after
        self.moments, self.rest = [], None

    @property
    def is_closed(self):
        return len(self.moments) >= self._after

    def write(self, moment):
        self.moments.append(moment)

    def finish(self, judgements):
        self.rest = judgements


@pytest.fixture
def stages(tiny_checkpoint):
    meta = replace(read_meta(tiny_checkpoint), training_prior=(1 / 7,) * 7)
    follower = Follower(FollowConfig(crop=CropConfig(48)), FakeDetector([Box(20, 10, 60, 50, 1.0)]))
    return follower, StreamPredictor(FakeEngine(SAVEE_7), meta, StreamConfig())


def test_a_closed_window_ends_the_run(stages):
    sink = ClosingSink(after=4)
    with FakeSource(np.arange(100) / 10, lambda t: NOISE) as source:
        tally = run_stages(source, *stages, sink, max_faces=1)
    assert tally.was_stopped
    assert tally.num_frames == len(sink.moments) == 4
    assert [j.time_s for j in sink.rest] == pytest.approx([0.3])


def test_an_error_of_the_source_is_raised_and_the_source_is_closed(stages):
    source = FakeSource([0.0, 0.1], lambda t: NOISE, error=VideoError("lost"))
    with pytest.raises(VideoError, match="lost"), source:
        run_stages(source, *stages, ClosingSink(99), max_faces=1)
    assert not source.is_open


def test_every_frame_reaches_the_sink(stages):
    sink = ClosingSink(after=99)
    tally = run_stages(FakeSource(np.arange(20) / 25, lambda t: NOISE), *stages, sink, max_faces=1)
    assert [moment.frame.index for moment in sink.moments] == list(range(20))
    assert tally.num_ticks == sum(len(m.judgements) for m in sink.moments) + len(sink.rest) == 8
    assert tally.track_ids == {0}


def test_live_has_no_option_for_what_the_checkpoint_says():
    names = {field.name for field in fields(LiveConfig)} | {f.name for f in fields(StreamConfig)}
    assert not [n for n in names if any(w in n for w in ("size", "mean", "std", "rate", "crop"))]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"max_faces": 0}, "max_faces is 0"),
        ({"output": "a.mp4"}, "must be different files"),
        ({"output": "x.avi", "csv": "./x.avi"}, "must be different files"),
        ({"min_probability": 2.0}, "min_probability is 2.0"),
    ],
)
def test_a_wrong_config_is_refused(changes, complaint):
    with pytest.raises(ValueError, match=complaint):
        live_config("c.safetensors", "a.mp4", **changes)


def test_a_gap_is_as_long_for_the_predictor_as_for_the_tracker():
    config = live_config("c", "a.mp4", tracker=TrackerConfig(max_unseen_s=0.8))
    assert config.recognition().stream_config().max_gap_s == 0.8


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("0", "camera"),
        ("12", "camera"),
        ("0.mp4", "file"),
        ("a", "file"),
        ("rtsp://host/stream", "stream"),
        ("http://host:8080/video", "stream"),
        (".", "folder"),
    ],
)
def test_a_source_is_told_by_its_name(source, kind):
    assert kind_of(source) == kind
    assert live_config("c", source).is_live == (kind in ("camera", "stream"))
