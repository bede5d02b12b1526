"""Work on many files in several processes, where a file that kills its process costs that file.

Decoders crash on damaged videos, and systems short of memory kill. A process pool of the standard
library ends with the first of its processes; here another takes its place.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from threading import Event
from typing import Generic, TypeVar

import cv2

from emotemporal.stopping import InterruptedJob, leave_with_parent

Job = TypeVar("Job")
Done = TypeVar("Done")

_LOOK_EVERY_S = 0.2  # for a signal, while all workers are busy
_FAREWELL_S = 3.0  # to clear up after a signal, before it is killed

Report = Callable[[float], None]
"""Takes the share of a job that is done; may raise, to end it."""


@dataclass(frozen=True)
class Progress:
    """So much of a job is done."""

    job: int
    share: float


@dataclass(frozen=True)
class Finished(Generic[Done]):
    """What was made of a job."""

    job: int
    result: Done


@dataclass(frozen=True)
class Died:
    """A job's process ended without an answer."""

    job: int
    reason: str


def run_jobs(
    open_worker: Callable[[], Callable[[Job, Report], Done]],
    jobs: Sequence[Job],
    num_workers: int,
    tell: Callable[[Progress | Finished[Done] | Died], None],
    asked: Event,
) -> None:
    """Do all jobs, and tell of each as it goes on.

    Args:
        open_worker: Called once a process; gives what does a job. Picklable, and so are jobs.
        jobs: In the order in which they are begun.
        num_workers: Processes. 0 works in this one, which a job may kill then.
        tell: Called here, in one thread.
        asked: Set from elsewhere, it ends what is under way and begins no more.

    Raises:
        InterruptedJob: It was set.
    """
    if num_workers == 0:
        _run_here(open_worker, jobs, tell, asked)
        return
    crew = _Crew(open_worker, jobs)
    try:
        while crew.hire_up_to(num_workers):
            for event in crew.listen():
                tell(event)
            if asked.is_set():
                raise InterruptedJob("stopped")
    finally:
        crew.dismiss()


def _run_here(
    open_worker: Callable[[], Callable[[Job, Report], Done]],
    jobs: Sequence[Job],
    tell: Callable[[Progress | Finished[Done] | Died], None],
    asked: Event,
) -> None:
    work = open_worker()
    for i, job in enumerate(jobs):
        tell(Finished(i, work(job, partial(_report_here, tell, asked, i))))


def _report_here(tell: Callable[[Progress], None], asked: Event, job: int, share: float) -> None:
    if asked.is_set():
        raise InterruptedJob("stopped")
    tell(Progress(job, share))


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    job: int | None = None


class _Crew(Generic[Job, Done]):
    """Processes with a job each, and the jobs that wait."""

    def __init__(
        self, open_worker: Callable[[], Callable[[Job, Report], Done]], jobs: Sequence[Job]
    ) -> None:
        self._open_worker, self._jobs = open_worker, jobs
        self._waiting = list(range(len(jobs)))[::-1]
        self._workers: list[_Worker] = []

    def hire_up_to(self, num_workers: int) -> bool:
        """Give every waiting job a process, as far as there may be some; tell if any works."""
        while self._waiting and len(self._workers) < num_workers:
            self._hire()
        for worker in self._workers:
            if worker.job is None and self._waiting:
                worker.job = self._waiting.pop()
                worker.pipe.send((worker.job, self._jobs[worker.job]))
        return any(worker.job is not None for worker in self._workers)

    def listen(self) -> list[Progress | Finished[Done] | Died]:
        """Return what workers have to say, after a moment if nothing."""
        ready = wait([worker.pipe for worker in self._workers], timeout=_LOOK_EVERY_S)
        heard = []
        for worker in [worker for worker in self._workers if worker.pipe in ready]:
            event = self._hear(worker)
            heard += [] if event is None else [event]
        return heard

    def dismiss(self) -> None:
        """End all workers; those at work clear up if they are quick."""
        for worker in self._workers:
            worker.pipe.close()
        for worker in self._workers:
            worker.process.join(_FAREWELL_S)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()

    def _hire(self) -> None:
        # Spawned, not forked: decoders and OpenCV's threads do not survive a fork.
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._open_worker), daemon=True)
        process.start()
        theirs.close()
        self._workers.append(_Worker(process, ours))

    def _hear(self, worker: _Worker) -> Progress | Finished[Done] | Died | None:
        try:
            event: Progress | Finished[Done] = worker.pipe.recv()
        except (EOFError, ConnectionResetError):
            worker.process.join()
            self._workers.remove(worker)
            code = worker.process.exitcode or 0
            how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
            why = "out of memory, or its decoder crashed" if code < 0 else "see its error above"
            return None if worker.job is None else Died(worker.job, f"its process {how}: {why}")
        if isinstance(event, Finished):
            worker.job = None
        return event


def _report(pipe: Connection, job: int, share: float) -> None:
    pipe.send(Progress(job, share))


def _serve(pipe: Connection, open_worker: Callable[[], Callable[[Job, Report], Done]]) -> None:
    """Do the jobs that come through the pipe, until nobody is at its other end."""
    leave_with_parent()
    # Ctrl-C goes to the whole group: the parent decides, and closes the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)  # the workers are the parallelism
    try:
        work = open_worker()
        while True:
            number, job = pipe.recv()
            pipe.send(Finished(number, work(job, partial(_report, pipe, number))))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
