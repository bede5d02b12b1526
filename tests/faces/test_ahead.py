from __future__ import annotations

import threading

import numpy as np
import pytest

from emotemporal.faces.ahead import AheadFollower
from emotemporal.faces.follow import FollowConfig, Follower
from emotemporal.types import Frame
from tests.faces.blobs import BlobDetector, frames


def moving(count: int) -> list[Frame]:
    times_s = np.arange(count) / 25
    return frames(times_s, {0: lambda t: (40 + 20 * t, 60.0)})


def places(views) -> list[tuple[int, float, float]]:
    return [(view.track.id, view.track.box.x1, float(view.crop.sum())) for view in views]


def new_follower() -> Follower:
    return Follower(FollowConfig(), BlobDetector())


def test_looking_ahead_changes_no_number():
    seen = moving(40)
    alone = new_follower()
    expected = [places(alone.step(frame)) for frame in seen]
    with AheadFollower(seen, new_follower()) as ahead:
        found = [places(ahead.step(frame)) for frame in ahead]
    assert found == expected
    assert any(expected)


def test_what_the_source_raises_is_raised_where_frames_are_taken():
    def broken():
        yield from moving(5)
        raise OSError("cable")

    taken = []
    with (
        pytest.raises(OSError, match="cable"),
        AheadFollower(broken(), new_follower()) as ahead,
    ):
        taken.extend(frame.index for frame in ahead)
    assert taken == [0, 1, 2, 3, 4]


def test_few_frames_are_read_ahead_and_no_thread_is_left():
    read = []

    def counted():
        for frame in moving(60):
            read.append(frame.index)
            yield frame

    with AheadFollower(counted(), new_follower()) as ahead:
        for frame in ahead:
            if frame.index == 10:
                break
    assert len(read) < 25
    assert not [t for t in threading.enumerate() if t.name.startswith("emotemporal-ahead")]


def test_another_frame_is_refused():
    seen = moving(2)
    with AheadFollower(seen, new_follower()) as ahead:
        next(iter(ahead))
        with pytest.raises(ValueError, match="frame 1 is not the one that came last"):
            ahead.step(seen[1])
