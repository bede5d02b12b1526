"""What a stream shows when: segments of stills, cuts and blends; drawn before any pixel is.

A cut by itself says nothing: whether the next segment shows another emotion, how long it lasts and
how it is gone over to are drawn independently of each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int

from emotemporal.labels import Emotion
from emotemporal.types import Target

Transition = Literal["start", "cut", "blend"]
_MAX_BLEND_SHARE = 0.8  # of the shortest segment, so that two blends never meet in it


@dataclass(frozen=True)
class PlanConfig:
    """How long things last, and how often they change.

    Raises:
        ValueError: A range that is not one, a share outside 0 to 1, or blends too long for the
            segments.
    """

    stream_s: tuple[float, float] = (20.0, 30.0)
    """A stream ends with the segment that is running after a time drawn evenly from these."""
    segment_s: tuple[float, float] = (0.5, 5.0)
    """A segment lasts between these, drawn evenly."""
    same_share: float = 0.5
    """Of cuts, how many lead to another still of the same emotion."""
    hard_share: float = 0.5
    """Of cuts, how many are sudden; the others blend."""
    blend_s: float = 0.4
    """The longest blend; drawn evenly up to it. The emotion changes at half of it."""
    pair_share: float = 0.3
    """Of segments, how many show two stills of their emotion, one through the other."""

    def __post_init__(self) -> None:
        for name, (low, high) in (("stream_s", self.stream_s), ("segment_s", self.segment_s)):
            if not 0 < low <= high < float("inf"):
                raise ValueError(f"{name} is {low} to {high}; give seconds, the smaller first")
        for name in ("same_share", "hard_share", "pair_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it can be 0 to 1")
        if not 0 <= self.blend_s <= _MAX_BLEND_SHARE * self.segment_s[0]:
            raise ValueError(
                f"blend_s is {self.blend_s}; with segments from {self.segment_s[0]} s it can be 0 "
                f"to {_MAX_BLEND_SHARE * self.segment_s[0]:g}, or two blends would meet"
            )

    @property
    def num_apart(self) -> int:
        """How many stills of an emotion follow each other without one coming again."""
        return 4 if self.pair_share > 0 else 2


@dataclass(frozen=True)
class Shown:
    """A still, mirrored or not, and its part of what a segment shows."""

    row: int
    is_mirrored: bool
    weight: float


@dataclass(frozen=True)
class Segment:
    """One stretch of a stream. `transition` says how it came; times are to the millisecond."""

    start_s: float
    end_s: float
    emotion: Emotion
    stills: tuple[Shown, ...]
    transition: Transition
    blend_s: float
    """Half of it lies before `start_s`, half after; 0 for a sudden cut."""

    @property
    def lasts_s(self) -> float:
        """From where it is half there to where the next one is."""
        return self.end_s - self.start_s

    @property
    def target(self) -> Target:
        """What is true while it lasts."""
        return Target(self.start_s, self.end_s, self.emotion)


def stream_generator(seed: int, index: int, purpose: int) -> np.random.Generator:
    """Return the generator for one purpose of stream `index`: the same in whatever process."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index, purpose)))


def plan_stream(
    rows: Mapping[Emotion, Int[np.ndarray, " n"]],
    groups: Int[np.ndarray, " m"],
    config: PlanConfig,
    seed: int,
    index: int,
) -> tuple[Segment, ...]:
    """Draw the segments of stream `index`; the same arguments give the same ones.

    Emotions are alike in how often they come: each stream starts with another in turn, and a
    change leads to any other one with the same probability. In a stream no still comes again
    before all of its emotion have come.

    Args:
        rows: Each emotion's stills.
        groups: Of every row; stills of one group never follow one another.
        config: Durations and shares.
        seed: Of the set of streams.
        index: Of the stream in it.

    Raises:
        ValueError: Fewer than two emotions, or an emotion with too few stills.
    """
    _require_enough(rows, groups, config)
    generator = stream_generator(seed, index, 0)
    decks = {emotion: _Deck(found, groups, generator) for emotion, found in rows.items()}
    emotions = list(rows)
    emotion = emotions[index % len(emotions)]
    last_s = generator.uniform(*config.stream_s)
    segments: list[Segment] = []
    while not segments or segments[-1].end_s < last_s:
        duration_s, is_same, is_hard, blend, other = generator.uniform(size=5)
        before = segments[-1] if segments else None
        if before is not None and is_same >= config.same_share:
            others = [e for e in emotions if e != emotion]
            emotion = others[int(other * len(others))]
        blend_s = 0.0 if before is None or is_hard < config.hard_share else config.blend_s * blend
        low_s, high_s = config.segment_s
        start_s = before.end_s if before else 0.0
        segments.append(
            Segment(
                start_s=start_s,
                end_s=round(
                    start_s + max(low_s, round(low_s + (high_s - low_s) * duration_s, 3)), 3
                ),
                emotion=emotion,
                stills=_draw_stills(decks[emotion], before, config, generator),
                transition=_name(before, blend_s),
                blend_s=round(blend_s, 3),
            )
        )
    return tuple(segments)


def is_change(before: Segment, segment: Segment) -> bool:
    """Return whether the emotion changes where `segment` follows `before`."""
    return before.emotion != segment.emotion


def _name(before: Segment | None, blend_s: float) -> Transition:
    if before is None:
        return "start"
    return "blend" if round(blend_s, 3) > 0 else "cut"


def _draw_stills(
    deck: _Deck, before: Segment | None, config: PlanConfig, generator: np.random.Generator
) -> tuple[Shown, ...]:
    is_pair, weight, first, second = generator.uniform(size=4)
    avoid = set() if before is None else {shown.row for shown in before.stills}
    one = deck.draw(avoid)
    if is_pair >= config.pair_share:
        return (Shown(one, bool(first < 0.5), 1.0),)
    two = deck.draw({*avoid, one})
    share = round(0.3 + 0.4 * weight, 3)  # nearer to 0 or 1 the other would not be seen
    return (
        Shown(one, bool(first < 0.5), share),
        Shown(two, bool(second < 0.5), round(1 - share, 3)),
    )


class _Deck:
    """One emotion's stills, dealt without repeats until all have come."""

    def __init__(
        self,
        rows: Int[np.ndarray, " n"],
        groups: Int[np.ndarray, " m"],
        generator: np.random.Generator,
    ) -> None:
        self._rows, self._groups, self._generator = rows, groups, generator
        self._left: list[int] = []

    def draw(self, avoid: set[int]) -> int:
        """Deal the next still that shares no group with the rows of `avoid`."""
        avoided = {int(self._groups[row]) for row in avoid}
        while True:  # what is left may all be avoided; a new deck is not: there are enough groups
            for place, row in enumerate(self._left):
                if int(self._groups[row]) not in avoided:
                    return self._left.pop(place)
            self._left += [int(row) for row in self._generator.permutation(self._rows)]


def _require_enough(
    rows: Mapping[Emotion, Int[np.ndarray, " n"]],
    groups: Int[np.ndarray, " m"],
    config: PlanConfig,
) -> None:
    if len(rows) < 2:
        raise ValueError(f"streams change between emotions; there is {len(rows)} to show")
    few = {
        e: n for e, found in rows.items() if (n := len(np.unique(groups[found]))) < config.num_apart
    }
    if few:
        told = ", ".join(f"{emotion} {count}" for emotion, count in few.items())
        raise ValueError(
            f"an emotion needs {config.num_apart} stills that are no twins; there are {told}. "
            "Choose labels without it, or a larger part of the split"
        )
