"""What somebody is asked to show, and when: the script of a recording, and so its truth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from emotemporal.labels import Emotion
from emotemporal.types import Target

Phase = Literal["count down", "hold", "relax"]


@dataclass(frozen=True)
class PromptTimes:
    """How long the parts of a prompt last, in seconds."""

    countdown_s: float = 3.0
    """A neutral face, while the emotion to come is announced and counted down to."""
    hold_s: float = 3.0
    """The emotion is to be shown from the zero on."""
    relax_s: float = 2.0
    """Neutral again."""
    settle_s: float = 1.0
    """From the zero to where the manifest's stretch begins: nobody changes at once. The truth table
    changes at the zero, so a lag measured by it holds the person's own, half a second or so."""

    def __post_init__(self) -> None:
        if not (self.countdown_s >= 1 and self.relax_s >= 0 and 0 <= self.settle_s < self.hold_s):
            raise ValueError(
                f"countdown_s is {self.countdown_s}, hold_s {self.hold_s}, relax_s {self.relax_s}, "
                f"settle_s {self.settle_s}; a count-down takes 1 s or more, and an emotion is held "
                "for longer than it takes to settle"
            )

    @property
    def end_s(self) -> float:
        """Length of a whole prompt."""
        return self.countdown_s + self.hold_s + self.relax_s


@dataclass(frozen=True)
class Prompt:
    """One emotion to act."""

    number: int
    """From 1, in the order of the recording."""
    emotion: Emotion
    times: PromptTimes

    @property
    def take(self) -> str:
        """What its files are called."""
        return f"{self.number:03d}_{self.emotion.value}"

    def phase_at(self, time_s: float) -> tuple[Phase, float]:
        """Return what is going on, and for how much longer."""
        times = self.times
        go_s, over_s = times.countdown_s, times.countdown_s + times.hold_s
        if time_s < go_s:
            return "count down", go_s - time_s
        return ("hold", over_s - time_s) if time_s < over_s else ("relax", times.end_s - time_s)

    def truth(self) -> Sequence[Target]:
        """Return what was to be seen when, from the take's first frame to its last."""
        times = self.times
        go_s, over_s = times.countdown_s, times.countdown_s + times.hold_s
        if self.emotion is Emotion.NEUTRAL:
            return [Target(0.0, times.end_s, Emotion.NEUTRAL)]
        ending = [Target(over_s, times.end_s, Emotion.NEUTRAL)] if times.relax_s else []
        return [Target(0.0, go_s, Emotion.NEUTRAL), Target(go_s, over_s, self.emotion), *ending]

    def held(self) -> Target:
        """Return the stretch in which the emotion shows throughout: a clip of one label."""
        go_s = self.times.countdown_s
        return Target(go_s + self.times.settle_s, go_s + self.times.hold_s, self.emotion)


def plan_prompts(
    emotions: Sequence[Emotion], num_rounds: int, times: PromptTimes, seed: int
) -> Sequence[Prompt]:
    """Return every emotion once a round, each round in an order of its own."""
    generator = np.random.default_rng(seed)
    order = [
        emotions[i]
        for _ in range(num_rounds)
        for i in generator.permutation(len(emotions)).tolist()
    ]
    return [Prompt(number, emotion, times) for number, emotion in enumerate(order, 1)]


def instruction(prompt: Prompt, time_s: float) -> tuple[str, str, float]:
    """Return what to do now, what comes next, and how far the part has come (0 to 1)."""
    phase, left_s = prompt.phase_at(time_s)
    times = prompt.times
    if phase == "count down":
        counted = math.ceil(left_s)
        return (
            "look neutral",
            f"{prompt.emotion.value} in {counted}",
            1 - left_s / times.countdown_s,
        )
    if phase == "hold":
        return f"show {prompt.emotion.value}", "hold it", 1 - left_s / times.hold_s
    return "look neutral", "and relax", 1 - left_s / times.relax_s
