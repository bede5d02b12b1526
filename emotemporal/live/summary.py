"""What a live run did, in words."""

from __future__ import annotations

from dataclasses import dataclass

from emotemporal.inference.caution import Caution
from emotemporal.live.pace import Delays
from emotemporal.live.stages import Tally
from emotemporal.video.source import SourceStatus


@dataclass(frozen=True)
class LiveSummary:
    """What a run did. Times are means a frame, on this machine now; results do not need them."""

    num_frames: int
    num_faces: int
    num_ticks: int
    follow_ms: float
    """Of a file, whose frames are looked at ahead on another core, without that."""
    judge_ms: float
    write_ms: float
    """Drawing, encoding, showing, and the table."""
    detector: str
    was_stopped: bool
    """By ctrl-C, SIGTERM or the window, before the source ended."""
    outputs: tuple[str, ...]
    caution: Caution
    """Which answers are to be taken with doubt."""
    num_skipped: int = 0
    """Judgements left out because the model could not keep up; none of a file."""
    delays: Delays | None = None
    """How far behind life a live source was; None for a file."""
    source: SourceStatus | None = None
    """How a live source fared; None for a file."""
    smoother_lag_s: float | None = None
    """What smoothing adds to the delay, as its card has it."""

    @property
    def ms_per_frame(self) -> float:
        """All stages together; reading the source, and looking ahead, are not counted."""
        return self.follow_ms + self.judge_ms + self.write_ms

    def __str__(self) -> str:
        end = ", stopped before the end" if self.was_stopped else ""
        faces = "1 face" if self.num_faces == 1 else f"{self.num_faces} faces"
        lines = [
            f"{self.num_frames} frames{end}: {faces} (by {self.detector}), "
            f"{self.num_ticks} judgements",
            f"{self.ms_per_frame:.1f} ms a frame: follow {self.follow_ms:.1f}, "
            f"judge {self.judge_ms:.1f}, draw and write {self.write_ms:.1f}",
            *self._live_lines(),
            str(self.caution),
            *(f"wrote {path}" for path in self.outputs),
        ]
        return "\n".join(lines)

    def _live_lines(self) -> list[str]:
        if self.delays is None or self.source is None:
            return []
        lag_s = self.smoother_lag_s
        smoothing = "not measured" if lag_s is None else f"{1000 * lag_s:.0f} ms"
        return [
            f"age of frames when taken up: {self.delays.frame_age}; from capture to drawn: "
            f"{self.delays.capture_to_done}",
            f"from capture to label: {self.delays.label_lag}; smoothing adds {smoothing} (median)",
            f"{self.source.num_dropped} frames dropped for newer ones, {self.num_skipped} "
            f"judgements left out, {self.source.num_reconnects} reconnections",
        ]


def summarise(
    tally: Tally,
    detector: str,
    caution: Caution,
    outputs: tuple[str, ...],
    source: SourceStatus | None = None,
    smoother_lag_s: float | None = None,
) -> LiveSummary:
    """Return what a run did."""
    per_frame = 1000 / max(tally.num_frames, 1)
    return LiveSummary(
        tally.num_frames,
        len(tally.track_ids),
        tally.num_ticks,
        tally.follow_s * per_frame,
        tally.judge_s * per_frame,
        tally.write_s * per_frame,
        detector,
        tally.was_stopped,
        outputs,
        caution,
        tally.num_skipped,
        None if source is None else tally.delays,
        source,
        smoother_lag_s,
    )
