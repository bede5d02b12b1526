"""A video through the live stages, measured: each stage by itself, and all as `live` runs them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from emotemporal.faces.ahead import AheadFollower
from emotemporal.faces.follow import Follower
from emotemporal.faces.look import Look
from emotemporal.inference.predictor import Judgement
from emotemporal.live.recogniser import Recogniser
from emotemporal.live.sinks.tables import CsvTable, csv_file
from emotemporal.live.stages import Moment, Stages, run_recorded
from emotemporal.timing import Clock
from emotemporal.types import FaceView, Frame
from emotemporal.video.file import VideoFile

STAGES = ("decode", "look", "follow", "judge", "write")
"""Reading a frame; cuts, luma and, where it is due, detection; tracking and crops; network and
smoothing; the table's rows."""


@dataclass
class StagedPass:
    """One pass, stage after stage on one thread. Seconds, one a frame."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in STAGES})
    frame_times_s: list[float] = field(default_factory=list)
    judgements: list[Judgement] = field(default_factory=list)
    judged_at: list[int] = field(default_factory=list)
    """Of each judgement, the number of the frame with which it came; those at the end have none."""
    num_faces: int = 0
    """Over all frames."""

    @property
    def processing_s(self) -> list[float]:
        """Of each frame, all stages but reading it: a camera brings its frames itself."""
        return [sum(parts) for parts in zip(*(self.seconds[n] for n in STAGES[1:]), strict=True)]


def pass_in_stages(
    frames: Iterable[Frame], recogniser: Recogniser, table: Path, clock: Clock
) -> StagedPass:
    """Take every frame through every stage, with the clock read between them."""
    follower, predictor = _InTwo(recogniser.new_follower()), recogniser.new_predictor()
    chooser = recogniser.new_chooser(follower)
    done, source = StagedPass(), iter(frames)
    with csv_file(table, recogniser.labels) as out:
        while True:
            marks = [clock()]
            frame = next(source, None)
            if frame is None:
                break
            marks.append(clock())
            follower.look(frame)
            marks.append(clock())
            views = sorted(chooser.step(frame), key=lambda view: view.track.id)
            views = views[: recogniser.config.max_faces]
            marks.append(clock())
            judgements = predictor.step(views, frame.time_s)
            marks.append(clock())
            out.write(judgements)
            marks.append(clock())
            for name, spent in zip(STAGES, np.diff(marks), strict=True):
                done.seconds[name].append(float(spent))
            done.judgements += judgements
            done.judged_at += [len(done.frame_times_s)] * len(judgements)
            done.frame_times_s.append(frame.time_s)
            done.num_faces += len(views)
        rest = predictor.finish()
        out.write(rest)
        done.judgements += rest
    return done


def pass_as_live(source: Path, recogniser: Recogniser, table: Path, clock: Clock) -> float:
    """Return the seconds from opening the file to its finished table, run as `live` runs a file.

    The model is loaded before; nothing is drawn.
    """
    started = clock()
    predictor = recogniser.new_predictor()
    with (
        VideoFile(source) as video,
        csv_file(table, recogniser.labels) as out,
        AheadFollower(video, recogniser.new_follower()) as ahead,
    ):
        chooser = recogniser.new_chooser(ahead)
        stages = Stages(chooser, predictor, _Rows(out), recogniser.config.max_faces, clock)
        run_recorded(ahead, stages)
    return clock() - started


class _InTwo:
    """Looking and following apart, so that each is timed; `Follows` to who chooses among faces."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._looked: Look | None = None

    def look(self, frame: Frame) -> None:
        self._looked = self._follower.look(frame)

    def step(self, frame: Frame) -> list[FaceView]:
        assert self._looked is not None, "a frame is looked at first"
        assert self._looked.frame is frame, "another was looked at"
        return self._follower.follow(self._looked)


class _Rows:
    """A `Sink` of a table alone."""

    is_closed = False

    def __init__(self, out: CsvTable) -> None:
        self._out = out

    def write(self, moment: Moment) -> None:
        self._out.write(moment.judgements)

    def finish(self, judgements: Sequence[Judgement]) -> None:
        self._out.write(judgements)


def capture_to_label_s(done: StagedPass) -> list[float]:
    """Return, of each frame of a camera, how long until a label had seen it or a later one.

    As if the video came from a camera in its own time: a frame's work begins when it is there and
    the frame before is done with. The model's period, the wait for the frame after a tick and the
    processing are all in it.
    """
    finished, free_s = [], 0.0
    for time_s, cost_s in zip(done.frame_times_s, done.processing_s, strict=True):
        free_s = max(time_s, free_s) + cost_s
        finished.append(free_s)
    times_s = np.asarray(done.frame_times_s)
    lags: dict[int, float] = {}
    for judgement, at in zip(done.judgements, done.judged_at, strict=False):
        held = int(np.searchsorted(times_s, judgement.time_s + 1e-6, side="right")) - 1
        lags[held] = min(lags.get(held, np.inf), finished[at])
    answered = sorted(lags)
    found = []
    for number, time_s in enumerate(done.frame_times_s):
        place = int(np.searchsorted(answered, number))
        if answered and answered[0] <= number and place < len(answered):
            found.append(lags[answered[place]] - time_s)
    return found
