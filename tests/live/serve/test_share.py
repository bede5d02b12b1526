from __future__ import annotations

import asyncio
import threading
from collections import Counter
from functools import partial

import pytest

from emotemporal.live.serve.share import FairShare


class SteppingClock:
    """Seconds that pass only while somebody works."""

    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


def turns_of(costs_s, until_s):
    """Let clients ask again and again, one worker; return whose turns came, in order."""
    clock, turns = SteppingClock(), []
    share = FairShare(1, clock)

    async def keep_asking(name):
        def work():
            clock.now_s += costs_s[name]
            turns.append(name)

        while clock.now_s < until_s:
            await share.run(name, work)

    async def everybody():
        await asyncio.gather(*map(keep_asking, costs_s))

    asyncio.run(everybody())
    share.close()
    return turns


def test_whoever_asks_for_much_gets_no_more_time_than_another():
    costs_s = {"small": 0.01, "large": 0.25, "medium": 0.05}
    turns = Counter(turns_of(costs_s, until_s=60))
    spent_s = {name: turns[name] * cost_s for name, cost_s in costs_s.items()}
    # On a busy machine somebody asks again a turn late now and then.
    assert spent_s["large"] == pytest.approx(spent_s["medium"], rel=0.1)
    # It has one frame under way at a time, and is next whenever it comes back.
    assert turns["small"] == pytest.approx(turns["large"] + turns["medium"], rel=0.05)


def test_one_that_was_away_is_served_within_a_round_and_has_saved_nothing_up():
    order, clock = [], SteppingClock()
    share = FairShare(1, clock)

    async def ask(*names):
        def work(name):
            clock.now_s += 1.0
            order.append(name)

        await asyncio.gather(*(share.run(name, partial(work, name)) for name in names))

    async def run():
        await ask("late")
        for _ in range(10):
            await ask("a", "b")
        order.clear()
        for _ in range(6):
            await ask("a", "b", "late")
        assert order.index("late") <= 2
        assert Counter(order[:9]) == {"a": 3, "b": 3, "late": 3}

    asyncio.run(run())
    share.close()


def test_an_error_is_the_clients_own_and_the_worker_goes_on():
    async def run():
        share = FairShare(1)
        with pytest.raises(ZeroDivisionError):
            await share.run("a", lambda: 1 / 0)
        assert await share.run("b", lambda: 7) == 7
        share.close()

    asyncio.run(run())


def test_one_that_leaves_while_it_waits_gives_its_turn_away():
    async def run():
        share = FairShare(1)
        held = threading.Event()
        first = asyncio.create_task(share.run("first", lambda: held.wait(timeout=60)))
        await asyncio.sleep(0)
        leaving = asyncio.create_task(share.run("leaving", lambda: "never"))
        staying = asyncio.create_task(share.run("staying", lambda: "done"))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.sleep(0)
        held.set()
        assert await staying == "done"
        assert await first
        share.close()

    asyncio.run(run())
