"""Who was taken for whom: tracks beside the truth of a drawn scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from emotemporal.faces.follow import Follower, follow
from emotemporal.synthetic.crossing import CrossingConfig, Seen, crossing_frames, crossing_truth
from emotemporal.types import Box, FaceView, Frame


@dataclass
class Identities:
    """What became of the people of a scene."""

    switches: list[str] = field(default_factory=list)
    """A person got another id though never away for longer than the gap, or an id another person"""
    share_followed: float = 0.0
    """Of the frames in which a face can be seen, how many have a track on it."""


class NoisyDetector:
    """Boxes the truth as a detector would: shaken, now and then not at all, and what is not there.

    The same image gives the same boxes.
    """

    name = "annotation"

    def __init__(self, frames: Sequence[Frame], truth: Sequence[Sequence[Seen]], seed: int) -> None:
        self._index = {id(frame.image): frame.index for frame in frames}
        self._truth, self._seed = truth, seed

    def __call__(self, image: np.ndarray) -> list[Box]:
        index = self._index[id(image)]
        generator = np.random.default_rng([self._seed, index])
        boxes = []
        for seen in self._truth[index]:
            chance = np.clip((seen.visible - 0.35) / 0.3, 0, 0.96)
            shake = generator.normal(0, 0.035, 3) * seen.box.height_px
            if generator.random() < chance:
                boxes.append(_shaken(seen.box, *shake, score=0.6 + 0.35 * seen.visible))
        if generator.random() < 0.03:
            x, y = generator.uniform(0, [image.shape[1] - 60, image.shape[0] - 60])
            boxes.append(Box(x, y, x + 50, y + 50, float(generator.uniform(0.5, 0.75))))
        return sorted(boxes, key=lambda box: -box.score)


def _shaken(box: Box, dx: float, dy: float, larger: float, score: float) -> Box:
    x1, x2 = box.x1 + dx - larger / 2, box.x2 + dx + larger / 2
    return Box(x1, box.y1 + dy - larger / 2, x2, box.y2 + dy + larger / 2, score)


def play(config: CrossingConfig) -> tuple[list[Frame], list[list[Seen]]]:
    """Draw a scene; return its frames and its truth."""
    rate_hz = config.frame_rate_hz
    frames = [Frame(im, i / rate_hz, i) for i, im in enumerate(crossing_frames(config))]
    return frames, crossing_truth(config)


def judge(
    frames: Sequence[Frame], truth: Sequence[Sequence[Seen]], follower: Follower, gap_s: float
) -> Identities:
    """Follow the frames, and hold every face to the truth."""
    found, last = Identities(), {}
    people_of: dict[int, int] = {}
    num_seen = num_followed = 0
    for frame, views in follow(frames, follower):
        tracks = _tracks_on(truth[frame.index], views)
        for seen in (seen for seen in truth[frame.index] if seen.visible > 0.7):
            num_seen += 1
            if seen.person not in tracks:
                continue
            num_followed += 1
            track_id, time_s = tracks[seen.person], frame.time_s
            person = people_of.setdefault(track_id, seen.person)
            if person != seen.person:
                found.switches.append(
                    f"{time_s:.2f} s: track {track_id} goes from person {person} to {seen.person}"
                )
                people_of[track_id] = seen.person
            before_id, before_s = last.get(seen.person, (track_id, time_s))
            if before_id != track_id and time_s - before_s <= gap_s:
                found.switches.append(
                    f"{time_s:.2f} s: person {seen.person} goes from track {before_id} to "
                    f"{track_id}, last seen at {before_s:.2f} s"
                )
            last[seen.person] = (track_id, time_s)
    found.share_followed = num_followed / num_seen
    return found


def _tracks_on(people: Sequence[Seen], views: Sequence[FaceView]) -> dict[int, int]:
    """Return whose face each person's is taken for: one track a person, within half a height."""
    found = [view for view in views if view.track.is_detected]
    if not people or not found:
        return {}
    off = np.array([[_off(seen.box, view.track.box) for view in found] for seen in people])
    rows, columns = linear_sum_assignment(np.minimum(off, 0.5))
    return {
        people[i].person: found[j].track.id
        for i, j in zip(rows, columns, strict=True)
        if off[i, j] < 0.5
    }


def _off(one: Box, other: Box) -> float:
    dx = (one.x1 + one.x2 - other.x1 - other.x2) / 2
    dy = (one.y1 + one.y2 - other.y1 - other.y2) / 2
    return float(np.hypot(dx, dy) / one.height_px + abs(np.log(one.height_px / other.height_px)))
