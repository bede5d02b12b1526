"""Loader processes of every kind give the same bytes; one that is killed or refuses is told."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from emotemporal.data.collate import Sample
from emotemporal.data.loading import load_batches
from emotemporal.data.processes import WorkerDiedError, in_processes
from emotemporal.video.image import ImageError

ROWS = [[0, 1], [2, 3], [4, 5]]


class Numbers:
    """Samples that tell their index and a draw, and, told so, end their process or refuse."""

    def __init__(self, dies_at: int = -1, refuses: int = -1) -> None:
        self._dies_at, self._refuses = dies_at, refuses

    def sample(self, index: int, generator: torch.Generator) -> Sample:
        if index == self._dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if index == self._refuses:
            raise ImageError(f"image{index}.jpg: corrupt")
        value = int(torch.randint(0, 200, (), generator=generator))
        frames = np.full((1, 4, 4, 3), value, np.uint8)
        mask = np.ones(1, dtype=np.bool_)
        return Sample(frames, np.ones((1, 2), np.float32), mask, "s", f"{index}")


@pytest.mark.parametrize(
    "start_method",
    [
        pytest.param("spawn", marks=pytest.mark.slow),
        pytest.param("forkserver", marks=pytest.mark.slow),
        "fork",
    ],
)
def test_batches_are_the_same_however_workers_are_started(start_method):
    if start_method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {start_method} here")
    alone = list(load_batches(Numbers(), ROWS, 0, 1))
    found = list(load_batches(Numbers(), ROWS, 0, 1, 2, start_method))
    for one, other in zip(alone, found, strict=True):
        assert torch.equal(one.frames, other.frames)
        assert one.sources == other.sources


def test_a_worker_that_is_killed_is_told_with_what_to_do():
    batches = load_batches(Numbers(dies_at=4), ROWS, 0, 0, 2, "fork")
    with pytest.raises(WorkerDiedError, match=r"was killed .* it goes on"):
        list(batches)


def test_what_a_worker_refuses_is_told_as_it_would_be_without_workers():
    told = []
    for workers in (0, 2):
        with pytest.raises(ImageError) as error:
            list(load_batches(Numbers(refuses=3), ROWS, 0, 0, workers, "fork"))
        told.append(str(error.value))
    assert told == ["image3.jpg: corrupt"] * 2


def die(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_job_whose_worker_is_killed_says_so():
    with pytest.raises(WorkerDiedError, match="draw: a worker process was killed"):
        list(in_processes(die, range(4), 2, "draw", "picture"))


def wait_and_tell(file: Path) -> None:
    file.write_text(str(os.getpid()))
    time.sleep(600)


HOLDS_WORKERS = """
import sys
from functools import partial
from pathlib import Path
from emotemporal.data.processes import in_processes
from tests.faults.test_loading import wait_and_tell

if __name__ == "__main__":
    list(in_processes(wait_and_tell, [Path(name) for name in sys.argv[1:]], 2, "x", "y"))
"""


@pytest.mark.slow
def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    import subprocess
    import sys

    (tmp_path / "holds.py").write_text(HOLDS_WORKERS)
    files = [tmp_path / "a", tmp_path / "b"]
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, root + "/tests"])}
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "holds.py"), *map(str, files)], env=environment
    )
    deadline = time.monotonic() + 120
    while not all(file.exists() and file.read_text() for file in files):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    pids = [int(file.read_text()) for file in files]
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < deadline, "workers outlive their parent"
        time.sleep(0.05)
