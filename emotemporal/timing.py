"""One rule that puts frames on the model's clock, offline and live.

Sample and hold: the clock starts at a stream's first frame; each tick takes the latest frame not
after it. Inside, times are integer nanoseconds: as floats, `3 * 0.1 > 0.3`, and ticks are missed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

Item = TypeVar("Item")
NS_PER_S = 1_000_000_000


@runtime_checkable
class Clock(Protocol):
    """Tells seconds that only grow. Injected, so that tests decide what time it is."""

    def __call__(self) -> float:
        """Return the time in seconds, from an arbitrary start."""


monotonic: Clock = time.perf_counter


def date_and_time() -> datetime:
    """Return the time by the wall clock, with its zone: for names of files and dates on documents.

    No result may depend on it.
    """
    return datetime.now(UTC).astimezone()


def to_ns(time_s: float) -> int:
    """Round a time to the nanosecond."""
    return round(time_s * NS_PER_S)


def to_growing_ns(times_s: Sequence[float] | Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Round frames' times to the nanosecond.

    Raises:
        ValueError: Times that do not grow.
    """
    # Single precision would be multiplied as such, and the clock start before the first frame.
    seconds = np.asarray(times_s, dtype=np.float64).tolist()
    times_ns = np.array([to_ns(t) for t in seconds], dtype=np.int64)
    is_late = np.flatnonzero(np.diff(times_ns) <= 0)
    if len(is_late):
        i = int(is_late[0])
        raise ValueError(
            f"times must grow from frame to frame; frame {i + 1} is at {times_s[i + 1]} s, "
            f"frame {i} at {times_s[i]} s"
        )
    return times_ns


@dataclass(frozen=True)
class ClipRate:
    """How many frames per second the model sees.

    Raises:
        ValueError: Not between 0.1 and 1000 Hz.
    """

    hz: float

    def __post_init__(self) -> None:
        if not 0.1 <= self.hz <= 1000:
            raise ValueError(f"clip rate is {self.hz} Hz; it can be 0.1 to 1000")

    @property
    def period_s(self) -> float:
        """From one tick to the next."""
        return 1 / self.hz

    def tick_ns(self, tick: int) -> int:
        """Return when tick number `tick` is, from the first; rounded once each, so none drift."""
        return round(tick * NS_PER_S / self.hz)


class FrameBuffer(Generic[Item]):
    """Puts one track's crops onto the model's clock, by sample and hold.

    A camera asked for 30 fps gives 24 to 31. The GRU was trained at one exact rate and has no
    other notion of time, so frames must reach it at that rate. Offline, `hold_indices` applies the
    same rule to a whole clip.
    """

    def __init__(self, rate: ClipRate) -> None:
        self._rate = rate
        self._origin_ns: int | None = None
        self._tick = 0
        self._held: tuple[Item, int] | None = None

    def push(self, item: Item, time_s: float) -> list[tuple[Item, float]]:
        """Take one item; give back the ones now due with their tick's time, oldest first.

        An item is due only once a later one has come, so this adds up to one camera period of
        latency; `flush` gives what is left when the stream ends.

        Raises:
            ValueError: `time_s` is not later than that of the item before.
        """
        now_ns = to_ns(time_s)
        if self._held is None or self._origin_ns is None:
            self._origin_ns = now_ns
            self._held = (item, now_ns)
            return []
        if now_ns <= self._held[1]:
            raise ValueError(
                f"frame at {time_s:.6f} s comes after one at {self._held[1] / NS_PER_S:.6f} s; "
                "times must grow"
            )
        due = self._take_due(before_ns=now_ns)
        self._held = (item, now_ns)
        return due

    def flush(self) -> list[tuple[Item, float]]:
        """Give what is due at the end of the stream: the last tick, if the last frame is on it."""
        return [] if self._held is None else self._take_due(before_ns=self._held[1] + 1)

    def _take_due(self, before_ns: int) -> list[tuple[Item, float]]:
        assert self._held is not None
        assert self._origin_ns is not None
        due = []
        while (tick_ns := self._origin_ns + self._rate.tick_ns(self._tick)) < before_ns:
            due.append((self._held[0], tick_ns / NS_PER_S))
            self._tick += 1
        return due


def hold_indices(
    times_s: Sequence[float] | Float[np.ndarray, " n"], rate: ClipRate
) -> Int[np.ndarray, " t"]:
    """Return which frame each tick of the model's clock takes, from the first frame to the last.

    Raises:
        ValueError: Times that do not grow.
    """
    times_ns = to_growing_ns(times_s)
    if len(times_ns) == 0:
        return np.zeros(0, dtype=np.int64)
    return hold_at(times_ns, ticks_between_ns(int(times_ns[0]), int(times_ns[-1]), rate))


def hold_at(
    times_ns: Int[np.ndarray, " n"], instants_ns: Int[np.ndarray, " t"]
) -> Int[np.ndarray, " t"]:
    """Return which frame is held at each instant: the latest one not after it.

    None of the instants may be before the first frame.
    """
    return np.searchsorted(times_ns, instants_ns, side="right").astype(np.int64) - 1


def tick_times_ns(start_s: float, end_s: float, rate: ClipRate) -> Int[np.ndarray, " t"]:
    """Return the clock's ticks from `start_s` to `end_s`, both included, in nanoseconds."""
    return ticks_between_ns(to_ns(start_s), to_ns(end_s), rate)


def ticks_between_ns(start_ns: int, end_ns: int, rate: ClipRate) -> Int[np.ndarray, " t"]:
    """Return the ticks of a clock that starts at `start_ns`, up to and including `end_ns`."""
    count = int((end_ns - start_ns) * rate.hz / NS_PER_S) + 2
    ticks = start_ns + np.array([rate.tick_ns(i) for i in range(count)], dtype=np.int64)
    return ticks[ticks <= end_ns]
