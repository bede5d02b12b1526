"""The time-reversed pair: two emotions whose clips are each other's, backwards."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from emotemporal.evaluation.comparison.results import ComparisonConfig
from emotemporal.evaluation.metrics import Interval, JudgedClips, exact_interval, select_clips
from emotemporal.labels import Emotion, LabelSpace


def pair_clips(judged: JudgedClips, pair: tuple[Emotion, Emotion] | None) -> Bool[np.ndarray, " n"]:
    """Return which clips show one of the two; none without a pair.

    Raises:
        ValueError: Not as many of both.
    """
    if pair is None:
        return np.zeros(len(judged), dtype=bool)
    indices = [judged.labels.index(emotion) for emotion in pair]
    counts = [int(np.sum(judged.targets == i)) for i in indices]
    if counts[0] != counts[1] or counts[0] == 0:
        raise ValueError(
            f"{counts[0]} clips of {pair[0]} and {counts[1]} of {pair[1]}: a time-reversed pair "
            "has as many of both, or 50 % is not what an order-blind judge gets"
        )
    return np.isin(judged.targets, indices)


def judge_pair(
    judged: JudgedClips, in_pair: Bool[np.ndarray, " n"], config: ComparisonConfig
) -> Interval | None:
    """Return the accuracy on the pair's clips, between its two emotions alone."""
    if config.pair is None:
        return None
    chosen = select_clips(judged, in_pair)
    columns = LabelSpace(config.pair).indices_in(chosen.labels)
    answers = np.array(columns)[chosen.probabilities[:, columns].argmax(axis=1)]
    num_right = int(np.sum(answers == chosen.targets))
    return exact_interval(num_right, len(chosen), config.bootstrap.confidence)
