"""Whether a method does worse for some people than for others: an audit by column of the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Float

from emotemporal.evaluation.comparison.runs import MethodRuns, gather_runs
from emotemporal.evaluation.metrics import Interval, JudgedClips, select_clips
from emotemporal.evaluation.statistics.bootstrap import (
    BootstrapConfig,
    Resamples,
    draw_resamples,
    over_seeds,
    percentile_interval,
    resampled_confusions,
    uar_of,
    uar_of_answers,
)
from emotemporal.labels import Emotion, LabelSpace
from emotemporal.types import ClipPrediction

NOT_KNOWN = "not known"
"""The group of clips whose row says nothing; in no gap."""


@dataclass(frozen=True)
class GroupResult:
    """One method on one group's clips."""

    group: str
    num_clips: int
    """Or images."""
    num_subjects: int
    """0 where the data set does not say who is shown."""
    uar: Interval
    """Over the emotions that all groups of the column show; mean over seeds."""


@dataclass(frozen=True)
class GroupGap:
    """The widest gap between two groups: chosen after looking, where there are more than two."""

    better: str
    worse: str
    uar: Interval


@dataclass(frozen=True)
class GroupAudit:
    """One method over one column."""

    column: str
    groups: tuple[GroupResult, ...]
    gap: GroupGap | None
    """None where fewer than two groups are known."""
    emotions: tuple[Emotion, ...]
    """Those that all known groups show; the others are left out of this audit."""

    @property
    def smallest(self) -> GroupResult:
        """The known group with the fewest subjects, then clips: how little the audit rests on."""
        known = [g for g in self.groups if g.group != NOT_KNOWN] or list(self.groups)
        return min(known, key=lambda group: (group.num_subjects, group.num_clips))


@dataclass(frozen=True, eq=False)
class _Measured:
    result: GroupResult
    resamples: Resamples
    resampled: Float[np.ndarray, " r"]


def group_values(rows: pd.DataFrame, columns: Sequence[str]) -> dict[str, list[str]]:
    """Return each column's value for each row.

    Raises:
        ValueError: There is no such column.
    """
    for column in columns:
        if column not in rows.columns:
            raise ValueError(
                f"group_by has {column!r}; the data has {', '.join(rows.columns)}. "
                "Columns that tell who is shown come from the data set, or from a manifest's"
            )
    return {
        column: ["" if pd.isna(value) else str(value) for value in rows[column]]
        for column in columns
    }


def of_judged(
    groups: Mapping[str, Sequence[str]], clips: Sequence[ClipPrediction], judged: JudgedClips
) -> dict[str, list[str]]:
    """Return the columns of `clips` without those that `judged` dropped."""
    kept = [clip.target in judged.labels for clip in clips]
    return {
        column: [value for value, keep in zip(values, kept, strict=True) if keep]
        for column, values in groups.items()
    }


def audit_predictions(
    predictions: Sequence[ClipPrediction],
    groups: Mapping[str, Sequence[str]],
    labels: LabelSpace | None = None,
    config: BootstrapConfig | None = None,
) -> tuple[GroupAudit, ...]:
    """Return one judge's audits, one a column of `groups`, which holds one value a prediction.

    Raises:
        ValueError: As `audit_groups`, and as `gather_runs` for the predictions.
    """
    runs = gather_runs({"": [predictions]}, labels)
    kept = of_judged(groups, predictions, runs[""].averaged)
    return audit_groups(runs, kept, config or BootstrapConfig())[""]


def group_sentence(audit: GroupAudit) -> str:
    """Say how little an audit rests on."""
    small = audit.smallest
    text = (
        f"Smallest group of {audit.column}: {small.group}, {people(small.num_subjects)}, "
        f"{small.num_clips} clips."
    )
    if audit.gap is None:
        return f"{text} Only one group is known: there is nothing to compare."
    if len(audit.groups) > 2:
        text += " The gap is that of the two groups furthest apart, chosen after looking."
    return f"{text} UAR over {', '.join(emotion.value for emotion in audit.emotions)}."


