"""Killed anywhere and run again, a job ends with the same bytes as one that was not."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.faults.jobs import Inputs, is_result, job_words
from tests.faults.kills import Ended, Kill, Zygote, choose_kills, contents, resume_until_done

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL and fork")

NUM_FAST = {"finetune": 2, "prepare": 1, "predict": 1}  # pretrain: tests/laws/test_resume.py
NUM_SLOW = {
    "pretrain": 12,
    "finetune": 12,
    "prepare": 10,
    "ablate": 8,
    "predict": 4,
    "predict-folder": 4,
}
"""Fifty."""


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    with Zygote() as zygote:
        yield zygote


@pytest.fixture(scope="session")
def inputs(affectnet_root, prepared_savee, make_checkpoint, tiny_scene, memory_folder) -> Inputs:
    (memory_folder / "second.mp4").write_bytes(tiny_scene.read_bytes())
    return Inputs(
        images=affectnet_root,
        videos=prepared_savee.parent / "savee",
        prepared=prepared_savee,
        encoder=make_checkpoint("frame", crop_px=96),
        gru=make_checkpoint(),
        scene=tiny_scene,
        second_scene=memory_folder / "second.mp4",
    )


class Jobs:
    """Whole runs, each made once, and runs that are killed."""

    def __init__(self, zygote: Zygote, inputs: Inputs, folder: Path) -> None:
        self._zygote, self._inputs, self._folder = zygote, inputs, folder
        self.whole = cache(self._whole)

    def _whole(self, job: str) -> tuple[Ended, dict[str, str]]:
        folder = self._folder / job / "whole"
        folder.mkdir(parents=True)
        ended = self._zygote.run(job_words(job, self._inputs, folder), folder)
        assert ended.code == 0, ended.said[-3000:]
        return ended, contents(folder, lambda file: is_result(job, file))

    def killed(self, job: str, kill: Kill) -> dict[str, str]:
        """Kill a job, run it again, and return what it leaves."""
        folder = self._folder / job / str(kill)
        folder.mkdir()
        words = job_words(job, self._inputs, folder)
        ended = self._zygote.run(words, folder, kill)
        # Asked to stop, a job may have ended before it looked; or it stops at once, as it would
        # where nothing is there to be saved. A study's runs share its process here, and its signal.
        allowed = {-signal.SIGKILL} if kill.number == signal.SIGKILL else {0, 75, -signal.SIGTERM}
        allowed |= {0} if kill.event == "delay" else set()
        allowed |= {1} if job == "ablate" and kill.number == signal.SIGTERM else set()
        assert ended.code in allowed, f"code {ended.code}: {ended.said[-3000:]}"
        resume_until_done(self._zygote, words, folder)
        found = contents(folder, lambda file: is_result(job, file))
        shutil.rmtree(folder)
        return found


@pytest.fixture(scope="session")
def jobs(zygote, inputs, memory_folder) -> Jobs:
    return Jobs(zygote, inputs, memory_folder / "kills")


def check(jobs: Jobs, job: str, seed: int, number: int) -> None:
    whole, expected = jobs.whole(job)
    failed = []
    for kill in choose_kills(seed, number, whole):
        found = jobs.killed(job, kill)
        if found != expected:
            names = {n for n in {*found, *expected} if found.get(n) != expected.get(n)}
            failed.append(f"{kill}: {', '.join(sorted(names))}")
    assert not failed


@pytest.mark.parametrize("job", NUM_FAST)
def test_a_job_killed_at_some_points_and_run_again_leaves_the_same_bytes(jobs, job):
    check(jobs, job, seed=1, number=NUM_FAST[job])


@pytest.mark.slow
@pytest.mark.parametrize("job", NUM_SLOW)
def test_a_job_killed_at_many_points_and_run_again_leaves_the_same_bytes(jobs, job):
    check(jobs, job, seed=2, number=NUM_SLOW[job])


def test_fifty_points_are_tried():
    assert sum(NUM_SLOW.values()) == 50


@pytest.mark.slow
def test_a_training_with_two_loader_workers_leaves_the_same_bytes_after_a_kill(jobs):
    check(jobs, "pretrain-2-workers", seed=3, number=2)
