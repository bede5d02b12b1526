"""Frame models against clip models on the same clips: every figure with its interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from einops import reduce
from jaxtyping import Bool, Float

from emotemporal.evaluation.by_subject import subject_results
from emotemporal.evaluation.metrics import (
    Interval,
    JudgedClips,
    exact_interval,
    measure,
    select_clips,
)
from emotemporal.evaluation.results import (
    SYNTHETIC_NOTE,
    Comparison,
    ComparisonConfig,
    Difference,
    MethodResult,
    SubjectResult,
)
from emotemporal.evaluation.runs import MethodRuns, gather_runs
from emotemporal.evaluation.statistics import (
    accuracy_of,
    draw_resamples,
    holm,
    macro_f1_of,
    mcnemar,
    over_seeds,
    percentile_interval,
    population_test,
    resampled_confusions,
    uar_of,
)
from emotemporal.labels import Emotion, LabelSpace
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
) -> Comparison:
    """Compare methods on the same clips.

    Args:
        predictions: Method -> seeds -> clips; the same clips in the same order everywhere. A
            method without training randomness has one seed.
        config: Reference, pair, note and bootstrap.
        labels: Judge in this smaller space; clips outside it are dropped and counted.
        origin: Commit, config, data fingerprint, seeds: printed as given.

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
    in_pair = _pair_clips(first, config.pair)
    subjects = subject_results(runs, reference.name, config.bootstrap)
    rows = [
        _method_result(run, subjects[run.name], confusions[run.name], config)
        for run in runs.values()
    ]
    rows = [_with_pair(row, runs[row.name], in_pair, config) for row in rows]
    rows = [
        row
        if row.name == reference.name
        else _against(row, runs[row.name], reference, confusions, config)
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


def _pair_clips(
    judged: JudgedClips, pair: tuple[Emotion, Emotion] | None
) -> Bool[np.ndarray, " n"]:
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


def _method_result(
    run: MethodRuns,
    subjects: tuple[SubjectResult, ...],
    confusions: _Confusions,
    config: ComparisonConfig,
) -> MethodResult:
    measured = [measure(seed) for seed in run.seeds]

    def interval(
        values: Sequence[float], statistic: Callable[[_Confusions], Float[np.ndarray, "seeds r"]]
    ) -> Interval:
        resampled = over_seeds(statistic(confusions), config.bootstrap)
        return percentile_interval(float(np.mean(values)), resampled, config.bootstrap.confidence)

    matrices = np.stack([m.confusion for m in measured]).astype(np.float64)
    return MethodResult(
        name=run.name,
        num_seeds=len(run.seeds),
        masked=run.masked,
        is_order_blind=run.name in config.order_blind,
        accuracy=interval([m.accuracy for m in measured], accuracy_of),
        uar=interval([m.uar for m in measured], uar_of),
        macro_f1=interval([m.macro_f1 for m in measured], macro_f1_of),
        metrics=measure(run.averaged),
        confusion=reduce(matrices, "seeds true said -> true said", "mean"),
        subjects=subjects,
        difference=None,
        pair_accuracy=None,
    )


def _with_pair(
    row: MethodResult, run: MethodRuns, in_pair: Bool[np.ndarray, " n"], config: ComparisonConfig
) -> MethodResult:
    """Judge the pair's clips between its two emotions alone."""
    if config.pair is None:
        return row
    chosen = select_clips(run.averaged, in_pair)
    two = LabelSpace(config.pair)
    columns = two.indices_in(chosen.labels)
    answers = np.array(columns)[chosen.probabilities[:, columns].argmax(axis=1)]
    num_right = int(np.sum(answers == chosen.targets))
    accuracy = exact_interval(num_right, len(chosen), config.bootstrap.confidence)
    return replace(row, pair_accuracy=accuracy)


def _against(
    row: MethodResult,
    run: MethodRuns,
    reference: MethodRuns,
    confusions: Mapping[str, _Confusions],
    config: ComparisonConfig,
) -> MethodResult:
    """Hold a method against the reference: the same clips and, seed for seed, the same draws."""
    bootstrap = config.bootstrap
    resampled = over_seeds(uar_of(confusions[run.name]), bootstrap) - over_seeds(
        uar_of(confusions[reference.name]), bootstrap
    )
    targets = run.averaged.targets
    test = mcnemar(run.averaged.answers == targets, reference.averaged.answers == targets)
    difference = Difference(
        uar=percentile_interval(run.mean_uar - reference.mean_uar, resampled, bootstrap.confidence),
        mcnemar=test,
        holm_p=test.p_value,
        population=population_test(
            [s.difference.estimate for s in row.subjects if s.difference is not None]
        ),
    )
    return replace(row, difference=difference)


def _with_holm(rows: Sequence[MethodResult]) -> tuple[MethodResult, ...]:
    """Adjust McNemar's p-values for all methods that were held against the reference."""
    differences = {row.name: row.difference for row in rows if row.difference is not None}
    adjusted = dict(
        zip(differences, holm([d.mcnemar.p_value for d in differences.values()]), strict=True)
    )
    return tuple(
        row
        if row.difference is None
        else replace(row, difference=replace(row.difference, holm_p=adjusted[row.name]))
        for row in rows
    )
