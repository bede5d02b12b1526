"""One fold of a study: settings chosen inside the training subjects, then refitted on them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd
from lightning_fabric import Fabric
from torch import nn

from emotemporal.data.seeds import derive_seed
from emotemporal.evaluation.choosing import choose_num_epochs, choose_setting
from emotemporal.evaluation.protocols import Fold, inner_folds
from emotemporal.labels import LabelSpace
from emotemporal.train.features import ClipFeatures
from emotemporal.train.heads import HeadConfig, train_head
from emotemporal.train.state import MemoryKeeper


@dataclass(frozen=True)
class Choice:
    """What the inner folds chose, and on what grounds."""

    rate_factor: float
    num_epochs: int
    scores: Mapping[str, Sequence[float]]
    """Factor of the learning rate -> best UAR in each inner fold."""


@dataclass(frozen=True, eq=False)
class FoldResult:
    """A head refitted on all training subjects, and how its setting was chosen."""

    head: nn.Module
    choice: Choice


def as_rows(clips: Sequence[ClipFeatures]) -> pd.DataFrame:
    """Return the columns by which protocols make folds."""
    return pd.DataFrame(
        {
            "emotion": [clip.emotion.value for clip in clips],
            "subject": [clip.subject for clip in clips],
            "take": [clip.take for clip in clips],
        }
    )


def fit_fold(  # noqa: PLR0913, PLR0917 (what a fold consists of)
    clips: Sequence[ClipFeatures],
    fold: Fold,
    labels: LabelSpace,
    config: HeadConfig,
    rate_factors: Sequence[float],
    seed: int,
    fabric: Fabric,
    inner: Sequence[Fold] = (),
) -> FoldResult:
    """Choose by the inner folds, then train on all of the fold's training subjects.

    Inner folds are `inner`, or leave out each training subject in turn. Without `rate_factors`
    nothing is chosen: the head is trained with `config` as it stands.

    Of `clips`, those of `fold.test` are never looked at: the clips that this function reads are
    taken out first, so corrupting the others cannot change a bit of the result.
    """
    train = [clips[i] for i in fold.train]
    seed = derive_seed(seed, f"fold {fold.name}")
    choice = Choice(1.0, config.optim.epochs, {})
    if rate_factors:
        parts = inner_parts(clips, inner or inner_folds(as_rows(clips), fold))
        choice = _choose(parts, labels, config, rate_factors, seed, fabric)
    head, _ = train_head(
        train,
        [],
        labels,
        with_rate(config, choice.rate_factor),
        seed,
        fabric,
        MemoryKeeper(),
        stop_after=choice.num_epochs,
    )
    return FoldResult(head, choice)


def _choose(
    inner: Sequence[tuple[Sequence[ClipFeatures], Sequence[ClipFeatures]]],
    labels: LabelSpace,
    config: HeadConfig,
    rate_factors: Sequence[float],
    seed: int,
    fabric: Fabric,
) -> Choice:
    curves: dict[str, list[list[float]]] = {}
    for factor in rate_factors:
        setting = with_rate(config, factor)
        curves[str(factor)] = [
            _uar_curve(part, judged, labels, setting, derive_seed(seed, "inner", i), fabric)
            for i, (part, judged) in enumerate(inner)
        ]
    scores = {name: [max(curve) for curve in some] for name, some in curves.items()}
    chosen = choose_setting(scores)
    return Choice(float(chosen), choose_num_epochs(curves[chosen]), scores)


def _uar_curve(
    train: Sequence[ClipFeatures],
    judged: Sequence[ClipFeatures],
    labels: LabelSpace,
    config: HeadConfig,
    seed: int,
    fabric: Fabric,
) -> list[float]:
    _, progress = train_head(train, judged, labels, config, seed, fabric, MemoryKeeper())
    return [row.val_uar or 0.0 for row in progress.rows]


def inner_parts(
    clips: Sequence[ClipFeatures], folds: Sequence[Fold]
) -> list[tuple[list[ClipFeatures], list[ClipFeatures]]]:
    """Return each fold's clips: to train on, to judge."""
    return [([clips[i] for i in f.train], [clips[i] for i in f.test]) for f in folds]


def with_rate(config: HeadConfig, factor: float) -> HeadConfig:
    """Return the settings with the learning rate times a factor."""
    rate = config.optim.learning_rate * factor
    return replace(config, optim=replace(config.optim, learning_rate=rate))
