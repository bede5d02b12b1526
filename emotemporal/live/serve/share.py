"""A few threads, many connections: whoever has had the least time of them is next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from emotemporal.timing import Clock, monotonic

Result = TypeVar("Result")


@dataclass(eq=False)
class _Waiting:
    client: Hashable
    start: float
    turn: asyncio.Future[None]


class FairShare:
    """Lends worker threads to clients, one job at a time; none gets more time than another wants.

    Start-time fair queueing (Goyal, Vin and Cheng 1996): a client's job is tagged with the time
    that it has used, or with now's if it comes back from a rest, and the lowest tag goes first.
    One that asks seldom is served at once; one that asks for much waits behind those that do not.

    Args:
        num_workers: Threads.
        clock: Measures what each job took.
    """

    def __init__(self, num_workers: int, clock: Clock = monotonic) -> None:
        self._pool = ThreadPoolExecutor(num_workers, thread_name_prefix="judge")
        self._num_free = num_workers
        self._clock = clock
        self._waiting: list[_Waiting] = []
        self._used: dict[Hashable, float] = {}
        self._now = 0.0

    async def run(self, client: Hashable, work: Callable[[], Result]) -> Result:
        """Do `work` in a thread when it is the client's turn; return or raise what it does.

        A client has one job at a time: what it asks for next, it asks for with what came of this.
        """
        start = max(self._used.get(client, 0.0), self._now)
        mine = _Waiting(client, start, asyncio.get_running_loop().create_future())
        self._waiting.append(mine)
        self._call_next()
        try:
            await mine.turn
        except asyncio.CancelledError:
            self._withdraw(mine)
            raise
        return await self._work(client, start, work)

    def forget(self, client: Hashable) -> None:
        """Drop what is remembered of a client that has gone."""
        self._used.pop(client, None)

    def close(self) -> None:
        """End the threads; jobs under way are waited for."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def _work(self, client: Hashable, start: float, work: Callable[[], Result]) -> Result:
        loop = asyncio.get_running_loop()
        began = self._clock()
        self._used[client] = start  # not charged for a job that is cancelled before it begins

        def release(_: Future[Result]) -> None:
            loop.call_soon_threadsafe(self._release, client, start + self._clock() - began)

        job = self._pool.submit(work)
        # Of the thread's end, not of our waiting for it: a client that leaves in the middle leaves
        # the thread busy.
        job.add_done_callback(release)
        return await asyncio.wrap_future(job)

    def _release(self, client: Hashable, used: float) -> None:
        self._num_free += 1
        if client in self._used:
            self._used[client] = used
        self._call_next()

    def _withdraw(self, mine: _Waiting) -> None:
        if mine in self._waiting:
            self._waiting.remove(mine)
        elif not mine.turn.cancelled():  # its turn had come: pass it on
            self._num_free += 1
            self._call_next()

    def _call_next(self) -> None:
        while self._num_free and self._waiting:
            chosen = min(self._waiting, key=lambda waiting: waiting.start)  # the first of equals
            self._waiting.remove(chosen)
            if chosen.turn.cancelled():
                continue
            self._now = max(self._now, chosen.start)
            self._num_free -= 1
            chosen.turn.set_result(None)
