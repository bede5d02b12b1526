"""Choosing one face of several: the one that stands nearest to the camera."""

from __future__ import annotations

from emotemporal.faces.follow import Follows
from emotemporal.timing import to_ns
from emotemporal.types import FaceView, Frame

LARGER_BY = 1.25  # heads differ by a tenth, and detectors' boxes by as much
FOR_S = 0.5


class Nearest:
    """Follows all faces and gives the largest alone; another takes over once it is clearly larger.

    Larger by a quarter, for half a second without a break; at once where the one before has gone.
    """

    def __init__(self, follower: Follows) -> None:
        self._follower = follower
        self._held: int | None = None
        self._challenger: tuple[int, float] | None = None

    def step(self, frame: Frame) -> list[FaceView]:
        """Return the nearest of the next frame's faces; none where there is none."""
        views = {view.track.id: view for view in self._follower.step(frame)}
        if not views:
            self._challenger = None
            return []
        largest = max(views.values(), key=_height)
        held = views.get(self._held) if self._held is not None else None
        if held is None or self._takes_over(largest, held, frame.time_s):
            held, self._challenger = largest, None
        self._held = held.track.id
        return [held]

    def _takes_over(self, largest: FaceView, held: FaceView, time_s: float) -> bool:
        if _height(largest) < LARGER_BY * _height(held):
            self._challenger = None
            return False
        if self._challenger is None or self._challenger[0] != largest.track.id:
            self._challenger = (largest.track.id, time_s)
        return to_ns(time_s - self._challenger[1]) >= to_ns(FOR_S)


def _height(view: FaceView) -> float:
    return view.track.box.height_px
