"""`benchmark decode`: each backend on the same videos, all frames and a few of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from emotemporal.benchmark.machine import this_machine
from emotemporal.benchmark.measure import Row, in_turns
from emotemporal.benchmark.report import OutputConfig, Report
from emotemporal.timing import Clock, monotonic
from emotemporal.video.container import read_declared
from emotemporal.video.file import Backend, VideoFile

_BACKENDS: tuple[Backend, ...] = ("decord", "torchcodec", "opencv")


@dataclass(frozen=True)
class DecodeBenchmarkConfig:
    """Time reading videos, from opening the file."""

    sources: list[str]
    """Video files."""
    num_frames: int = 16
    """Of a sparse read, evenly over the video: what a clip of a data set is."""
    repetitions: int = 5
    output: OutputConfig = field(default_factory=OutputConfig)

    def __post_init__(self) -> None:
        if not self.sources or min(self.num_frames, self.repetitions) < 1:
            raise ValueError("name a video; num_frames and repetitions are at least 1")


def benchmark_decode(config: DecodeBenchmarkConfig, clock: Clock = monotonic) -> Report:
    """Measure; backends take turns.

    Raises:
        VideoError: A video cannot be read.
    """
    installed = [b for b in _BACKENDS if b == "opencv" or find_spec(b) is not None]
    rows: list[Row] = []
    facts: dict[str, Any] = {"backends": ", ".join(installed)}
    for name in config.sources:
        source = Path(name)
        with VideoFile(source) as video:
            info = video.info
        is_rotated = read_declared(source).rotation_deg != 0
        backends = [b for b in installed if not (is_rotated and b == "decord")]  # it garbles those
        facts[source.name] = f"{info.width_px}x{info.height_px}, {info.num_frames} frames"
        dense = {f"{source.name}, all frames, {b}": _dense(source, b, clock) for b in backends}
        count = min(config.num_frames, info.num_frames)
        chosen = np.linspace(0, info.num_frames - 1, count).astype(int).tolist()
        sparse = {
            f"{source.name}, {count} frames, {b}": _sparse(source, b, chosen, clock)
            for b in backends
        }
        rows += [
            Row(case, "frames/s", values, "higher")
            for case, values in in_turns(dense, config.repetitions).items()
        ]
        rows += [
            Row(case, "ms", values) for case, values in in_turns(sparse, config.repetitions).items()
        ]
    return Report("decode", this_machine(), rows, facts)


def _dense(source: Path, backend: Backend, clock: Clock) -> Callable[[], float]:
    def read() -> float:
        started = clock()
        with VideoFile(source, backend) as video:
            count = sum(1 for _ in video)
        return count / (clock() - started)

    return read


def _sparse(
    source: Path, backend: Backend, indices: list[int], clock: Clock
) -> Callable[[], float]:
    def read() -> float:
        started = clock()
        with VideoFile(source, backend) as video:
            video.read(indices)
        return 1e3 * (clock() - started)

    return read
