"""What a comparison found, in sentences and in table cells: the same in every output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from emotemporal.evaluation.comparison.results import Comparison, Difference, MethodResult
from emotemporal.evaluation.spelling import effect, p_value, percent, points, ratio, title

HEADER = ("method", "seeds", "UAR %", "accuracy %", "macro-F1 %", "UAR difference, points")
_FEW = ("odds ratio", "McNemar p (Holm)")
_MANY = ("d_z", "odds ratio", "p over subjects (Holm)")
_MAX_NAMED = 10
PAIR_HEADER = "time-reversed pair %"


def table_header(comparison: Comparison) -> list[str]:
    """Return the column titles; the pair's column only where there is a pair."""
    tests = _MANY if _has_population(comparison) else _FEW
    return [*HEADER, *tests, *([PAIR_HEADER] if comparison.config.pair else [])]


def table_row(method: MethodResult, comparison: Comparison) -> list[str]:
    """Return one method's cells, as `table_header` has them."""
    cells = [
        title(method.name),
        str(method.num_seeds),
        percent(method.uar),
        percent(method.accuracy),
        percent(method.macro_f1),
        "reference" if method.difference is None else points(method.difference.uar),
        *_test_cells(method.difference, comparison),
    ]
    if comparison.config.pair:
        cells.append("" if method.pair_accuracy is None else percent(method.pair_accuracy))
    return cells


def _test_cells(difference: Difference | None, comparison: Comparison) -> list[str]:
    if difference is None:
        return [""] * len(_MANY if _has_population(comparison) else _FEW)
    if not _has_population(comparison):
        return [ratio(difference.odds_ratio), p_value(difference.holm_p)]
    p = difference.population_holm_p
    told = "" if p is None else p_value(p)
    return [effect(difference.d_z), ratio(difference.odds_ratio), told]


def _has_population(comparison: Comparison) -> bool:
    return any(
        m.difference and m.difference.population_holm_p is not None for m in comparison.methods
    )


def named(subjects: Sequence[str]) -> str:
    """Write subjects' names; of many, the first and the last."""
    if len(subjects) <= _MAX_NAMED:
        return ", ".join(subjects)
    return f"{subjects[0]}, {subjects[1]}, ... {subjects[-1]}"


def counts(comparison: Comparison) -> str:
    """Say what was judged."""
    dropped = f", {comparison.num_dropped} dropped" if comparison.num_dropped else ""
    protocol = f". Folds: {comparison.config.protocol}" if comparison.config.protocol else ""
    return (
        f"{comparison.num_clips} clips{dropped}, {len(comparison.labels)} emotions, "
        f"{len(comparison.subjects)} speakers ({named(comparison.subjects)}){protocol}"
    )


def verdict(method: MethodResult, comparison: Comparison, with_p: bool = True) -> str:
    """Say in a sentence how a method stands to the reference, and for whom."""
    name, reference = title(method.name), title(comparison.reference)
    if method.difference is None:
        return f"{name} is the reference."
    gap = method.difference.uar
    if gap.low > 0:
        claim = f"{name} beats {reference}"
    elif gap.high < 0:
        claim = f"{name} falls short of {reference}"
    else:
        claim = f"{name} does not differ from {reference} beyond the noise"
    p = method.difference.population_holm_p
    tested = "" if p is None or not with_p else f" (over subjects p {_equals(p)}, Holm-adjusted)"
    return f"{claim}: {points(gap)} points of UAR{tested}, {comparison.scope}."


def _equals(value: float) -> str:
    return p_value(value) if value < 0.001 else f"= {p_value(value)}"


def contenders(comparison: Comparison) -> list[MethodResult]:
    """Return what is neither frame baseline nor control; if nothing, all but the reference."""
    config = comparison.config
    others = [m for m in comparison.methods if m.difference is not None]
    models = [m for m in others if m.name not in (*config.frame_baselines, *config.controls)]
    return models or others


def headline(comparison: Comparison) -> str:
    """Say what the whole comparison found."""
    found = contenders(comparison)
    if not found:
        return f"Only {title(comparison.reference)} was measured; there is nothing to compare."
    sentence = verdict(max(found, key=lambda m: m.uar.estimate), comparison, with_p=False)
    return sentence[0].upper() + sentence[1:]


