"""Never behind: what is live is kept up with, whatever the model takes and the source does."""

from __future__ import annotations

import gc
import threading
import tracemalloc
from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from emotemporal.faces.crop import CropConfig
from emotemporal.faces.follow import FollowConfig, Follower
from emotemporal.inference.predictor import StreamConfig, StreamPredictor
from emotemporal.labels import SAVEE_7
from emotemporal.live.keep_up import run_live_stages
from emotemporal.live.sinks.recording import Recording
from emotemporal.live.stages import Stages
from emotemporal.models.meta import read_meta
from emotemporal.types import Box, Frame
from emotemporal.video.camera import Camera
from emotemporal.video.capture import CameraConfig
from emotemporal.video.file import VideoFile
from emotemporal.video.source import SourceState, SourceStatus, VideoError
from tests.fakes import FakeDetector, FakeEngine
from tests.video.devices import Device, Script

NOISE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
FACE = Box(20, 10, 60, 50, 1.0)


class Life:
    """A clock that goes on only where somebody works or waits."""

    def __init__(self) -> None:
        self.time_s = 0.0

    def __call__(self) -> float:
        return self.time_s

    def pass_by(self, duration_s: float) -> None:
        self.time_s += duration_s


class LiveCamera:
    """Takes a picture every so often; gives the newest, and waits for the next if there is none."""

    def __init__(self, life: Life, rate_hz: float, duration_s: float) -> None:
        self._life, self._rate_hz, self._duration_s = life, rate_hz, duration_s
        self.num_dropped = 0

    def watch(self):
        given = -1
        for index in count():
            newest = int(self._life.time_s * self._rate_hz + 1e-9)
            if newest == given:
                newest += 1
                self._life.time_s = newest / self._rate_hz
            if newest / self._rate_hz > self._duration_s:
                return
            self.num_dropped += newest - given - 1
            given = newest
            yield Frame(NOISE, newest / self._rate_hz, index)

    @property
    def status(self) -> SourceStatus:
        return SourceStatus(num_dropped=self.num_dropped)

    def now_s(self) -> float:
        return self._life.time_s


class SlowEngine(FakeEngine):
    """Takes its time over each step."""

    def __init__(self, life: Life, step_s: float) -> None:
        super().__init__(SAVEE_7)
        self._life, self._step_s = life, step_s

    def step(self, crops, states):
        self._life.pass_by(self._step_s)
        return super().step(crops, states)


class Pictures:
    """A sink that takes some time to draw, and keeps what it is asked to."""

    def __init__(self, life: Life | None = None, draw_s: float = 0.0, then=None) -> None:
        self._life, self._draw_s, self._then = life, draw_s, then
        self.judgements, self.paces, self.statuses = [], [], []
        self.num_moments, self.is_closed = 0, False

    def write(self, moment):
        self.num_moments += 1
        self.judgements += moment.judgements
        self.paces.append(moment.pace)
        self.statuses.append(moment.status)
        if self._life is not None:
            self._life.pass_by(self._draw_s)
        if self._then is not None:
            self._then(self, moment)

    def finish(self, judgements):
        self.judgements += judgements


@pytest.fixture
def meta(tiny_checkpoint):
    return replace(read_meta(tiny_checkpoint), training_prior=(1 / 7,) * 7)


def stages_for(meta, engine, sink, clock, boxes=(FACE,)) -> Stages:
    follower = Follower(FollowConfig(crop=CropConfig(48)), FakeDetector(boxes))
    return Stages(follower, StreamPredictor(engine, meta, StreamConfig()), sink, 8, clock)


def run(meta, rate_hz, step_s, duration_s, draw_s=0.005):
    life = Life()
    camera, sink = LiveCamera(life, rate_hz, duration_s), Pictures(life, draw_s)
    stages = stages_for(meta, SlowEngine(life, step_s), sink, life)
    tally, lost = run_live_stages(camera, stages)
    assert lost is None
    return tally, sink, camera


def test_ten_minutes_of_60_fps_with_a_model_at_5_fps_stay_within_two_of_its_periods(meta):
    tally, sink, camera = run(meta, rate_hz=60, step_s=0.2, duration_s=600)
    period_s = 0.2
    assert tally.delays.frame_age.max_s < 1 / 60 + 1e-9
    assert tally.delays.capture_to_done.max_s < 2 * period_s
    assert tally.delays.label_lag.max_s < 2 * period_s + 1e-9
    assert camera.num_dropped > 0.8 * 600 * 60
    times_s = [judgement.time_s for judgement in sink.judgements]
    # Every tick of ten minutes is either judged, at its own time, or counted as left out.
    assert len(times_s) + tally.num_skipped == pytest.approx(6000, abs=3)
    assert 0.9 * 600 * 5 * 0.9 < len(times_s) < 600 * 5
    assert np.all(np.diff(times_s) > 0)
    np.testing.assert_allclose(np.round(np.array(times_s) * 10), np.array(times_s) * 10, atol=1e-6)
    assert sink.paces[-1].num_skipped == tally.num_skipped


def test_without_skipping_it_would_fall_behind(meta, monkeypatch):
    monkeypatch.setattr("emotemporal.live.keep_up._MAX_CATCH_UP", 1e9)
    tally, _, _ = run(meta, rate_hz=60, step_s=0.2, duration_s=20)
    assert tally.delays.capture_to_done.max_s > 2 * 0.2


@pytest.mark.parametrize("rate_hz", [4.0, 10.0, 25.0, 60.0, 120.0])
def test_the_model_runs_at_its_own_rate_whatever_the_camera_gives(meta, rate_hz):
    tally, sink, camera = run(meta, rate_hz, step_s=0.02, duration_s=20)
    assert tally.num_skipped == 0
    assert tally.num_ticks == pytest.approx(200, abs=3)
    if rate_hz <= 25:  # there is time for all frames
        assert camera.num_dropped == 0
        assert sink.num_moments == pytest.approx(20 * rate_hz, abs=2)


