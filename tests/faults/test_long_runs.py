"""Hours of use: memory and open files stay as they are after the first minutes."""

from __future__ import annotations

import gc
import os
import resource
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emotemporal.data.prepared import PreparedSet, write_clip
from emotemporal.faces.crop import CropConfig
from emotemporal.inference.predictor import StreamPredictor
from emotemporal.labels import SAVEE_7
from emotemporal.models.meta import read_meta
from emotemporal.types import Box, FaceClip, FaceView, Track
from emotemporal.video.file import VideoFile
from tests.data.tiny_sets import write_video
from tests.fakes import FakeEngine

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="counts open files in /proc")
ALLOWED_BYTES = 300_000
"""Caches of the interpreter and of numpy, once; a leak of four bytes a step is more."""


def num_open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def grown_by(work, steps: int, warm_up: int) -> tuple[int, int]:
    """Do a step many times; return by how many bytes and open files it has grown after a start."""
    for number in range(warm_up):
        work(number)
    gc.collect()
    files = num_open_files()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(warm_up, warm_up + steps):
            work(number)
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before, num_open_files() - files
    finally:
        tracemalloc.stop()


def prediction(meta):
    """Return a step of a stream in which people come and go, two at a time."""
    engine = FakeEngine(SAVEE_7, memory=0.5)
    predictor = StreamPredictor(engine, meta)
    crop = np.full((48, 48, 3), 90, np.uint8)

    def step(number: int) -> None:
        time_s = number / 10
        people = (number // 50, number // 70 + 1_000_000)
        views = [FaceView(Track(p, Box(0, 0, 10, 10, 1.0), 1.0), crop, time_s) for p in people]
        predictor.step(views, time_s)
        engine.batch_sizes.clear()  # the fake's own diary

    return step


@pytest.fixture
def meta(tiny_checkpoint):
    return replace(read_meta(tiny_checkpoint), training_prior=(1 / 7,) * 7)


@needs_linux
def test_a_stream_that_runs_on_takes_no_more_memory(meta):
    assert_flat(grown_by(prediction(meta), 2_000, 500))


@needs_linux
@pytest.mark.slow
def test_a_hundred_thousand_steps_of_a_stream_take_no_more_memory(meta):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert_flat(grown_by(prediction(meta), 100_000, 1_000))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 100_000  # kilobytes


def assert_flat(grown: tuple[int, int]) -> None:
    num_bytes, num_files = grown
    assert num_bytes < ALLOWED_BYTES
    assert num_files == 0


@pytest.fixture
def prepared(tmp_path) -> PreparedSet:
    crops = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3)).astype(np.uint8)
    rows = []
    for number in range(20):
        clip = FaceClip(crops, np.arange(8) / 25, (), "s", f"{number}")
        file = f"clips/{number}.npz"
        write_clip(tmp_path, file, clip, with_targets=False)
        rows.append({"file": file, "emotion": "anger", "subject": "s", "source": f"{number}"})
    return PreparedSet(tmp_path, "mine", pd.DataFrame(rows), CropConfig(), "haar", "none")


@needs_linux
def test_clips_that_are_read_are_closed_and_let_go(prepared):
    assert_flat(grown_by(lambda number: prepared.load(number % 20), 300, 60))


@needs_linux
@pytest.mark.slow
def test_ten_thousand_clips_that_are_read_are_closed_and_let_go(prepared):
    assert_flat(grown_by(lambda number: prepared.load(number % 20), 10_000, 100))


def reader_of(path: Path, log: list[int]):
    """Return a reading of a whole video, as a data set's worker does it: opened there."""

    def read(number: int) -> None:
        with VideoFile(path) as video:
            log.append(sum(1 for _ in video))
        log.clear()

    return read


@needs_linux
def test_videos_that_are_read_are_closed(tmp_path):
    write_video(tmp_path / "a.mp4")
    read = reader_of(tmp_path / "a.mp4", [])
    assert_flat(grown_by(read, 20, 5))


@needs_linux
@pytest.mark.slow
def test_a_thousand_videos_that_are_read_are_closed_and_take_no_more_memory(tmp_path):
    write_video(tmp_path / "a.mp4")
    read = reader_of(tmp_path / "a.mp4", [])
    for number in range(100):
        read(number)
    before = current_bytes()
    assert_flat(grown_by(read, 1_000, 0))
    # Decoders keep memory of their own, which Python does not see.
    assert current_bytes() - before < 50_000_000


def current_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@needs_linux
def test_the_measurement_finds_a_leak():
    kept: list[bytes] = []
    assert grown_by(lambda number: kept.append(bytes(1000)), 1_000, 10)[0] > ALLOWED_BYTES
