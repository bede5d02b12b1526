"""The stages between a source and its sinks: follow, judge, write. One loop for every job."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Protocol, runtime_checkable

from emotemporal.faces.follow import Follower
from emotemporal.inference.predictor import Judgement, StreamPredictor
from emotemporal.timing import Clock, monotonic
from emotemporal.types import FaceView, Frame


@dataclass(frozen=True, eq=False)
class Moment:
    """One frame with its faces, and the judgements that came due with it."""

    frame: Frame
    views: Sequence[FaceView]
    judgements: Sequence[Judgement]


@runtime_checkable
class Sink(Protocol):
    """Takes what was seen and said of each frame."""

    @property
    def is_closed(self) -> bool:
        """Whether whoever looks on has seen enough."""

    def write(self, moment: Moment) -> None:
        """Take the next one."""

    def finish(self, judgements: Sequence[Judgement]) -> None:
        """Take the judgements that were still due when the source ended."""


@dataclass
class Tally:
    """What a run has done so far, and how long its stages took."""

    num_frames: int = 0
    num_ticks: int = 0
    track_ids: set[int] = field(default_factory=set)
    follow_s: float = 0.0
    judge_s: float = 0.0
    write_s: float = 0.0
    was_stopped: bool = False
    """Ended by a signal or a closed window, before the source did."""

    def add(self, judgements: Sequence[Judgement]) -> None:
        """Count judgements, and whose they are."""
        self.num_ticks += len(judgements)
        self.track_ids.update(judgement.track_id for judgement in judgements)


def run_stages(
    frames: Iterable[Frame],
    follower: Follower,
    predictor: StreamPredictor,
    sink: Sink,
    max_faces: int,
    clock: Clock = monotonic,
    asked: Event | None = None,
) -> Tally:
    """Take every frame through all stages; nothing is dropped, nothing depends on the clock.

    Args:
        frames: In time order.
        follower: Finds and follows faces.
        predictor: Judges them.
        sink: Gets everything, frame by frame.
        max_faces: The faces followed longest are judged; others wait.
        clock: Measures the stages, and nothing else.
        asked: Set from elsewhere, it ends the run after the frame in hand.
    """
    tally = Tally()
    for frame in frames:
        started = clock()
        # Ids count up, so the lowest are those followed longest: a newcomer displaces nobody.
        views = sorted(follower.step(frame), key=lambda view: view.track.id)[:max_faces]
        followed = clock()
        judgements = predictor.step(views, frame.time_s)
        judged = clock()
        sink.write(Moment(frame, views, judgements))
        written = clock()
        tally.num_frames += 1
        tally.add(judgements)
        tally.follow_s += followed - started
        tally.judge_s += judged - followed
        tally.write_s += written - judged
        if sink.is_closed or (asked is not None and asked.is_set()):
            tally.was_stopped = True
            break
    rest = predictor.finish()
    tally.add(rest)
    sink.finish(rest)
    return tally
