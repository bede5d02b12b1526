"""The loop for what is live: the newest frame each time, no more ticks than there is time for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from threading import Event

from emotemporal.inference.predictor import Judgement
from emotemporal.live.pace import Pace
from emotemporal.live.stages import Moment, Stages, Tally
from emotemporal.types import FaceView, Frame
from emotemporal.video.source import LiveSource, VideoError

_MAX_CATCH_UP = 2.0  # model periods that judging one frame may take before ticks are left out
_FORGET = 0.3  # weight of the newest judgement's cost: a slow spell shows within a few


def run_live_stages(
    source: LiveSource,
    stages: Stages,
    asked: Event | None = None,
    smoother_lag_s: float | None = None,
) -> tuple[Tally, VideoError | None]:
    """Keep up with a live source until it ends, the sink is closed or `asked` is set.

    Inference runs at the model's own rate and drawing at the camera's, as long as there is time for
    both. Where judging takes longer than the model's period, each face's older ticks are left out
    and counted; the smoother is told the true times of those that are judged. A head with memory
    takes a step a judged tick.

    Args:
        source: Gives its newest frame, and None now and then while none comes.
        stages: What is done with each.
        asked: Set from elsewhere, it ends the run after the frame in hand.
        smoother_lag_s: What the smoothing in use adds, if known; told to whoever looks on.

    Returns:
        What was done, and why the source was lost, if it was: what it gave is kept.
    """
    pacer, lost = _Pacer(source, stages, smoother_lag_s), list[VideoError]()
    last: Frame | None = None
    for frame in _until_lost(source.watch(), lost):
        if frame is None:
            last = None if last is None else pacer.wait(last)
        elif last is None or frame.time_s > last.time_s:  # else it came while the wait was told
            pacer.step(frame)
            last = frame
        if stages.is_closed or (asked is not None and asked.is_set()):
            stages.tally.was_stopped = True
            break
    return stages.finish(), lost[0] if lost else None


def _until_lost(frames: Iterator[Frame | None], lost: list[VideoError]) -> Iterator[Frame | None]:
    """Give frames until the source fails; then end, so that outputs are finished, and tell."""
    try:
        yield from frames
    except VideoError as error:
        lost.append(error)


class _Pacer:
    """Measures how far behind life each frame is, and grants the ticks that there is time for."""

    def __init__(self, source: LiveSource, stages: Stages, smoother_lag_s: float | None) -> None:
        self._source, self._stages = source, stages
        self._smoother_lag_s = smoother_lag_s
        self._views: Sequence[FaceView] = ()
        self._round_s: float | None = None
        self._processing_s = 0.0
        self._label_lag_s: float | None = None

    def step(self, frame: Frame) -> None:
        """Take a frame through all stages."""
        stages, delays = self._stages, self._stages.tally.delays
        age_s = max(0.0, self._source.now_s() - frame.time_s)
        self._views = views = stages.follow(frame)
        before_s = stages.tally.judge_s
        judgements = stages.judge(views, frame.time_s, self._max_ticks())
        self._learn(judgements, stages.tally.judge_s - before_s)
        stages.write(Moment(frame, views, judgements, self._source.status, self._pace(age_s)))
        done_s = max(age_s, self._source.now_s() - frame.time_s)
        self._processing_s = done_s - age_s
        delays.frame_age.add(age_s)
        delays.processing.add(self._processing_s)
        delays.capture_to_done.add(done_s)

    def wait(self, last: Frame) -> Frame:
        """Tell that there is no new picture; return the last one at the time it is."""
        now_s = self._source.now_s()
        if now_s <= last.time_s:
            return last
        held, status = replace(last, time_s=now_s), self._source.status
        # Between two pictures of a slow camera its faces stand; where those of a lost one are,
        # nobody knows.
        views = self._views if status.is_running else ()
        self._stages.write(Moment(held, views, (), status, self._pace(0.0)))
        return held

    def _max_ticks(self) -> int | None:
        if not self._round_s:
            return None
        return max(1, int(_MAX_CATCH_UP * self._stages.model_period_s / self._round_s))

    def _learn(self, judgements: Sequence[Judgement], judge_s: float) -> None:
        if not judgements:
            return
        self._label_lag_s = self._source.now_s() - max(j.time_s for j in judgements)
        self._stages.tally.delays.label_lag.add(max(0.0, self._label_lag_s))
        # Faces are judged together: a round is one tick of all of them.
        num_rounds = max(Counter(j.track_id for j in judgements).values())
        round_s = judge_s / num_rounds
        before_s = round_s if self._round_s is None else self._round_s
        self._round_s = before_s + _FORGET * (round_s - before_s)

    def _pace(self, age_s: float) -> Pace:
        return Pace(
            age_s,
            self._processing_s,
            self._label_lag_s,
            self._stages.tally.num_skipped,
            self._smoother_lag_s,
        )
