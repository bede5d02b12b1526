"""How often a label changes: ours and another's at the same instants, both raw, both smoothed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from emotemporal.inference.predictor import Judgement
from emotemporal.inference.smoothers import ExponentialSmoother
from emotemporal.inference.smoothing import SmootherState

Answer = Callable[[Judgement], Float[np.ndarray, " k"] | None]
"""Gives someone's probabilities of the face and at the tick of a judgement; None for none."""


def switches_per_minute(
    judgements: Sequence[Judgement], answer: Answer, ema_s: float | None
) -> float:
    """Return how often the top label changes in a minute of a followed face.

    Where there is no answer the label before stays, so a face lost and found switches nothing.

    Args:
        judgements: Ours: they say which faces there are, and when.
        answer: Whose labels are counted.
        ema_s: Time constant of the average over time, the same for everybody; None counts raw.
    """
    num_switches, minutes = 0, 0.0
    for track in _by_track(judgements):
        labels = _labels(track, answer, ema_s)
        num_switches += sum(a != b for a, b in pairwise(labels))
        minutes += (track[-1].time_s - track[0].time_s) / 60
    return num_switches / minutes if minutes else float("nan")


def shown_switches_per_minute(judgements: Sequence[Judgement]) -> float:
    """Return how often the label on show changes, as `live` is set."""
    num_switches, minutes = 0, 0.0
    for track in _by_track(judgements):
        labels = [judgement.shown for judgement in track if judgement.shown is not None]
        num_switches += sum(a != b for a, b in pairwise(labels))
        minutes += (track[-1].time_s - track[0].time_s) / 60
    return num_switches / minutes if minutes else float("nan")


def our_raw(judgement: Judgement) -> Float[np.ndarray, " k"]:
    """Answer as we do before any smoothing."""
    return judgement.raw


def _by_track(judgements: Sequence[Judgement]) -> list[list[Judgement]]:
    tracks: dict[int, list[Judgement]] = {}
    for judgement in sorted(judgements, key=lambda judgement: judgement.time_s):
        tracks.setdefault(judgement.track_id, []).append(judgement)
    return [track for track in tracks.values() if len(track) > 1]


def _labels(track: Sequence[Judgement], answer: Answer, ema_s: float | None) -> list[int]:
    smoother = None if ema_s is None else ExponentialSmoother(ema_s)
    state: SmootherState | None = None
    labels = []
    for judgement in track:
        shares = answer(judgement)
        if shares is None:
            continue
        if smoother is not None:
            shares, state = smoother.step(shares, judgement.time_s, state)
        labels.append(int(np.argmax(shares)))
    return labels
