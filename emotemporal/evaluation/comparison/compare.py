"""Frame models against clip models on the same clips: every figure with its interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from einops import reduce
from jaxtyping import Float

from emotemporal.evaluation.comparison.by_group import GroupAudit, audit_groups, of_judged
from emotemporal.evaluation.comparison.by_subject import subject_results
from emotemporal.evaluation.comparison.pair import judge_pair, pair_clips
from emotemporal.evaluation.comparison.results import (
    SYNTHETIC_NOTE,
    Comparison,
    ComparisonConfig,
    Difference,
    MethodResult,
    SubjectResult,
)
from emotemporal.evaluation.comparison.runs import MethodRuns, gather_runs
from emotemporal.evaluation.comparison.trust import measure_trust
from emotemporal.evaluation.metrics import (
    Interval,
    measure,
)
from emotemporal.evaluation.statistics.bootstrap import (
    Resamples,
    accuracy_of,
    draw_resamples,
    macro_f1_of,
    over_seeds,
    percentile_interval,
    resampled_confusions,
    uar_of,
)
from emotemporal.evaluation.statistics.effects import cohens_dz, matched_odds_ratio
from emotemporal.evaluation.statistics.significance import holm, mcnemar, population_test
from emotemporal.labels import LabelSpace
from emotemporal.types import ClipPrediction

__all__ = [
    "SYNTHETIC_NOTE",
    "Comparison",
    "ComparisonConfig",
    "Difference",
    "MethodResult",
    "SubjectResult",
    "compare",
]

_Confusions = Float[np.ndarray, "seeds r k k"]


def compare(
    predictions: Mapping[str, Sequence[Sequence[ClipPrediction]]],
    config: ComparisonConfig | None = None,
    labels: LabelSpace | None = None,
    origin: Mapping[str, str] | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
) -> Comparison:
    """Compare methods on the same clips.

    Args:
        predictions: Method -> seeds -> clips; the same clips in the same order everywhere. A
            method without training randomness has one seed.
        config: Reference, pair, note and bootstrap.
        labels: Judge in this smaller space; clips outside it are dropped and counted.
        origin: Commit, config, data fingerprint, seeds: printed as given.
        groups: Column (sex, age) -> its value for each clip: gaps between them are audited.

    Raises:
        ValueError: No methods or seeds, clips that differ between them, or a reference, pair or
            label that is not there.
    """
    config = config or ComparisonConfig()
    runs = gather_runs(predictions, labels)
    first = next(iter(runs.values())).averaged
    resamples = draw_resamples(first.subjects, first.targets, config.bootstrap)
    confusions = {
        name: resampled_confusions(
            np.stack([seed.answers for seed in run.seeds]),
            first.targets,
            len(first.labels),
            resamples,
        )
        for name, run in runs.items()
    }
    reference = runs[_reference_name(runs, config)]
    in_pair = pair_clips(first, config.pair)
    subjects = subject_results(runs, reference.name, config.bootstrap)
    clips = next(iter(predictions.values()))[0]
    audits = audit_groups(runs, of_judged(groups or {}, clips, first), config.bootstrap)
    rows = [
        _method_result(
            run, subjects[run.name], audits[run.name], confusions[run.name], resamples, config
        )
        for run in runs.values()
    ]
    rows = [
        replace(row, pair_accuracy=judge_pair(runs[row.name].averaged, in_pair, config))
        for row in rows
    ]
    rows = [
        row
        if row.name == reference.name
        else _against(row, runs[row.name], reference, confusions, resamples, config)
        for row in rows
    ]
    return Comparison(
        methods=_with_holm(rows),
        reference=reference.name,
        is_reference_chosen=config.reference is None,
        labels=first.labels,
        num_clips=len(first),
        num_dropped=first.num_dropped,
        subjects=tuple(sorted(set(first.subjects))),
        resampled=resamples.kind,
        num_lone_clips=resamples.num_lone_clips,
        num_pair_clips=int(in_pair.sum()),
        config=config,
        origin=dict(origin or {}),
    )


def _reference_name(runs: Mapping[str, MethodRuns], config: ComparisonConfig) -> str:
    if config.reference is not None:
        if config.reference not in runs:
            raise ValueError(f"reference {config.reference!r} is not among {', '.join(runs)}")
        return config.reference
    baselines = [name for name in runs if name in config.frame_baselines]
    if not baselines:
        raise ValueError(
            f"no frame baseline ({', '.join(config.frame_baselines)}) among {', '.join(runs)}; "
            "name the `reference`"
        )
    return max(baselines, key=lambda name: runs[name].mean_uar)


def _method_result(
    run: MethodRuns,
    subjects: tuple[SubjectResult, ...],
    audits: tuple[GroupAudit, ...],
    confusions: _Confusions,
    resamples: Resamples,
    config: ComparisonConfig,
) -> MethodResult:
    measured = [measure(seed) for seed in run.seeds]
    averaged = measure(run.averaged)

    def interval(
        values: Sequence[float], statistic: Callable[[_Confusions], Float[np.ndarray, "seeds r"]]
    ) -> Interval:
        resampled = over_seeds(statistic(confusions), config.bootstrap)
        confidence = config.bootstrap.confidence
        return percentile_interval(float(np.mean(values)), resampled, confidence, resamples)

    matrices = np.stack([m.confusion for m in measured]).astype(np.float64)
    return MethodResult(
        name=run.name,
        num_seeds=len(run.seeds),
        masked=run.masked,
        is_order_blind=run.name in config.order_blind,
        accuracy=interval([m.accuracy for m in measured], accuracy_of),
        uar=interval([m.uar for m in measured], uar_of),
        macro_f1=interval([m.macro_f1 for m in measured], macro_f1_of),
        metrics=averaged,
        trust=measure_trust(run.averaged, averaged, resamples, config.bootstrap.confidence),
        audits=audits,
        confusion=reduce(matrices, "seeds true said -> true said", "mean"),
        subjects=subjects,
        difference=None,
        pair_accuracy=None,
    )


def _against(
    row: MethodResult,
    run: MethodRuns,
    reference: MethodRuns,
    confusions: Mapping[str, _Confusions],
    resamples: Resamples,
    config: ComparisonConfig,
) -> MethodResult:
    """Hold a method against the reference: the same clips and, seed for seed, the same draws."""
    bootstrap = config.bootstrap
    resampled = over_seeds(uar_of(confusions[run.name]), bootstrap) - over_seeds(
        uar_of(confusions[reference.name]), bootstrap
    )
    targets = run.averaged.targets
    test = mcnemar(run.averaged.answers == targets, reference.averaged.answers == targets)
    of_subjects = [s.difference.estimate for s in row.subjects if s.difference is not None]
    population = population_test(of_subjects)
    difference = Difference(
        uar=percentile_interval(
            run.mean_uar - reference.mean_uar, resampled, bootstrap.confidence, resamples
        ),
        mcnemar=test,
        holm_p=test.p_value,
        odds_ratio=matched_odds_ratio(test, bootstrap.confidence),
        population=population,
        population_holm_p=population.p_value,
        d_z=cohens_dz(of_subjects, bootstrap.confidence),
    )
    return replace(row, difference=difference)


def _with_holm(rows: Sequence[MethodResult]) -> tuple[MethodResult, ...]:
    """Adjust both kinds of p-values for all methods that were held against the reference."""
    differences = {row.name: row.difference for row in rows if row.difference is not None}
    of_clips = holm([d.mcnemar.p_value for d in differences.values()])
    known = [d.population.p_value for d in differences.values() if d.population.p_value is not None]
    # All methods have the same subjects, so all have this p-value or none has.
    of_people = holm(known) if known else [None] * len(differences)
    adjusted = {
        name: replace(difference, holm_p=p, population_holm_p=people)
        for (name, difference), p, people in zip(
            differences.items(), of_clips, of_people, strict=True
        )
    }
    return tuple(replace(row, difference=adjusted.get(row.name)) for row in rows)
