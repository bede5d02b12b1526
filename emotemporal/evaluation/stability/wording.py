"""What a smoothing study found, in sentences and in table cells: the same in every output."""

from __future__ import annotations

import math
from collections.abc import Iterator

from emotemporal.evaluation.metrics import Interval
from emotemporal.evaluation.spelling import p_value, percent, points
from emotemporal.evaluation.stability.bootstrap import Figures
from emotemporal.evaluation.stability.results import Contest, MethodResult, SmoothingStudy

TITLES = {
    "none": "no filter",
    "ema": "EMA",
    "one_euro": "One-Euro",
    "hidden_markov": "hidden Markov",
    "majority": "majority vote",
}
HEADER = (
    "method",
    "setting, chosen on the tuning streams",
    "spurious switches a minute",
    "median lag, s",
    "95 % lag, s",
    "changes missed, %",
    "within 0.5 s, %",
    "within 1 s, %",
    "within 2 s, %",
    "macro-F1 %",
    "UAR %",
)
CONTEST_HEADER = (
    "learned filter",
    "against",
    "on",
    "spurious switches, ratio",
    "changes missed, points",
    "macro-F1, points",
    "p (Holm)",
)


def title(name: str) -> str:
    """Write a method's name for people."""
    return TITLES.get(name, name)


def number(interval: Interval, digits: int, infinite: str = "never") -> str:
    """Write a figure with its interval: `2.1 [1.6, 2.7]`; an infinite lag ends never."""
    ends = (interval.estimate, interval.low, interval.high)
    estimate, low, high = (_plain(value, digits, infinite) for value in ends)
    return f"{estimate} [{low}, {high}]"


def cells(figures: Figures) -> list[str]:
    """Return a method's figures, as `HEADER` has them from its third column on."""
    return [
        number(figures.spurious_per_minute, 1),
        number(figures.median_lag_s, 2),
        number(figures.p95_lag_s, 2),
        percent(figures.missed_share),
        *(percent(share) for share in figures.share_within.values()),
        percent(figures.macro_f1),
        percent(figures.uar),
    ]


def method_row(method: MethodResult, figures: Figures) -> list[str]:
    """Return one method's cells, as `HEADER` has them."""
    setting = method.choice.name
    if not method.choice.keeps_lag:
        setting += " (too slow)"
    elif not method.choice.keeps_missed:
        setting += " (misses more than allowed)"
    return [title(method.name), setting, *cells(figures)]


def contest_row(contest: Contest) -> list[str]:
    """Return one contest's cells, as `CONTEST_HEADER` has them."""
    return [
        title(contest.learned),
        title(contest.against),
        contest.where,
        number(contest.spurious_ratio, 2, "infinite"),
        points(contest.more_missed),
        points(contest.macro_f1_gain),
        "" if contest.adjusted_p_value is None else p_value(contest.adjusted_p_value),
    ]


def best_simple(study: SmoothingStudy) -> MethodResult:
    """Return the simple smoother with the fewest spurious switches where it was tuned."""
    simple = [method for method in study.methods if not method.is_learned]
    kept = [m for m in simple if m.choice.keeps_lag and m.choice.keeps_missed] or simple
    return min(kept, key=lambda m: m.tuned.stability.spurious_per_minute)


def headline(study: SmoothingStudy) -> str:
    """Say what the study found."""
    best = best_simple(study)
    learned = [method for method in study.methods if method.is_learned]
    limit = f"a median lag of {study.rules.choice.max_lag_s:g} s"
    if not learned:
        return (
            f"Tuned to {limit}, {best.choice.name} is steadiest: "
            f"{number(best.test.spurious_per_minute, 1)} spurious switches a minute, with a lag of "
            f"{number(best.test.median_lag_s, 2)} s"
        )
    rival = min(learned, key=lambda m: m.tuned.stability.spurious_per_minute)
    if not rival.choice.keeps_lag:
        return (
            f"No setting of {title(rival.name)} keeps to {limit} where it was tuned; "
            f"{title(best.name)} does, with {number(best.test.spurious_per_minute, 1)} spurious "
            "switches a minute"
        )
    contest = next(
        c
        for c in study.contests
        if (c.learned, c.against, c.where) == (rival.name, best.name, "test")
    )
    ratio = contest.spurious_ratio
    claim = "as many" if ratio.low <= 1 <= ratio.high else "fewer" if ratio.high < 1 else "more"
    return (
        f"Tuned to {limit}, {title(rival.name)} has {claim} spurious switches "
        f"{'as' if claim == 'as many' else 'than'} {title(best.name)}, the best simple smoother: "
        f"{number(ratio, 2, 'infinitely many')} times its number"
    )


def notes(study: SmoothingStudy) -> Iterator[str]:
    """Say how figures came about, and what they do not tell."""
    choice = study.rules.choice
    best = "the steadiest" if choice.best_is == "steadiest" else "that which misses least"
    yield (
        "Settings were chosen on the tuning streams alone: the fewest spurious switches with a "
        f"median lag of at most {choice.max_lag_s:g} s and at most {100 * study.most_missed:.1f} % "
        f"of changes missed ({100 * choice.max_missed_above:g} percentage points more than {best} "
        "of the simple filters). Then they were frozen."
    )
    yield (
        "A change is detected when its label comes to show for a quarter of a second, or until "
        "the change after it; a label that showed already is pre-set, with no lag. Lags are "
        "Kaplan-Meier quantiles, so that a miss never flatters them. A switch that no change took "
        "is spurious. Lags are on the model's clock: camera and computer add theirs."
    )
    bootstrap = study.rules.bootstrap
    yield (
        f"Brackets: {100 * bootstrap.confidence:.0f} % intervals from {bootstrap.num_resamples} "
        "resamples of the stills (or takes) that the streams are made of; a piece of two stills "
        "weighs the product of their weights. p-values: sign-flip over stills, two-sided, adjusted "
        "for the contests on the same streams (Holm); none with under ten."
    )
    yield (
        "Streams of stills tell how a filter averages over views and finds changes, not how faces "
        "move. A learned filter here is a causal filter, no more."
    )
    yield f"Judged among {', '.join(study.labels)}; other emotions are masked."


def _plain(value: float, digits: int, infinite: str) -> str:
    if math.isnan(value):
        return "-"
    return infinite if math.isinf(value) else f"{value:.{digits}f}"
