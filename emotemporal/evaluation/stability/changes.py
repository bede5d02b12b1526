"""What became of every true change of a stream, by one definition.

Change `i` happens at `t_i`, half of a blend; its segment ends at `u_i`. It is *detected* at the
first `t` in `[t_i, u_i)` from which the new label shows for 0.25 s, or until `u_i` if sooner; its
lag is `t - t_i`. A label that was already showing at `t_i` is *pre-set*: counted, without a lag.
Never detected is *missed*. Each change takes its first qualifying switch; the rest is *spurious*.

A shown label holds from its time until the next. Inside, times are integer nanoseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from emotemporal.labels import Emotion
from emotemporal.timing import NS_PER_S, to_ns
from emotemporal.types import Target

HOLD_S = 0.25


@dataclass(frozen=True)
class ChangeOutcome:
    """What became of one true change."""

    time_s: float
    until_s: float
    emotion: Emotion
    outcome: Literal["detected", "pre_set", "missed"]
    lag_s: float | None
    """Only if detected."""


@dataclass(frozen=True)
class StreamStability:
    """What one stream did while its truth was known."""

    changes: tuple[ChangeOutcome, ...]
    num_switches: int
    spurious_s: tuple[float, ...]
    """When: switches that no change took."""
    duration_s: float
    uncertain_toggles: int
    """How often the answer became uncertain or certain again."""
    uncertain_s: float

    @property
    def num_spurious(self) -> int:
        """Switches that no change took."""
        return len(self.spurious_s)


class _Run(NamedTuple):
    """A label on show without a break."""

    start_ns: int
    end_ns: int
    label: Emotion | None
    is_switch: bool


class _Change(NamedTuple):
    start_ns: int
    end_ns: int
    emotion: Emotion


def measure_stream(
    times_s: Float[np.ndarray, " t"],
    shown: Sequence[Emotion | None],
    truth: Sequence[Target],
    is_uncertain: Bool[np.ndarray, " t"] | None = None,
    end_s: float | None = None,
) -> StreamStability:
    """Compare what a stream showed with what was true, over the time for which both are known.

    Args:
        times_s: When each label began to show.
        shown: What showed; None (warm-up, face away) shows nothing, and going to or from it is no
            switch. While uncertain, the last label.
        truth: Segments in time order. Where two overlap or leave a gap, they change in its middle.
        is_uncertain: Whether the answer was uncertain.
        end_s: Until when the last label showed; by default until its own time.

    Raises:
        ValueError: Unequal lengths, times that do not grow, truth out of order, or no common time.
    """
    _check_stream(times_s, shown, truth)
    edges_ns = [to_ns(t) for t in times_s]
    edges_ns.append(max(edges_ns[-1], to_ns(end_s) if end_s is not None else 0))
    start_ns = max(edges_ns[0], to_ns(truth[0].start_s))
    stop_ns = min(edges_ns[-1], to_ns(truth[-1].end_s))
    if stop_ns <= start_ns:
        raise ValueError(
            f"the stream lasts from {times_s[0]:.3f} to {edges_ns[-1] / NS_PER_S:.3f} s, its truth "
            f"from {truth[0].start_s:.3f} to {truth[-1].end_s:.3f} s; they have no time in common"
        )
    runs = _runs(edges_ns, shown, stop_ns)
    changes = [c for c in _changes(truth, stop_ns) if start_ns <= c.start_ns < stop_ns]
    taken: set[int] = set()
    outcomes = tuple(_outcome(change, runs, taken) for change in changes)
    switches = [i for i, run in enumerate(runs) if run.is_switch and run.start_ns >= start_ns]
    flags = np.zeros(len(shown), bool) if is_uncertain is None else np.asarray(is_uncertain, bool)
    toggles, uncertain_ns = _uncertainty(edges_ns, flags, start_ns, stop_ns)
    return StreamStability(
        changes=outcomes,
        num_switches=len(switches),
        spurious_s=tuple(runs[i].start_ns / NS_PER_S for i in switches if i not in taken),
        duration_s=(stop_ns - start_ns) / NS_PER_S,
        uncertain_toggles=toggles,
        uncertain_s=uncertain_ns / NS_PER_S,
    )


def _check_stream(
    times_s: Float[np.ndarray, " t"], shown: Sequence[Emotion | None], truth: Sequence[Target]
) -> None:
    if len(times_s) == 0 or len(times_s) != len(shown):
        raise ValueError(f"{len(times_s)} times and {len(shown)} labels; a stream has one each")
    if np.any(np.diff([to_ns(t) for t in times_s]) <= 0):
        raise ValueError("times must grow from label to label")
    if not truth:
        raise ValueError("there is no truth to compare the stream with")
    for earlier, later in pairwise(truth):
        if not (earlier.start_s < later.start_s and earlier.end_s < later.end_s):
            raise ValueError(f"truth is not in time order: {earlier} before {later}")


def _runs(edges_ns: Sequence[int], shown: Sequence[Emotion | None], stop_ns: int) -> list[_Run]:
    runs: list[_Run] = []
    last: Emotion | None = None
    for i, label in enumerate(shown):
        if edges_ns[i] >= stop_ns:
            break
        end_ns = min(edges_ns[i + 1], stop_ns)
        if runs and runs[-1].label == label:
            runs[-1] = runs[-1]._replace(end_ns=end_ns)
            continue
        is_switch = label is not None and last is not None and label != last
        runs.append(_Run(edges_ns[i], end_ns, label, is_switch))
        last = label if label is not None else last
    return runs


def _changes(truth: Sequence[Target], stop_ns: int) -> list[_Change]:
    """Return true changes; a segment that goes on with the same emotion is none."""
    starts_ns = [
        (to_ns(earlier.end_s) + to_ns(later.start_s)) // 2 for earlier, later in pairwise(truth)
    ]
    changes: list[_Change] = []
    for (earlier, later), start_ns in zip(pairwise(truth), starts_ns, strict=True):
        if earlier.emotion != later.emotion:
            if changes:
                changes[-1] = changes[-1]._replace(end_ns=min(start_ns, stop_ns))
            changes.append(_Change(start_ns, stop_ns, later.emotion))
    return changes


def _outcome(change: _Change, runs: Sequence[_Run], taken: set[int]) -> ChangeOutcome:
    """Find the change's first qualifying switch among `runs`, and put it into `taken`."""

    def told(outcome: Literal["detected", "pre_set", "missed"], at_ns: int | None) -> ChangeOutcome:
        lag_s = None if at_ns is None else (at_ns - change.start_ns) / NS_PER_S
        return ChangeOutcome(
            change.start_ns / NS_PER_S, change.end_ns / NS_PER_S, change.emotion, outcome, lag_s
        )

    for i, run in enumerate(runs):
        if run.label != change.emotion or run.end_ns <= change.start_ns:
            continue
        if run.start_ns < change.start_ns:
            return told("pre_set", None)
        if run.start_ns >= change.end_ns:
            break
        if run.end_ns >= min(run.start_ns + to_ns(HOLD_S), change.end_ns):
            taken.add(i)
            return told("detected", run.start_ns)
    return told("missed", None)


def _uncertainty(
    edges_ns: Sequence[int], flags: Bool[np.ndarray, " t"], start_ns: int, stop_ns: int
) -> tuple[int, int]:
    """Return how often uncertainty came or went, and how long it lasted, from start to stop."""
    edges = np.clip(np.asarray(edges_ns, dtype=np.int64), start_ns, stop_ns)
    came_or_went = np.flatnonzero(flags[1:] != flags[:-1]) + 1
    at_ns = np.asarray(edges_ns, dtype=np.int64)[came_or_went]
    toggles = int(np.sum((at_ns >= start_ns) & (at_ns < stop_ns)))
    return toggles, int(np.diff(edges)[flags].sum())
