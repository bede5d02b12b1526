"""The stages between a source and its sinks: follow, judge, write. One loop for every job."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Protocol, runtime_checkable

from emotemporal.faces.follow import Follows
from emotemporal.inference.predictor import Judgement, StreamPredictor
from emotemporal.live.pace import Delays, Pace
from emotemporal.timing import Clock, monotonic
from emotemporal.types import FaceView, Frame
from emotemporal.video.source import SourceStatus


@dataclass(frozen=True, eq=False)
class Moment:
    """One frame with its faces, and the judgements that came due with it.

    While a live source gives nothing, moments come all the same, so that a window lives: with the
    last picture and its index, the time that it is, and its faces until the source stalls, as
    `status` says; then with none.
    """

    frame: Frame
    views: Sequence[FaceView]
    judgements: Sequence[Judgement]
    status: SourceStatus | None = None
    """How a live source fares; None for a file."""
    pace: Pace | None = None
    """How far behind life a live run is; None for a file."""


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


class Nowhere:
    """A `Sink` for those who take the judgements themselves."""

    is_closed = False

    def write(self, moment: Moment) -> None:
        """Take nothing."""

    def finish(self, judgements: Sequence[Judgement]) -> None:
        """Take nothing."""


@dataclass
class Tally:
    """What a run has done so far, and how long its stages took."""

    num_frames: int = 0
    num_ticks: int = 0
    num_skipped: int = 0
    """Ticks of live faces left out, because the model could not keep up."""
    track_ids: set[int] = field(default_factory=set)
    follow_s: float = 0.0
    judge_s: float = 0.0
    write_s: float = 0.0
    delays: Delays = field(default_factory=Delays)
    was_stopped: bool = False
    """Ended by a signal or a closed window, before the source did."""

    def add(self, judgements: Sequence[Judgement]) -> None:
        """Count judgements, and whose they are."""
        self.num_ticks += len(judgements)
        self.track_ids.update(judgement.track_id for judgement in judgements)


class Stages:
    """The three stages, one frame at a time, with what each takes by the clock given.

    Args:
        follower: Finds and follows faces.
        predictor: Judges them.
        sink: Gets everything, frame by frame.
        max_faces: The faces followed longest are judged; others wait.
        clock: Measures the stages, and nothing else.
    """

    def __init__(
        self,
        follower: Follows,
        predictor: StreamPredictor,
        sink: Sink,
        max_faces: int,
        clock: Clock = monotonic,
    ) -> None:
        self._follower, self._predictor, self._sink = follower, predictor, sink
        self._max_faces, self._clock = max_faces, clock
        self.tally = Tally()

    @property
    def model_period_s(self) -> float:
        """From one tick of the model's clock to the next."""
        return self._predictor.period_s

    @property
    def is_closed(self) -> bool:
        """Whether whoever looks on has seen enough."""
        return self._sink.is_closed

    def follow(self, frame: Frame) -> list[FaceView]:
        """Return the next frame's faces."""
        started = self._clock()
        # Ids count up, so the lowest are those followed longest: a newcomer displaces nobody.
        views = sorted(self._follower.step(frame), key=lambda view: view.track.id)
        self.tally.num_frames += 1
        self.tally.follow_s += self._clock() - started
        return views[: self._max_faces]

    def judge(
        self, views: Sequence[FaceView], time_s: float, max_ticks: int | None = None
    ) -> list[Judgement]:
        """Return the judgements that came due; of each face the newest `max_ticks` at most."""
        started = self._clock()
        judgements = self._predictor.step(views, time_s, max_ticks)
        self.tally.judge_s += self._clock() - started
        self.tally.num_skipped = self._predictor.num_skipped
        self.tally.add(judgements)
        return judgements

    def write(self, moment: Moment) -> None:
        """Hand on what was seen and said."""
        started = self._clock()
        self._sink.write(moment)
        self.tally.write_s += self._clock() - started

    def finish(self) -> Tally:
        """Hand on what was still due; return what was done."""
        rest = self._predictor.finish()
        self.tally.add(rest)
        self._sink.finish(rest)
        return self.tally


def run_stages(
    frames: Iterable[Frame],
    follower: Follows,
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
    return run_recorded(frames, Stages(follower, predictor, sink, max_faces, clock), asked)


def run_recorded(frames: Iterable[Frame], stages: Stages, asked: Event | None = None) -> Tally:
    """Take every frame through stages that are set up already; see `run_stages`."""
    for frame in frames:
        views = stages.follow(frame)
        judgements = stages.judge(views, frame.time_s)
        stages.write(Moment(frame, views, judgements))
        if stages.is_closed or (asked is not None and asked.is_set()):
            stages.tally.was_stopped = True
            break
    return stages.finish()
