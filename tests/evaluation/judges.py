"""Made-up judges: predictions with known quality, for the tests of this folder."""

from __future__ import annotations

import numpy as np

from emotemporal.labels import SAVEE_7, LabelSpace
from emotemporal.types import ClipPrediction


def predictions_with(
    answers,
    targets,
    subjects=None,
    labels: LabelSpace = SAVEE_7,
    confidence: float = 0.9,
) -> list[ClipPrediction]:
    """One clip an answer (an index in `labels`), said with the same confidence."""
    rows = []
    for i, (answer, target) in enumerate(zip(answers, targets, strict=True)):
        probabilities = np.full(len(labels), (1 - confidence) / (len(labels) - 1))
        probabilities[answer] = confidence
        subject = "DC" if subjects is None else subjects[i]
        rows.append(
            ClipPrediction(f"clip{i}", subject, labels.emotions[target], probabilities, labels)
        )
    return rows


def noisy_answers(targets, skill: float, seed: int, num_classes: int = 7):
    """Right with probability `skill`, else any class at random."""
    rng = np.random.default_rng(seed)
    guesses = rng.integers(0, num_classes, len(targets))
    return np.where(rng.random(len(targets)) < skill, targets, guesses)


def balanced(num_per_cell: int, subjects=("DC", "JE", "JK", "KL"), num_classes: int = 7):
    """Targets and subjects with the same number of clips for every speaker and class."""
    targets = np.tile(np.repeat(np.arange(num_classes), num_per_cell), len(subjects))
    names = np.repeat(list(subjects), num_per_cell * num_classes)
    return targets, list(names)
