"""A scene that is hard to keep people apart in: they pass each other, are hidden, leave and return.

For tests of tracking. Who is where, and how much of each face can be seen, is known of every frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from emotemporal.synthetic.faces import draw_face, face_box
from emotemporal.synthetic.head import Points, Pose
from emotemporal.synthetic.identity import Colour, Identity, sample_identity
from emotemporal.synthetic.paint import Picture, fill
from emotemporal.synthetic.scenery import SUPERSAMPLING, Scenery, develop, sample_scenery
from emotemporal.synthetic.timeline import MovementConfig, Performance, Times, ease, perform
from emotemporal.types import Box

_EVENT_S = 3.2
_STILL_S = 1.0  # before the first event, and after the last
_BOARD_S = 0.3  # a board takes to come, and to go
_GRID = 16  # points along each side of a box in which it is asked what hides it
_BOARDS: tuple[Colour, ...] = ((120, 92, 70), (70, 96, 110), (150, 150, 140), (60, 60, 70))


@dataclass(frozen=True)
class CrossingConfig:
    """How many people, and how large they are.

    Raises:
        ValueError: Fewer than two, or too many for the width.
    """

    num_people: int = 2
    frame_rate_hz: float = 25.0
    width_px: int = 640
    height_px: int = 360
    hidden_s: float = 1.0
    """How long a board hides a face, from when most of it is gone to when most is back."""
    max_noise_std: float = 2.5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.num_people < 2 or self.width_px < 0.5 * self.num_people * self.height_px:
            raise ValueError(
                f"{self.num_people} people in {self.width_px} x {self.height_px} px; at least two, "
                f"and each needs {0.5 * self.height_px:.0f} px of width"
            )
        if not 0 < self.hidden_s <= _EVENT_S - 2 * _BOARD_S:
            raise ValueError(f"hidden_s is {self.hidden_s}; it can be up to 2 s")


@dataclass(frozen=True)
class Seen:
    """One person in one frame."""

    person: int
    box: Box
    visible: float
    """Share of the box that neither the frame's edge nor anybody or anything in front hides."""


@dataclass(frozen=True, eq=False)
class _Walker:
    identity: Identity
    performance: Performance
    x_px: Times
    """Of the head's centre, in the picture; `y_px` and `unit_px` do not change."""
    y_px: float
    unit_px: float

    def pose_at(self, index: int, scale: float = 1.0) -> Pose:
        centre = (scale * float(self.x_px[index]), scale * self.y_px)
        return self.performance.pose_at(index, centre, scale * self.unit_px)


@dataclass(frozen=True, eq=False)
class _Board:
    """Something held before a face: how far it is up, 0 to 1, at each frame."""

    person: int
    up: Times
    colour: Colour


@dataclass(frozen=True, eq=False)
class _Play:
    times_s: Times
    walkers: tuple[_Walker, ...]
    """Farthest first, as they are drawn; a nearer one is larger."""
    boards: tuple[_Board, ...]


def crossing_frames(config: CrossingConfig) -> Iterator[Picture]:
    """Draw the frames one by one."""
    play, scenery = _rehearse(config), _scenery(config)
    for i in range(len(play.times_s)):
        canvas = scenery.background.copy()
        for walker in play.walkers:
            pose = walker.pose_at(i, SUPERSAMPLING)
            if -3 * pose.unit_px < pose.x_px < canvas.shape[1] + 3 * pose.unit_px:
                done = walker.performance
                actions, gaze = done.actions_at(i), done.gaze_at(i)
                draw_face(canvas, walker.identity, actions, pose, scenery.light, gaze)
        for board in play.boards:
            if board.up[i] > 0:
                fill(canvas, SUPERSAMPLING * _corners(board, play, i), board.colour)
        yield develop(canvas, scenery, np.random.default_rng([config.seed, 9, i]))


def crossing_truth(config: CrossingConfig) -> list[list[Seen]]:
    """Return who is where in each frame; people wholly outside of it are left out."""
    play = _rehearse(config)
    truth = []
    for i in range(len(play.times_s)):
        boxes = [face_box(walker.pose_at(i)) for walker in play.walkers]
        boards = [_corners(board, play, i) for board in play.boards if board.up[i] > 0]
        seen = [
            Seen(person, box, _visible(box, boxes[person + 1 :], boards, config))
            for person, box in enumerate(boxes)
        ]
        truth.append([one for one in seen if one.box.x2 > 0 and one.box.x1 < config.width_px])
    return truth


@lru_cache(maxsize=2)
def _scenery(config: CrossingConfig) -> Scenery:
    generator = np.random.default_rng([config.seed, 8])
    return sample_scenery((config.height_px, config.width_px), config.max_noise_std, generator)