def test_a_pause_of_the_program_is_made_up_for_at_once(meta):
    life = Life()
    hiccups = iter([10])

    def stall(sink, moment):
        if moment.frame.time_s > 5 and next(hiccups, None):
            life.pass_by(0.38)

    camera, sink = LiveCamera(life, 30, 10), Pictures(life, 0.005, stall)
    tally, _ = run_live_stages(camera, stages_for(meta, SlowEngine(life, 0.09), sink, life))
    assert tally.num_skipped > 0
    ages_s = [pace.frame_age_s for pace in sink.paces]
    assert max(ages_s) < 0.3


def test_what_one_sees_of_the_delay_is_told_with_each_frame(meta):
    life = Life()
    camera, sink = LiveCamera(life, 10, 3), Pictures(life, 0.01)
    run_live_stages(camera, stages_for(meta, SlowEngine(life, 0.03), sink, life), None, 0.4)
    pace = sink.paces[-1]
    assert pace.processing_s == pytest.approx(0.04, abs=0.015)
    assert pace.label_lag_s == pytest.approx(0.13, abs=0.03)  # a camera's period, then the model
    assert pace.smoother_lag_s == 0.4
    assert sink.paces[0].label_lag_s is None
    assert all(status.is_running for status in sink.statuses)


class OnePicture:
    """A live source that gives one picture, and then none."""

    def __init__(self, life: Life, state: SourceState) -> None:
        self._life, self.status = life, SourceStatus(state)

    def watch(self):
        yield Frame(NOISE, 0.0, 0)
        self._life.pass_by(0.1)
        yield None

    def now_s(self) -> float:
        return self._life.time_s


@pytest.mark.parametrize(("state", "num_then"), [("running", 1), ("stalled", 0)])
def test_faces_stand_between_two_pictures_and_not_while_the_source_stalls(meta, state, num_then):
    life, seen = Life(), []
    sink = Pictures(then=lambda _, moment: seen.append((moment.frame.time_s, len(moment.views))))
    run_live_stages(OnePicture(life, state), stages_for(meta, FakeEngine(SAVEE_7), sink, life))
    assert seen == [(0.0, 1), (0.1, num_then)]


QUICK = CameraConfig(
    read_timeout_s=0.05,
    open_timeout_s=0.05,
    stall_s=0.03,
    first_retry_s=0.01,
    max_retry_s=0.02,
    give_up_s=30.0,
    idle_s=0.01,
)


def threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name == "emotemporal-camera"]


@pytest.mark.parametrize("how", ["fails", "freezes"])
def test_a_camera_lost_and_found_at_another_size_is_lived_through(meta, tmp_path, how):
    first = Script(0, size_wh=(80, 60)) if how == "fails" else Script(2, how, size_wh=(80, 60))
    device = Device(first, Script(0, size_wh=(120, 68)))
    video = tmp_path / "live.mp4"
    with Recording(video, None) as recording:

        def lose_and_find(sink, moment):
            recording.write(moment.frame.image, moment.frame.time_s)
            height = moment.frame.image.shape[0]
            if height == 60 and how == "fails":
                first.thaw.set()
            sink.is_closed = height == 68 and moment.status.is_running and sink.num_moments > 8

        sink = Pictures(then=lose_and_find)
        with Camera(0, QUICK, open_with=device) as camera:
            clock = camera.now_s
            tally, lost = run_live_stages(
                camera, stages_for(meta, FakeEngine(SAVEE_7), sink, clock)
            )
            first.thaw.set()
    assert lost is None
    assert tally.was_stopped
    assert sink.statuses[-1].num_reconnects == 1
    if how != "fails":  # which is mended before a busy machine takes the next moment
        assert {"running"} < {status.state for status in sink.statuses}
    for _ in range(500):
        if not threads():
            break
        threading.Event().wait(0.01)
    assert not threads()
    with VideoFile(video) as recorded:
        assert (recorded.info.width_px, recorded.info.height_px) == (80, 60)


def test_what_a_lost_camera_gave_is_kept_and_the_loss_is_told(meta):
    device = Device(Script(3, "fails", size_wh=(80, 60)), Script(is_opened=False))
    sink = Pictures()
    with Camera(0, replace(QUICK, give_up_s=0.1), open_with=device) as camera:
        stages = stages_for(meta, FakeEngine(SAVEE_7), sink, camera.now_s)
        tally, lost = run_live_stages(camera, stages)
    assert isinstance(lost, VideoError)
    assert tally.num_frames > 0
    assert tally.num_ticks == len(sink.judgements)
    assert not threads()


def grown_bytes(meta, num_frames) -> int:
    """Return what a live run holds more at its end than after its first tenth."""
    life, taken = Life(), []

    def measure(sink, moment):
        sink.judgements.clear()
        sink.paces.clear()
        sink.statuses.clear()
        if sink.num_moments in (num_frames // 10, num_frames - 10):
            gc.collect()
            taken.append(tracemalloc.get_traced_memory()[0])

    camera = LiveCamera(life, 30, num_frames / 30)
    sink = Pictures(life, 0.0, measure)
    stages = stages_for(meta, FakeEngine(SAVEE_7), sink, life)
    tracemalloc.start()
    try:
        run_live_stages(camera, stages)
    finally:
        tracemalloc.stop()
    return taken[1] - taken[0]


def test_memory_does_not_grow_with_the_frames(meta):
    assert grown_bytes(meta, 500) < 100_000


@pytest.mark.slow
def test_memory_is_flat_over_100_000_frames(meta):
    assert grown_bytes(meta, 100_000) < 5_000_000
