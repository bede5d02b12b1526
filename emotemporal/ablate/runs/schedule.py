"""All runs of a study, one after the other or several at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

from emotemporal.ablate.runs.plan import PlannedRun
from emotemporal.ablate.runs.process import Failure, Starter, has_finished, has_judged, judge, train
from emotemporal.stopping import InterruptedJob
from emotemporal.timing import Clock

_log = logging.getLogger(__name__)
_Go = Callable[[tuple[int, PlannedRun]], list[Failure]]


def run_all(
    runs: Sequence[PlannedRun],
    start: Starter,
    clock: Clock,
    stop: Event,
    workers: int,
    after_each: Callable[[Sequence[Failure]], None],
) -> list[Failure]:
    """Train and judge what is missing; return what failed, in the order of `runs`.

    Args:
        runs: All of the study.
        start: Starts one job and waits for it.
        clock: For the minutes in the table alone.
        stop: If made, running jobs are asked to stop and no other is begun.
        workers: How many runs at a time.
        after_each: Called with what has failed so far.

    Raises:
        InterruptedJob: `stop` was made.
    """
    count = len(runs)

    def go(numbered: tuple[int, PlannedRun]) -> list[Failure]:
        number, run = numbered
        return [] if stop.is_set() else _run_one(f"[{number}/{count}]", run, start, clock, stop)

    failures: list[Failure] = []
    with _results(go, runs, workers) as results:
        for found in results:
            if stop.is_set():
                num_done = sum(map(has_finished, runs))
                raise InterruptedJob(
                    f"stopped; {num_done} of {count} runs have finished. The same command goes on."
                )
            failures += found
            after_each(failures)
    return failures


@contextmanager
def _results(
    go: _Go, runs: Sequence[PlannedRun], workers: int
) -> Iterator[Iterator[list[Failure]]]:
    if workers == 1:
        yield map(go, enumerate(runs, start=1))
        return
    with ThreadPoolExecutor(workers) as pool:  # threads that wait for processes
        yield pool.map(go, enumerate(runs, start=1))


def _run_one(
    number: str, run: PlannedRun, start: Starter, clock: Clock, stop: Event
) -> list[Failure]:
    failures: list[Failure] = []
    if not has_finished(run):
        _log.info("%s %s", number, run.name)
        if failed := train(run, start, stop, clock):
            failures.append(failed)
    for name in run.evaluations if not failures else ():
        if stop.is_set() or has_judged(run.evaluations[name]):
            continue
        _log.info("%s %s: evaluation %s", number, run.name, name)
        if failed := judge(run, name, start, stop):
            failures.append(failed)
    for one in failures if not stop.is_set() else ():
        _log.error("failed: %s: %s (log: %s)", one.what, one.reason, one.log)
    return failures
