"""All that a live run gives: the table, and the picture to a file and to a window."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from emotemporal.inference.predictor import Judgement
from emotemporal.live.overlay import Overlay
from emotemporal.live.scene import Scene
from emotemporal.live.sinks import JudgementTable, Recording, Window
from emotemporal.live.stages import Moment

_RATE_OVER = 30  # frames: a second or so, steady enough to read


class LiveOutputs:
    """A `Sink` of sinks. The picture is drawn only if somebody takes it."""

    def __init__(
        self,
        overlay: Overlay,
        table: JudgementTable | None,
        recording: Recording | None,
        window: Window | None,
        show_rate: bool,
    ) -> None:
        self._overlay, self._scene = overlay, Scene()
        self._table, self._recording, self._window = table, recording, window
        self._show_rate = show_rate
        self._recent_s: deque[float] = deque(maxlen=_RATE_OVER + 1)

    @property
    def is_closed(self) -> bool:
        """Whether the window was closed."""
        return self._window is not None and self._window.is_closed

    def write(self, moment: Moment) -> None:
        """Take the next frame with all that was seen and said of it."""
        if self._table is not None:
            self._table.write(moment.judgements)
        if self._recording is None and self._window is None:
            return
        frame = moment.frame
        self._recent_s.append(frame.time_s)
        faces = self._scene.step(moment.views, moment.judgements, frame.time_s)
        status = self._status(frame.time_s, len(faces))
        picture = self._overlay.draw(frame.image, faces, frame.time_s, status)
        if self._recording is not None:
            self._recording.write(picture, frame.time_s)
        if self._window is not None:
            self._window.write(picture)

    def finish(self, judgements: Sequence[Judgement]) -> None:
        """Take the judgements that were still due when the source ended."""
        if self._table is not None:
            self._table.write(judgements)

    def _status(self, time_s: float, num_faces: int) -> str:
        minutes, seconds = divmod(int(10 * time_s) / 10, 60)
        words = [
            f"{int(minutes):02d}:{seconds:04.1f}",
            f"{num_faces} face" + ("" if num_faces == 1 else "s"),
        ]
        if self._show_rate and len(self._recent_s) > 1:
            # From the frames' own times: n stamps span n - 1 periods.
            span_s = self._recent_s[-1] - self._recent_s[0]
            words.append(f"{(len(self._recent_s) - 1) / span_s:.0f} fps")
        return "   ".join(words)
