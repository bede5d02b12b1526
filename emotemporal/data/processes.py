"""The same work on many things, in one process or in several."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

import cv2
from tqdm import tqdm

from emotemporal.stopping import leave_with_parent


class WorkerDiedError(OSError):
    """A worker process ended without an answer; what others had finished is kept."""


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
            try:
                for future in as_completed(futures):
                    yield future.result()
                    bar.update()
            except BrokenProcessPool as error:
                raise WorkerDiedError(
                    f"{title}: a worker process was killed, perhaps for want of memory. What is "
                    "finished is kept: run the same command again, with fewer workers"
                ) from error
            finally:
                pool.shutdown(cancel_futures=True)  # nobody would keep what waits


def _start_worker() -> None:
    leave_with_parent()
    cv2.setNumThreads(1)  # the workers are the parallelism