@lru_cache(maxsize=2)
def _rehearse(config: CrossingConfig) -> _Play:
    generator = np.random.default_rng([config.seed, 7])
    count = config.num_people
    events = _events(count, generator)
    num_frames = round((len(events) * _EVENT_S + 2 * _STILL_S) * config.frame_rate_hz)
    times_s = np.arange(num_frames) / config.frame_rate_hz
    slots = config.width_px * (np.arange(count) + 0.5) / count
    places = generator.permutation(slots).tolist()
    paths = [np.full(num_frames, place) for place in places]
    boards = []
    for number, (kind, people) in enumerate(events):
        start_s = _STILL_S + number * _EVENT_S
        if kind == "board":
            up = _board_up(times_s, start_s, config.hidden_s)
            colour = _BOARDS[int(generator.integers(len(_BOARDS)))]
            boards.append(_Board(people[0], up, colour))
            continue
        hold_s = 0.4 if kind == "meet" else 0.0
        for person, to in _aims(kind, people, places, config).items():
            paths[person] = paths[person] + _walk(times_s, start_s, hold_s) * (to - places[person])
            places[person] = to
    walkers = tuple(
        _Walker(
            sample_identity(generator),
            perform(times_s, [], MovementConfig(shift=0.06, zoom=0.02), generator),
            paths[person],
            config.height_px * (0.5 + float(generator.uniform(-0.04, 0.04))),
            config.height_px * (0.115 + 0.055 * person / (count - 1)),
        )
        for person in range(count)
    )
    return _Play(times_s, walkers, tuple(boards))


def _events(count: int, generator: np.random.Generator) -> list[tuple[str, list[int]]]:
    """Return what happens, one after the other, and to whom: each kind at least once."""
    one, two, gone, hidden = (generator.permutation(count).tolist() for _ in range(4))
    early = [("cross", one[:2]), ("meet", two[:2]), ("board", hidden[:1])]
    if count > 3:
        early += [("cross", one[2:4]), ("board", hidden[1:2])]
    order = generator.permutation(len(early))
    last = [("exit", gone[:1]), ("cross", gone[1:3]), ("enter", gone[:1])]
    return [early[int(i)] for i in order] + [e for e in last if count > 2 or e[0] != "cross"]


def _aims(
    kind: str, people: list[int], places: list[float], config: CrossingConfig
) -> dict[int, float]:
    """Return where each of the people goes."""
    if kind in ("cross", "meet") and len(people) == 2:
        return {people[0]: places[people[1]], people[1]: places[people[0]]}
    outside = config.height_px * 0.5
    if kind == "exit":
        is_left = places[people[0]] < config.width_px / 2
        return {people[0]: -outside if is_left else config.width_px + outside}
    if kind == "enter":
        slots = config.width_px * (np.arange(config.num_people) + 0.5) / config.num_people
        others = [place for i, place in enumerate(places) if i != people[0]]
        free = [slot for slot in slots.tolist() if min(abs(slot - o) for o in others) > 1]
        return {people[0]: free[0]}
    return {}


def _walk(times_s: Times, start_s: float, hold_s: float) -> Times:
    """Go from 0 to 1 within an event, with a stop halfway if it is to be held."""
    half_s = 1.2
    first = ease((times_s - start_s) / (2 * half_s if hold_s == 0 else half_s))
    if hold_s == 0:
        return first
    second = ease((times_s - start_s - half_s - hold_s) / half_s)
    return np.asarray(0.5 * first + 0.5 * second)


def _board_up(times_s: Times, start_s: float, hidden_s: float) -> Times:
    # Halfway up, most of the face is gone: so long it is hidden, from half up to half down.
    up = ease((times_s - start_s) / _BOARD_S)
    down = ease((times_s - start_s - hidden_s) / _BOARD_S)
    return np.asarray(up - down)


def _corners(board: _Board, play: _Play, index: int) -> Points:
    """Return the board's corners in the picture: it comes from below."""
    box = face_box(play.walkers[board.person].pose_at(index))
    margin = 0.1 * box.height_px
    left, right, bottom = box.x1 - margin, box.x2 + margin, box.y2 + 2 * box.height_px
    top = bottom - float(board.up[index]) * (bottom - box.y1 + margin)
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def _visible(box: Box, nearer: list[Box], boards: list[Points], config: CrossingConfig) -> float:
    at = (np.arange(_GRID) + 0.5) / _GRID
    x, y = np.meshgrid(box.x1 + at * box.width_px, box.y1 + at * box.height_px)
    is_seen = (x >= 0) & (x < config.width_px) & (y >= 0) & (y < config.height_px)
    for other in nearer:  # a head is rounder than its box
        dx = (x - (other.x1 + other.x2) / 2) / (0.5 * other.width_px)
        dy = (y - (other.y1 + other.y2) / 2) / (0.6 * other.height_px)
        is_seen &= dx**2 + dy**2 > 1
    for corners in boards:
        (left, top), (right, bottom) = corners[0], corners[2]
        is_seen &= ~((x >= left) & (x < right) & (y >= top) & (y < bottom))
    return float(is_seen.mean())
