"""The same drawing on one core or on many, with a progress bar."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import cv2
from tqdm import tqdm

from emotemporal.stopping import leave_with_parent

Job = TypeVar("Job")
Result = TypeVar("Result")


def draw_all(
    draw: Callable[[Job], Result], jobs: Sequence[Job], workers: int, title: str
) -> Iterator[Result]:
    """Do every job, and give the results in the jobs' order.

    Args:
        draw: A function at the top level of a module; a job must carry its own seed, so that
            neither order nor number of workers changes a byte.
        jobs: Picklable.
        workers: Processes; 1 draws in this one.
        title: Of the progress bar.

    Raises:
        ValueError: Fewer than one worker.
    """
    if workers < 1:
        raise ValueError(f"workers is {workers}; at least 1 must draw")
    if workers == 1 or len(jobs) < 2:
        with _one_thread():
            yield from (draw(job) for job in tqdm(jobs, desc=title, disable=None))
        return
    # Spawned, not forked: a fork of a process that has OpenCV's or torch's threads can hang.
    context = multiprocessing.get_context("spawn")
    chunk = max(1, len(jobs) // (workers * 40))
    with ProcessPoolExecutor(
        min(workers, len(jobs)), mp_context=context, initializer=_start_worker
    ) as pool:
        yield from tqdm(
            pool.map(draw, jobs, chunksize=chunk), desc=title, total=len(jobs), disable=None
        )


def _start_worker() -> None:
    leave_with_parent()
    # Not OpenCV's function itself: it names no module, so pickle would search them all for it.
    cv2.setNumThreads(1)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep OpenCV to this thread: pictures are small, and its threads spin while they wait."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
