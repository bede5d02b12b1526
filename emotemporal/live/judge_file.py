"""One file judged into its own results: tables, a labelled copy, and figures of the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from emotemporal.inference.predictor import Judgement
from emotemporal.labels import LabelSpace
from emotemporal.live.frames import open_frames
from emotemporal.live.outputs import LiveOutputs
from emotemporal.live.overlay.draw import Overlay, OverlayConfig
from emotemporal.live.overlay.scene import Scene
from emotemporal.live.overlay.status import Status
from emotemporal.live.recogniser import Recogniser
from emotemporal.live.sinks.formats import TableFormat, open_tables
from emotemporal.live.sinks.page import PageAbout
from emotemporal.live.sinks.recording import Recording
from emotemporal.live.stages import Moment, Sink, Tally, run_stages
from emotemporal.timing import monotonic
from emotemporal.types import Frame
from emotemporal.video.file import VideoFile
from emotemporal.video.image import write_image

_TELL_EVERY_S = 0.5


@dataclass(frozen=True)
class Targets:
    """Where one file's results go."""

    tables: Mapping[TableFormat, Path]
    labelled: Path | None = None
    """A video for a video, a PNG for an image."""


class Figures:
    """Counts over a file's judgements; a `Table` that keeps none of them."""

    def __init__(self, labels: LabelSpace) -> None:
        self._labels = labels
        self._shown = dict.fromkeys(labels.names, 0)
        self._sum: Float[np.ndarray, " k"] = np.zeros(len(labels))
        self._num = self._num_warm_up = self._num_uncertain = 0

    def write(self, judgements: Iterable[Judgement]) -> None:
        """Count judgements."""
        for judgement in judgements:
            self._num += 1
            self._num_warm_up += judgement.is_warm_up
            if judgement.is_warm_up:
                continue
            self._num_uncertain += judgement.is_uncertain
            self._sum += judgement.smoothed
            if judgement.shown is not None:
                self._shown[judgement.shown.value] += 1

    def shares(self) -> dict[str, float | None]:
        """Return shares of all judgements, and mean probabilities without those of warm-ups."""
        num_said = self._num - self._num_warm_up
        of_all = {"warm_up_share": self._num_warm_up, "uncertain_share": self._num_uncertain}
        of_all |= {f"shown_{name}": count for name, count in self._shown.items()}
        shares = {name: _share(count, self._num) for name, count in of_all.items()}
        means = zip(self._labels.names, self._sum, strict=True)
        return shares | {f"mean_{name}": _share(total, num_said) for name, total in means}


def judge_file(
    path: Path, recogniser: Recogniser, targets: Targets, report: Callable[[float], None]
) -> dict[str, Any]:
    """Judge a file; its results have their names once it is known to be whole.

    Memory does not grow with the file's length but for what annotation programs and frame times
    need: a record a change of label, and eight bytes a frame.

    Args:
        path: A video or an image.
        recogniser: Judges.
        targets: Folders are there.
        report: Told the share that is done, twice a second.

    Returns:
        What `summary.csv` says of it, as plain values.

    Raises:
        FileNotFoundError: There is no such file.
        VideoError: Not a video, or not whole.
        ImageError: Not an image, or not whole.
    """
    figures = Figures(recogniser.labels)
    with ExitStack() as stack:
        frames = stack.enter_context(open_frames(path))
        is_still = not isinstance(frames, VideoFile)
        rate_hz = frames.info.frame_rate_hz if isinstance(frames, VideoFile) else None
        predictor = recogniser.new_predictor(is_still)
        about = PageAbout(
            path.name,
            recogniser.labels,
            recogniser.caution,
            predictor.period_s,
            path,
            str(recogniser.model),
        )
        tables = [figures, *open_tables(targets.tables, about, stack)]
        overlay = Overlay(recogniser.labels, OverlayConfig(), recogniser.caution)
        sink: Sink
        if is_still:
            sink = _StillOutputs(overlay, tables, targets.labelled)
        else:
            recording = None
            if targets.labelled is not None:
                recording = stack.enter_context(Recording(targets.labelled, rate_hz))
            sink = stack.enter_context(LiveOutputs(overlay, tables, recording))
        tally = run_stages(
            _reporting(frames, report),
            recogniser.new_chooser(),
            predictor,
            sink,
            recogniser.config.max_faces,
        )
    return _tell(frames, tally) | figures.shares()


def _tell(frames: object, tally: Tally) -> dict[str, Any]:
    duration_s = frames.info.duration_s if isinstance(frames, VideoFile) else 0.0
    return {
        "kind": "video" if isinstance(frames, VideoFile) else "image",
        "frames": tally.num_frames,
        "duration_s": round(duration_s, 3),
        "faces": len(tally.track_ids),
        "judgements": tally.num_ticks,
    }


def _reporting(frames: Iterable[Frame], report: Callable[[float], None]) -> Iterator[Frame]:
    total = frames.info.num_frames if isinstance(frames, VideoFile) else 1
    told_s = monotonic()
    for frame in frames:
        yield frame
        if monotonic() - told_s > _TELL_EVERY_S:
            told_s = monotonic()
            report((frame.index + 1) / total)


def _share(part: float, whole: int) -> float | None:
    return round(float(part) / whole, 6) if whole else None


@dataclass
class _StillOutputs:
    """A `Sink` for one picture, whose judgements come when it is over."""

    overlay: Overlay
    tables: Sequence[Figures | Any]
    labelled: Path | None
    is_closed: bool = False
    _moment: Moment | None = field(default=None, init=False)

    def write(self, moment: Moment) -> None:
        self._moment = moment
        for table in self.tables:
            table.write(moment.judgements)

    def finish(self, judgements: Sequence[Judgement]) -> None:
        for table in self.tables:
            table.write(judgements)
        if self.labelled is None or self._moment is None:
            return
        faces = Scene().step(self._moment.views, judgements, 0.0)
        picture = self.overlay.draw(self._moment.frame.image, faces, 0.0, Status())
        write_image(self.labelled, picture)
