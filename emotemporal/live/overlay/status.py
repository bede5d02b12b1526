"""What a picture says of itself: its time, its faces, how fast it comes and how late it is."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from emotemporal.live.stages import Moment

_RATE_OVER = 30  # frames: a second or so, steady enough to read


@dataclass(frozen=True)
class Status:
    """Words for the upper left corner, and for a warning where there is one."""

    words: tuple[str, ...] = ()
    """Each is kept whole where a line is broken; the first is the most wanted."""
    alert: str = ""
    """What is wrong with the source; drawn apart, with a sign of its own."""


class StatusLine:
    """Tells the status of each moment; remembers when the last pictures came."""

    def __init__(self) -> None:
        self._recent_s: deque[float] = deque(maxlen=_RATE_OVER + 1)
        self._last_index = -1

    def step(self, moment: Moment) -> Status:
        """Return what to say of the next moment."""
        time_s, num_faces = moment.frame.time_s, len(moment.views)
        minutes, seconds = divmod(int(10 * time_s) / 10, 60)
        words = [
            f"{int(minutes):02d}:{seconds:04.1f}",
            f"{num_faces} face" + ("" if num_faces == 1 else "s"),
        ]
        source = moment.status
        is_running = source is None or source.is_running
        if is_running and moment.frame.index != self._last_index:  # else the last picture, again
            self._recent_s.append(time_s)
        self._last_index = moment.frame.index
        if moment.pace is not None:
            words += self._rate()
            if moment.pace.label_lag_s is not None:
                words.append(f"lag {moment.pace.label_lag_s:.2f} s")
            if moment.pace.smoother_lag_s is not None:
                words.append(f"+ {moment.pace.smoother_lag_s:.1f} s smoothing")
            if moment.pace.num_skipped:
                words.append(f"{moment.pace.num_skipped} skipped")
        return Status(tuple(words), "" if is_running else str(source))

    def _rate(self) -> list[str]:
        if len(self._recent_s) < 2:
            return []
        # From the frames' own times: n stamps span n - 1 periods.
        span_s = self._recent_s[-1] - self._recent_s[0]
        return [f"{(len(self._recent_s) - 1) / span_s:.0f} fps"] if span_s > 0 else []
