"""Time constants of the votes that have some, chosen inside the training subjects of a fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from lightning_fabric import Fabric

from emotemporal.baselines.frame_votes import FrameVoteConfig, frame_votes
from emotemporal.data.sampling import clip_indices
from emotemporal.data.seeds import derive_seed
from emotemporal.evaluation.choosing import choose_setting
from emotemporal.evaluation.statistics.bootstrap import uar_of_answers
from emotemporal.labels import LabelSpace
from emotemporal.train.features import ClipFeatures
from emotemporal.train.heads import HeadConfig, head_probabilities, train_head
from emotemporal.train.state import MemoryKeeper


@dataclass(frozen=True)
class VoteGrid:
    """What is tried. One value each leaves nothing to choose."""

    time_constants_s: tuple[float, ...] = (0.1, 0.25, 0.5, 1.0, 2.0)
    """`ema`."""
    mean_dwells_s: tuple[float, ...] = (0.5, 2.0, 8.0)
    """`hidden_markov`."""
    evidences_s: tuple[float, ...] = (0.1, 0.3, 1.0)
    """`hidden_markov`."""

    def __post_init__(self) -> None:
        for name in ("time_constants_s", "mean_dwells_s", "evidences_s"):
            values = getattr(self, name)
            if not values or not all(value > 0 for value in values):
                raise ValueError(f"{name} is {values}; give at least one time above 0 s")


def tune_votes(
    parts: Sequence[tuple[Sequence[ClipFeatures], Sequence[ClipFeatures]]],
    labels: LabelSpace,
    config: HeadConfig,
    num_epochs: int,
    grid: VoteGrid,
    seed: int,
    fabric: Fabric,
) -> FrameVoteConfig:
    """Return the time constants with the best mean UAR over the inner folds.

    Args:
        parts: The inner folds: clips to train on, clips to judge. The outer fold's test clips are
            in none of them.
        labels: What heads answer.
        config: The frame head with the settings that were chosen for it.
        num_epochs: For how long it is trained.
        grid: What is tried.
        seed: Of the outer fold, as the choice of the head's own settings had it.
        fabric: Device and precision.
    """
    judged = []
    for i, (train, others) in enumerate(parts):
        head, _ = train_head(
            train,
            [],
            labels,
            config,
            derive_seed(seed, "inner", i),
            fabric,
            MemoryKeeper(),
            stop_after=num_epochs,
        )
        judged.append([(clip, head_probabilities(head, clip, config.sampling)) for clip in others])
    first = FrameVoteConfig(grid.time_constants_s[0], grid.mean_dwells_s[0], grid.evidences_s[0])
    of_ema = [replace(first, time_constant_s=tau) for tau in grid.time_constants_s]
    of_markov = [
        replace(first, mean_dwell_s=dwell, evidence_s=evidence)
        for dwell, evidence in product(grid.mean_dwells_s, grid.evidences_s)
    ]
    best_ema = _best("ema", of_ema, judged, labels, config)
    best_markov = _best("hidden_markov", of_markov, judged, labels, config)
    return replace(best_markov, time_constant_s=best_ema.time_constant_s)


_Judged = Sequence[Sequence[tuple[ClipFeatures, np.ndarray]]]


def _best(
    vote: str,
    settings: Sequence[FrameVoteConfig],
    judged: _Judged,
    labels: LabelSpace,
    config: HeadConfig,
) -> FrameVoteConfig:
    scores = {
        str(number): [_uar(vote, setting, clips, labels, config) for clips in judged]
        for number, setting in enumerate(settings)
    }
    return settings[int(choose_setting(scores))]


def _uar(
    vote: str,
    setting: FrameVoteConfig,
    clips: Sequence[tuple[ClipFeatures, np.ndarray]],
    labels: LabelSpace,
    config: HeadConfig,
) -> float:
    answers, targets = [], []
    for clip, probabilities in clips:
        times_s = clip.times_s[clip_indices(clip.times_s, config.sampling.judging)]
        answers.append(int(frame_votes(probabilities, times_s, setting)[vote].argmax()))
        targets.append(labels.index(clip.emotion))
    return uar_of_answers(np.array(answers), np.array(targets), len(labels))
