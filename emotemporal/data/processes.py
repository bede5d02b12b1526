"""The same work on many things, in one process or in several."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

import cv2
from tqdm import tqdm

Job = TypeVar("Job")
Done = TypeVar("Done")


def in_processes(
    work: Callable[[Job], Done], jobs: Sequence[Job], workers: int, title: str, unit: str
) -> Iterator[Done]:
    """Give what `work` makes of each job, as it gets done, with a bar on a terminal.

    With several workers the order differs from run to run, and `work` must be picklable.
    """
    with tqdm(total=len(jobs), desc=title, unit=unit, disable=None) as bar:
        if workers <= 1 or len(jobs) < 2:
            for job in jobs:
                yield work(job)
                bar.update()
            return
        # Spawned, not forked: decoders and OpenCV's threads do not survive a fork.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context, initializer=_start_worker) as pool:
            futures = [pool.submit(work, job) for job in jobs]
            for future in as_completed(futures):
                yield future.result()
                bar.update()


def _start_worker() -> None:
    cv2.setNumThreads(1)  # the workers are the parallelism
