"""Decoding and looking on one core while faces are followed and judged on another."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from emotemporal.faces.follow import Follower
from emotemporal.faces.look import Look
from emotemporal.types import FaceView, Frame

_DEPTH = 8  # frames; a look with detection takes as long as some five without


class AheadFollower:
    """Frames of a file with their faces, read and looked at in a thread of its own. Same numbers.

    Iterating gives the frames; `step` follows the faces of the frame just given. At most a few
    frames are in memory. Not for what is live: there the newest frame matters, not the next.
    A context manager; leaving it ends the thread, which is in the source for one frame at most.

    >>> with AheadFollower(video, follower) as ahead:        # doctest: +SKIP
    ...     for frame in ahead:
    ...         views = ahead.step(frame)

    Args:
        frames: In time order; read in the thread, and what is raised there is raised here.
        follower: Follows them, from their first.
    """

    def __init__(self, frames: Iterable[Frame], follower: Follower) -> None:
        self._frames, self._follower = iter(frames), follower
        self._worker = ThreadPoolExecutor(1, "emotemporal-ahead")
        self._coming: deque[Future[Look | None]] = deque()
        self._latest: Look | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._worker.shutdown(wait=True, cancel_futures=True)

    def __iter__(self) -> Iterator[Frame]:
        self._coming.extend(self._worker.submit(self._look) for _ in range(_DEPTH))
        while (look := self._coming.popleft().result()) is not None:
            self._coming.append(self._worker.submit(self._look))
            self._latest = look
            yield look.frame

    def step(self, frame: Frame) -> list[FaceView]:
        """Return the faces of the frame that iterating gave last.

        Raises:
            ValueError: It is another frame.
        """
        if self._latest is None or self._latest.frame is not frame:
            raise ValueError(f"frame {frame.index} is not the one that came last")
        return self._follower.follow(self._latest)

    def _look(self) -> Look | None:
        frame = next(self._frames, None)
        return None if frame is None else self._follower.look(frame)