def people(num_subjects: int) -> str:
    """Write how many people a group has, or that nobody knows."""
    if num_subjects == 0:
        return "subjects not known"
    return "1 subject" if num_subjects == 1 else f"{num_subjects} subjects"


def audit_groups(
    runs: Mapping[str, MethodRuns], groups: Mapping[str, Sequence[str]], config: BootstrapConfig
) -> dict[str, tuple[GroupAudit, ...]]:
    """Return each method's audits, one a column of `groups`, which holds one value a clip.

    Groups are resampled apart: clips within speaker and class, or subjects in a group of ten and
    more. Where the same people are in several groups, that makes gaps look less certain than they
    are.

    Raises:
        ValueError: A column has not one value a clip, or no emotion is shown by all its groups.
    """
    found: dict[str, list[GroupAudit]] = {name: [] for name in runs}
    for column, values in groups.items():
        named = np.array([str(value).strip() or NOT_KNOWN for value in values], dtype=object)
        if len(named) != len(next(iter(runs.values())).averaged):
            raise ValueError(f"{column} has {len(named)} values, not one a clip")
        for name, run in runs.items():
            found[name].append(_audit(run, column, named, config))
    return {name: tuple(audits) for name, audits in found.items()}


def _audit(run: MethodRuns, column: str, named: np.ndarray, config: BootstrapConfig) -> GroupAudit:
    targets = run.averaged.targets
    known = sorted(set(named) - {NOT_KNOWN})
    shared = set(range(len(run.averaged.labels)))
    for group in known:
        shared &= set(targets[named == group].tolist())
    if not shared:
        raise ValueError(
            f"no emotion is shown by all groups of {column} ({', '.join(known)}): nothing can be "
            "compared"
        )
    is_shared = np.isin(targets, sorted(shared))
    measured = [
        _measure(run, group, (named == group) & is_shared, replace(config, seed=config.seed + i))
        for i, group in enumerate([*known, NOT_KNOWN])
        if np.any((named == group) & is_shared)
    ]
    of_known = [m for m in measured if m.result.group != NOT_KNOWN]
    return GroupAudit(
        column=column,
        groups=tuple(m.result for m in measured),
        gap=_widest_gap(of_known, config.confidence) if len(of_known) > 1 else None,
        emotions=tuple(run.averaged.labels.emotions[i] for i in sorted(shared)),
    )


def _measure(run: MethodRuns, group: str, chosen: np.ndarray, config: BootstrapConfig) -> _Measured:
    seeds: list[JudgedClips] = [select_clips(seed, chosen) for seed in run.seeds]
    first = seeds[0]
    resamples = draw_resamples(first.subjects, first.targets, config)
    answers = np.stack([seed.answers for seed in seeds])
    confusions = resampled_confusions(answers, first.targets, len(first.labels), resamples)
    resampled = over_seeds(uar_of(confusions), replace(config, seed=0))
    mean = float(np.mean([uar_of_answers(a, first.targets, len(first.labels)) for a in answers]))
    interval = percentile_interval(mean, resampled, config.confidence, resamples)
    result = GroupResult(group, len(first), len(set(first.subjects) - {""}), interval)
    return _Measured(result, resamples, resampled)


def _widest_gap(measured: Sequence[_Measured], confidence: float) -> GroupGap:
    best = max(measured, key=lambda m: m.result.uar.estimate)
    worst = min(measured, key=lambda m: m.result.uar.estimate)
    if best is worst:  # all alike
        worst = next(m for m in measured if m is not best)
    gap = best.result.uar.estimate - worst.result.uar.estimate
    # As wide as the group with fewer people demands.
    of_fewer = min(best.resamples, worst.resamples, key=lambda resamples: resamples.num_subjects)
    resampled = best.resampled - worst.resampled
    interval = percentile_interval(gap, resampled, confidence, of_fewer)
    return GroupGap(best.result.group, worst.result.group, interval)
