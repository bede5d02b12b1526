"""Whether the number of images an emotion agrees with the order in which labels are said to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from jaxtyping import Float

from emotemporal.data.sets.published import AFFECTNET_TRAIN
from emotemporal.labels import AFFECTNET_8, Emotion, parse_emotion

# 99.9 % of a chi-squared variable with 7 degrees of freedom: what chance alone may do to the counts
# of a random part of the training set.
_CHANCE = 24.3
# Later versions and copies differ from the published counts by a few images in a hundred.
_VERSION_SHARE = 0.03


@dataclass(frozen=True)
class OrderCheck:
    """What the counts say about an order of labels."""

    verdict: Literal["agrees", "contradicted", "not verifiable"]
    told: str


def parse_digit_order(text: str) -> tuple[Emotion, ...]:
    """Return which emotion 0, 1, 2, ... stand for: "affectnet", "alphabetical" or a list of names.

    Raises:
        ValueError: A name is unknown or occurs twice.
    """
    if text == "affectnet":
        return AFFECTNET_8.emotions
    if text == "alphabetical":
        return tuple(sorted(AFFECTNET_8.emotions))
    order = tuple(parse_emotion(name) for name in text.split(","))
    if len(set(order)) != len(order):
        raise ValueError(f"digit_order {text!r} names an emotion twice")
    return order


def check_order(train_counts: Mapping[Emotion, int]) -> OrderCheck:
    """Hold the training images an emotion against AffectNet's published counts.

    A copy may be the whole set, a random part of it, or capped at so many an emotion; for each it
    is known how the emotions' counts compare. Balanced or small copies fit any order.
    """
    emotions = [emotion for emotion in AFFECTNET_8.emotions if emotion in train_counts]
    counts = np.array([train_counts[emotion] for emotion in emotions], dtype=np.float64)
    if len(emotions) < 2 or counts.sum() == 0:
        return OrderCheck("not verifiable", "there are no training images to count")
    known = np.array([AFFECTNET_TRAIN[emotion] for emotion in emotions], dtype=np.float64)
    told = ", ".join(f"{e.value} {int(n)}" for e, n in zip(emotions, counts, strict=True))
    if _fits(counts, known):
        return _agreement(counts, known, emotions, told)
    best = np.empty_like(counts)
    best[np.argsort(known)] = np.sort(counts)
    if _fits(best, known):
        suggested = _by_rank(counts, known, emotions)
        return OrderCheck("contradicted", f"the counts are {told}; by their size {suggested}")
    return OrderCheck("not verifiable", f"the counts ({told}) follow AffectNet's in no order")


def _agreement(
    counts: Float[np.ndarray, " k"],
    known: Float[np.ndarray, " k"],
    emotions: Sequence[Emotion],
    told: str,
) -> OrderCheck:
    pairs = list(combinations(range(len(counts)), 2))
    untold = []
    for i, j in pairs:
        swapped = counts.copy()
        swapped[[i, j]] = counts[[j, i]]
        if _fits(swapped, known) and not np.array_equal(counts, known):
            untold.append(f"{emotions[i].value}/{emotions[j].value}")
    if len(untold) == len(pairs):
        return OrderCheck("not verifiable", f"the counts ({told}) would fit any order")
    doubt = f"; they cannot tell {', '.join(untold)} apart" if untold else ""
    return OrderCheck("agrees", f"the counts agree with the order{doubt}")


def _fits(counts: Float[np.ndarray, " k"], known: Float[np.ndarray, " k"]) -> bool:
    proportional = known
    capped = np.minimum(known, counts.max())
    return any(_is_near(counts, shape) for shape in (proportional, capped))


def _is_near(counts: Float[np.ndarray, " k"], shape: Float[np.ndarray, " k"]) -> bool:
    expected = shape / shape.sum() * counts.sum()
    distance = np.abs(counts - expected).sum() / (2 * counts.sum())
    ratio = np.log(np.where(counts > 0, counts, 1) / expected)
    likelihood_ratio = 2 * float(np.sum(counts * ratio))
    return bool(distance <= _VERSION_SHARE or likelihood_ratio <= _CHANCE)


def _by_rank(
    counts: Float[np.ndarray, " k"], known: Float[np.ndarray, " k"], emotions: Sequence[Emotion]
) -> str:
    looks_like = {
        int(i): emotions[int(j)] for i, j in zip(np.argsort(counts), np.argsort(known), strict=True)
    }
    wrong = [f"what is called {e.value} looks like {looks_like[i].value}"
             for i, e in enumerate(emotions) if looks_like[i] is not e]  # fmt: skip
    return ", ".join(wrong)
