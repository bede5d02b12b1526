"""One method on each subject's clips alone, beside the reference on the same clips."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from emotemporal.evaluation.metrics import Interval, measure, select_clips
from emotemporal.evaluation.results import SubjectResult
from emotemporal.evaluation.runs import MethodRuns
from emotemporal.evaluation.statistics import (
    BootstrapConfig,
    draw_resamples,
    over_seeds,
    percentile_interval,
    resampled_confusions,
    uar_of,
)


def subject_results(
    run: MethodRuns, reference: MethodRuns, config: BootstrapConfig
) -> tuple[SubjectResult, ...]:
    """Return each subject's UAR and its difference, with intervals over that subject's clips.

    Subjects in alphabetical order. The reference has no difference to itself.
    """
    results = []
    for subject in sorted(set(run.averaged.subjects)):
        own, own_resampled = _subject_uar(run, subject, config)
        if run.name == reference.name:
            difference = None
        else:
            other, other_resampled = _subject_uar(reference, subject, config)
            difference = percentile_interval(
                own - other, own_resampled - other_resampled, config.confidence
            )
        uar: Interval = percentile_interval(own, own_resampled, config.confidence)
        num_clips = sum(s == subject for s in run.averaged.subjects)
        results.append(SubjectResult(subject, num_clips, uar, difference))
    return tuple(results)


def _subject_uar(
    run: MethodRuns, subject: str, config: BootstrapConfig
) -> tuple[float, Float[np.ndarray, " r"]]:
    """Return the mean over seeds, and its resamples; the draw is the same for all methods."""
    chosen = np.array(run.averaged.subjects) == subject
    seeds = [select_clips(seed, chosen) for seed in run.seeds]
    resamples = draw_resamples(seeds[0].subjects, seeds[0].targets, config)
    answers = np.stack([seed.answers for seed in seeds])
    confusions = resampled_confusions(answers, seeds[0].targets, len(seeds[0].labels), resamples)
    mean = float(np.mean([measure(seed).uar for seed in seeds]))
    return mean, over_seeds(uar_of(confusions), config)
