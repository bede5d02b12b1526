"""Every method on each subject's clips alone, beside the reference on the same clips."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from emotemporal.evaluation.comparison.results import SubjectResult
from emotemporal.evaluation.comparison.runs import MethodRuns
from emotemporal.evaluation.metrics import select_clips
from emotemporal.evaluation.statistics.bootstrap import (
    BootstrapConfig,
    draw_resamples,
    over_seeds,
    percentile_interval,
    resampled_confusions,
    uar_of,
    uar_of_answers,
)


class _Uar(NamedTuple):
    """One method on one subject: the mean over seeds, and its resamples."""

    mean: float
    resampled: Float[np.ndarray, " r"]


def subject_results(
    runs: Mapping[str, MethodRuns], reference: str, config: BootstrapConfig
) -> dict[str, tuple[SubjectResult, ...]]:
    """Return, by method, each subject's UAR and difference with intervals over that one's clips.

    Subjects in alphabetical order. The reference has no difference to itself.
    """
    results: dict[str, list[SubjectResult]] = {name: [] for name in runs}
    subjects = runs[reference].averaged.subjects
    for subject in sorted(set(subjects)):
        found = _subject_uars(runs, subject, config)
        base = found[reference]
        for name, own in found.items():
            gap = own.mean - base.mean
            results[name].append(
                SubjectResult(
                    subject=subject,
                    num_clips=subjects.count(subject),
                    uar=percentile_interval(own.mean, own.resampled, config.confidence),
                    difference=None
                    if name == reference
                    else percentile_interval(
                        gap, own.resampled - base.resampled, config.confidence
                    ),
                )
            )
    return {name: tuple(rows) for name, rows in results.items()}


def _subject_uars(
    runs: Mapping[str, MethodRuns], subject: str, config: BootstrapConfig
) -> dict[str, _Uar]:
    """Measure all methods on the same draws of the subject's clips."""
    first = next(iter(runs.values())).averaged
    chosen = np.array(first.subjects) == subject
    own = select_clips(first, chosen)
    resamples = draw_resamples(own.subjects, own.targets, config)
    uars = {}
    for name, run in runs.items():
        seeds = [select_clips(seed, chosen) for seed in run.seeds]
        answers = np.stack([seed.answers for seed in seeds])
        confusions = resampled_confusions(answers, own.targets, len(own.labels), resamples)
        mean = float(np.mean([uar_of_answers(a, own.targets, len(own.labels)) for a in answers]))
        uars[name] = _Uar(mean, over_seeds(uar_of(confusions), config))
    return uars
