"""Which label a stream shows: not every flicker of its probabilities, and the last one in doubt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from emotemporal.labels import Emotion
from emotemporal.timing import to_growing_ns, to_ns
from emotemporal.types import StreamPrediction


@runtime_checkable
class _Timed(Protocol):
    @property
    def time_s(self) -> float: ...


class LabelState(NamedTuple):
    """Which label is on show (its index), and since when another one has been ahead."""

    time_s: float
    shown: int
    challenger: int | None
    ahead_since_s: float


@dataclass(frozen=True)
class Hysteresis:
    """Chooses the label to show: another takes over once it has been ahead, by enough, for long.

    The first answer is shown at once. Steps that are left out, as while an answer is uncertain,
    hold the label.
    """

    margin: float = 0.05
    """By how much another emotion must be ahead of the one on show."""
    dwell_s: float = 0.15
    """For how long, without a break."""

    def __post_init__(self) -> None:
        if not 0 <= self.margin < 1:
            raise ValueError(
                f"margin is {self.margin}; a difference of probabilities is 0 to below 1"
            )
        if not self.dwell_s >= 0:
            raise ValueError(f"dwell_s is {self.dwell_s}; a time is 0 s or more")

    def step(
        self, probabilities: Float[np.ndarray, " k"], time_s: float, state: LabelState | None
    ) -> tuple[int, LabelState]:
        """Return the index of the label to show from `time_s` on.

        Raises:
            ValueError: `time_s` is not later than that of the step before.
        """
        best = int(probabilities.argmax())
        if state is None:
            return best, LabelState(time_s, best, None, time_s)
        seconds_since(state, time_s)
        is_ahead = best != state.shown and (
            probabilities[best] >= probabilities[state.shown] + self.margin
        )
        if not is_ahead:
            return state.shown, LabelState(time_s, state.shown, None, time_s)
        since_s = state.ahead_since_s if state.challenger == best else time_s
        if to_ns(time_s) - to_ns(since_s) >= to_ns(self.dwell_s):
            return best, LabelState(time_s, best, None, time_s)
        return state.shown, LabelState(time_s, state.shown, best, since_s)


def show_stream(
    prediction: StreamPrediction, rule: Hysteresis, uncertain_below: float = 0.0
) -> tuple[list[Emotion | None], Bool[np.ndarray, " t"]]:
    """Return the label on show at each time, and whether the answer was uncertain then.

    An answer is uncertain while no emotion reaches `uncertain_below`: the last label stays, and
    before the first certain answer there is none.
    """
    uncertain = prediction.probabilities.max(axis=1) < uncertain_below
    state: LabelState | None = None
    shown: list[Emotion | None] = []
    for i, time_s in enumerate(prediction.times_s):
        if not uncertain[i]:
            _, state = rule.step(prediction.probabilities[i], float(time_s), state)
        shown.append(None if state is None else prediction.labels.emotions[state.shown])
    return shown, uncertain


def show_together(
    probabilities: Float[np.ndarray, "t s k"],
    times_s: Float[np.ndarray, " t"],
    rule: Hysteresis,
    uncertain: Bool[np.ndarray, "t s"],
) -> Int[np.ndarray, "t s"]:
    """Return the index of the label on show, -1 for none yet, of streams that tick together.

    `rule`, step by step, for all of them at once: a study asks hundreds of rules of a hundred
    streams. Steps that are uncertain are left out.
    """
    times_ns, dwell_ns = to_growing_ns(times_s), to_ns(rule.dwell_s)
    best = probabilities.argmax(axis=-1)
    at = np.arange(probabilities.shape[1])
    shown = np.full(len(at), -1)
    challenger = np.full(len(at), -1)
    since_ns = np.zeros(len(at), dtype=np.int64)
    rows = np.empty(best.shape, dtype=np.int64)
    for i, time_ns in enumerate(times_ns):
        row, now, heard = probabilities[i], best[i], ~uncertain[i]
        margins = row[at, now] >= row[at, shown] + rule.margin
        is_ahead = (now != shown) & margins & (shown >= 0)
        since_ns = np.where(is_ahead & (challenger != now) & heard, time_ns, since_ns)
        is_over = (is_ahead & (time_ns - since_ns >= dwell_ns)) | (shown < 0)
        challenger = np.where(heard, np.where(is_ahead & ~is_over, now, -1), challenger)
        shown = np.where(heard & is_over, now, shown)
        rows[i] = shown
    return rows


def seconds_since(state: _Timed | None, time_s: float) -> float:
    """Return how long ago a stream's last step was; 0 for a stream that starts.

    Raises:
        ValueError: It was not before `time_s`.
    """
    if state is None:
        return 0.0
    if to_ns(time_s) <= to_ns(state.time_s):
        raise ValueError(
            f"step at {time_s:.6f} s comes after one at {state.time_s:.6f} s; times must grow"
        )
    return time_s - state.time_s
