"""Law 2: time is in seconds. What is here needs only the clock and the choice of frames."""

from __future__ import annotations

import ast
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch

import emotemporal
from emotemporal.data.sampling import SamplingConfig, clip_indices
from emotemporal.timing import ClipRate, FrameBuffer, hold_indices

FRAME_RATES_HZ = (15.0, 25.0, 29.97, 60.0)
CLIP_RATE = ClipRate(10.0)
DURATION_S = 60.0
STRATEGIES = ("full", "random", "uniform", "dense", "segment")
CLOCKS = {"time", "monotonic", "perf_counter", "time_ns", "monotonic_ns", "perf_counter_ns", "now"}


def changing_emotions(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw when the emotion changes, every two to four seconds, and to which of seven."""
    generator = np.random.default_rng(seed)
    changes_s = np.cumsum(generator.uniform(2, 4, int(DURATION_S)))
    changes_s = np.concatenate([[0], changes_s[changes_s < DURATION_S - 2]])
    return changes_s, np.cumsum(generator.integers(1, 7, len(changes_s))) % 7


def film(frame_rate_hz: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Take the same minute with a camera of this rate: frame times, and what each frame shows."""
    times_s = np.arange(int(DURATION_S * frame_rate_hz)) / frame_rate_hz
    changes_s, emotions = changing_emotions(seed)
    return times_s, emotions[np.searchsorted(changes_s, times_s, side="right") - 1]


def seen_live(times_s: np.ndarray, shown: np.ndarray) -> np.ndarray:
    buffer: FrameBuffer[int] = FrameBuffer(CLIP_RATE)
    due = [d for s, t in zip(shown, times_s, strict=True) for d in buffer.push(int(s), float(t))]
    return np.array([item for item, _ in due + buffer.flush()])


def seen_by_every_third_frame(times_s: np.ndarray, shown: np.ndarray) -> np.ndarray:
    return shown[::3]


def agreement(one: np.ndarray, two: np.ndarray) -> float:
    shorter = min(len(one), len(two))
    return float(np.mean(one[:shorter] == two[:shorter]))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rates_hz", list(combinations(FRAME_RATES_HZ, 2)), ids=str)
def test_a_retimed_source_agrees_on_the_ticks(rates_hz, seed):
    one, two = (seen_live(*film(rate_hz, seed)) for rate_hz in rates_hz)
    assert abs(len(one) - len(two)) <= 1
    assert agreement(one, two) >= 0.95


@pytest.mark.parametrize("frame_rate_hz", FRAME_RATES_HZ)
def test_every_change_is_seen_within_two_model_periods(frame_rate_hz):
    changes_s, emotions = changing_emotions(0)
    seen = seen_live(*film(frame_rate_hz, 0))
    switched_at = np.flatnonzero(np.diff(seen)) + 1
    assert len(switched_at) == len(changes_s) - 1
    lags_s = switched_at * CLIP_RATE.period_s - changes_s[1:]
    assert np.all(lags_s > -1e-9)
    assert lags_s.max() <= 2 * CLIP_RATE.period_s
    assert seen[switched_at].tolist() == emotions[1:].tolist()


def test_choosing_frames_by_number_breaks_the_agreement():
    one, two = (seen_by_every_third_frame(*film(rate_hz, 0)) for rate_hz in (25.0, 60.0))
    assert agreement(one, two) < 0.95


@pytest.mark.parametrize("frame_rate_hz", FRAME_RATES_HZ)
def test_live_and_offline_choose_the_same_frames(frame_rate_hz):
    times_s, shown = film(frame_rate_hz, 1)
    assert seen_live(times_s, shown).tolist() == shown[hold_indices(times_s, CLIP_RATE)].tolist()


def test_a_camera_that_drops_frames_agrees_with_one_that_does_not():
    times_s, shown = film(30.0, 2)
    is_kept = np.random.default_rng(0).random(len(times_s)) < 0.8
    is_kept[0] = True
    assert agreement(seen_live(times_s, shown), seen_live(times_s[is_kept], shown[is_kept])) > 0.95


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("rates_hz", list(combinations(FRAME_RATES_HZ, 2)), ids=str)
def test_a_retimed_source_gives_the_same_clip(strategy, rates_hz):
    config = SamplingConfig(strategy=strategy, num_frames=16, jitter_s=0.2)
    chosen_s, chosen_emotions = [], []
    for rate_hz in rates_hz:
        times_s, shown = film(rate_hz, 3)
        indices = clip_indices(times_s, config, torch.Generator().manual_seed(5))
        chosen_s.append(times_s[indices])
        chosen_emotions.append(shown[indices])
    shorter = min(map(len, chosen_s))
    # Each held frame is at most one frame old; the videos themselves end up to a frame apart.
    apart_s = np.abs(chosen_s[0][:shorter] - chosen_s[1][:shorter])
    assert apart_s.max() < 2 / min(rates_hz)
    assert agreement(*chosen_emotions) >= 0.93  # 15 of 16: a clip that long can hold one change


def clocks_read(source: str) -> list[str]:
    """Return what reads a clock: `time.time()`, `datetime.now()` and their like."""
    reads = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in CLOCKS:
            module = node.value.attr if isinstance(node.value, ast.Attribute) else None
            module = node.value.id if isinstance(node.value, ast.Name) else module
            if module in {"time", "datetime"}:
                reads.append(f"{module}.{node.attr}")
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            reads += [f"time.{alias.name}" for alias in node.names if alias.name in CLOCKS]
    return reads


def test_one_clock_is_read_and_everybody_else_is_given_it():
    package = Path(emotemporal.__file__).parent
    reads = {
        path.relative_to(package).as_posix(): clocks_read(path.read_text(encoding="utf-8"))
        for path in package.rglob("*.py")
    }
    assert {name: found for name, found in reads.items() if found} == {
        "timing.py": ["time.perf_counter", "datetime.now"],
        # Runs in another environment, which has no emotemporal to be given a clock by.
        "benchmark/fer_side.py": ["time.perf_counter"] * 2,
    }


@pytest.mark.parametrize(
    "line",
    [
        "import time; time.time()",
        "from time import monotonic",
        "import datetime as d; datetime.now()",
    ],
)
def test_reading_a_clock_is_noticed(line):
    assert clocks_read(line)