def pair_sentence(comparison: Comparison) -> str:
    """Say what the time-reversed pair is, and whether the order-blind methods prove it."""
    if comparison.config.pair is None:
        return ""
    first, second = comparison.config.pair
    text = (
        f"The clips of {first} are those of {second} backwards ({comparison.num_pair_clips} clips "
        "in all): a judge blind to the order of frames gets 50 % by construction."
    )
    off = [
        title(m.name)
        for m in comparison.methods
        if m.is_order_blind and m.pair_accuracy is not None and 0.5 not in m.pair_accuracy
    ]
    if off:
        text += (
            f" {', '.join(off)} should, and is off: the pair is not what it should be, and this "
            "table proves nothing about time."
        )
    return text


def caveats(comparison: Comparison) -> Iterator[str]:
    """Say what the figures do not tell."""
    bootstrap = comparison.config.bootstrap
    yield (
        f"Brackets: {100 * bootstrap.confidence:.0f} % intervals from {bootstrap.num_resamples} "
        f"paired resamples of {_what_is_drawn(comparison)}. They hold {comparison.scope}."
    )
    if comparison.is_reference_chosen:
        yield (
            f"The reference, {title(comparison.reference)}, is the frame baseline that did best on "
            "these very clips: that favours it, not what is held against it."
        )
    population = next((m.difference.population for m in comparison.methods if m.difference), None)
    if population is not None and population.p_value is None:
        yield population.explanation
    if _has_population(comparison):
        yield (
            "p over subjects: sign-flip of each subject's difference, two-sided, adjusted for the "
            "methods of the table (Holm). d_z: mean of the subjects' differences over their "
            "deviation."
        )
    yield (
        "Odds ratio: clips that only this method got right for each that only the reference did. "
        "McNemar's test on seed-averaged probabilities is secondary: it takes clips of one speaker "
        "for independent. Its p-values are adjusted for the methods of the table (Holm)."
    )
    if comparison.num_lone_clips:
        yield (
            f"{comparison.num_lone_clips} clips are alone in their speaker and class; they cannot "
            "vary, so the intervals are too narrow."
        )
    yield from comparison.config.remarks
    yield from _space_caveats(comparison)


def _what_is_drawn(comparison: Comparison) -> str:
    what = "subjects" if comparison.resampled == "subjects" else "clips within speaker and class"
    if all(method.num_seeds == 1 for method in comparison.methods):
        return f"{what}; one training seed, so training randomness is not in them"
    return f"{what}, and of training seeds"


def _space_caveats(comparison: Comparison) -> Iterator[str]:
    masked = {title(m.name): m.masked for m in comparison.methods if m.masked}
    if masked:
        emotions = sorted({emotion.value for some in masked.values() for emotion in some})
        yield (
            f"Judged among {len(comparison.labels)} emotions: {', '.join(emotions)} masked and the "
            f"rest renormalised for {', '.join(masked)}."
        )
    if comparison.num_dropped:
        yield f"{comparison.num_dropped} clips show an emotion outside them and were dropped."


def sources(comparison: Comparison) -> list[str]:
    """Say where the methods come from: the end of every report."""
    tests, effects = (
        "McNemar 1947, exact",
        "matched odds ratio (Fagerland, Lydersen and Laake 2014)",
    )
    if _has_population(comparison):
        tests += "; sign-flip over subjects (Fisher 1935)"
        effects += "; d_z (Cohen 1988), its interval by the noncentral t (Cumming and Finch 2001)"
    return [
        f"Intervals: {_which_bootstrap(comparison)}; recalls: Wilson 1927; the pair: Clopper and "
        "Pearson 1934; ECE: basic bootstrap (Davison and Hinkley 1997).",
        "UAR: unweighted average recall (Schuller et al. 2009). ECE over bins of equal mass: "
        "Nguyen and O'Connor 2015. Brier 1950.",
        f"Tests: {tests}; Holm 1979. Effects: {effects}.",
    ]


def _which_bootstrap(comparison: Comparison) -> str:
    if comparison.resampled == "subjects":
        return "bootstrap of subjects, expanded percentiles (Hesterberg 2015)"
    return "bootstrap within speaker and class, rescaled for small cells (Rao and Wu 1988)"
