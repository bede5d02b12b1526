"""What was shown of each face, as stretches of time: what annotation programs take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from emotemporal.inference.predictor import Judgement


@dataclass(frozen=True)
class Segment:
    """A stretch over which the same was shown of a face."""

    start_s: float
    end_s: float
    value: str


class Segments:
    """Joins judgements to segments, tier by tier; holds one record a change, not a tick.

    Args:
        period_s: Of the model's clock: the last judgement of a segment holds for that long.
    """

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._tiers: dict[tuple[int, str], list[Segment]] = {}

    @property
    def tiers(self) -> Mapping[tuple[int, str], Sequence[Segment]]:
        """The segments so far, by face and by `label` or `state`; of one tier they do not overlap.

        `label` has what was shown; `state` the stretches of warm-up and of uncertainty.
        """
        return self._tiers

    def write(self, judgements: Iterable[Judgement]) -> None:
        """Take judgements, each face's in time order."""
        for judgement in judgements:
            label = None if judgement.shown is None else judgement.shown.value
            self._add((judgement.track_id, "label"), judgement.time_s, label)
            self._add((judgement.track_id, "state"), judgement.time_s, _state(judgement))

    def _add(self, tier: tuple[int, str], time_s: float, value: str | None) -> None:
        segments = self._tiers.setdefault(tier, [])
        if value is None:
            return
        end_s = time_s + self._period_s
        last = segments[-1] if segments else None
        # Half a period of slack: ticks are rounded, and a gap is at least one tick long.
        if last and last.value == value and time_s < last.end_s + 0.5 * self._period_s:
            segments[-1] = Segment(last.start_s, end_s, value)
            return
        if last and last.end_s > time_s:
            segments[-1] = Segment(last.start_s, time_s, last.value)
        segments.append(Segment(time_s, end_s, value))


def _state(judgement: Judgement) -> str | None:
    if judgement.is_warm_up:
        return "warm-up"
    return "uncertain" if judgement.is_uncertain else None
