"""One method's predictions over training seeds, checked against every other method's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from einops import reduce

from emotemporal.evaluation.metrics import JudgedClips, measure, stack_predictions
from emotemporal.labels import Emotion, LabelSpace
from emotemporal.types import ClipPrediction


@dataclass(frozen=True, eq=False)
class MethodRuns:
    """One method's seeds on the same clips."""

    name: str
    seeds: tuple[JudgedClips, ...]
    averaged: JudgedClips
    """The mean of the seeds' probabilities."""
    masked: tuple[Emotion, ...]
    """What the model can say but was not allowed to here."""

    @property
    def mean_uar(self) -> float:
        """UAR, mean over seeds."""
        return float(np.mean([measure(seed).uar for seed in self.seeds]))


def gather_runs(
    predictions: Mapping[str, Sequence[Sequence[ClipPrediction]]], labels: LabelSpace | None
) -> dict[str, MethodRuns]:
    """Stack every method's seeds, and refuse what is not the same clips in the same order.

    Raises:
        ValueError: No methods or seeds, or clips or label spaces that differ between them.
    """
    if not predictions or not all(len(seeds) for seeds in predictions.values()):
        counts = {name: len(seeds) for name, seeds in predictions.items()}
        raise ValueError(f"each method needs predictions of at least one seed; there are {counts}")
    runs = {}
    clips = None
    for name, seeds in predictions.items():
        judged = tuple(stack_predictions(seed, labels) for seed in seeds)
        for i, seed in enumerate(judged):
            shown = [seed.labels.emotions[target].value for target in seed.targets]
            own = list(zip(seed.sources, seed.subjects, shown, strict=True))
            clips = clips or own
            if own != clips or seed.labels != judged[0].labels:
                raise ValueError(
                    f"{name}, seed number {i + 1}: {_first_unlike(own, clips)}; all methods and "
                    "seeds judge the same clips in the same order"
                )
        mean = reduce(np.stack([seed.probabilities for seed in judged]), "s n k -> n k", "mean")
        runs[name] = MethodRuns(
            name=name,
            seeds=judged,
            averaged=replace(judged[0], probabilities=mean),
            masked=tuple(e for e in seeds[0][0].labels.emotions if e not in judged[0].labels),
        )
    if len(spaces := {run.averaged.labels.names for run in runs.values()}) > 1:
        raise ValueError(
            f"methods speak {len(spaces)} label spaces: {sorted(spaces)}; give `labels` to judge "
            "all of them in one"
        )
    return runs


def _first_unlike(own: Sequence[object], expected: Sequence[object]) -> str:
    if len(own) != len(expected):
        return f"{len(own)} clips where the first has {len(expected)}"
    for i, (found, wanted) in enumerate(zip(own, expected, strict=True)):
        if found != wanted:
            return f"clip {i} is {found} where the first has {wanted}"
    return "another label space"
