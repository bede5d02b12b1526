"""What a study found, in sentences: the same on the page and under the table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from emotemporal.ablate.report.outcomes import GAP, SHIFTED_UAR, Ablation, Row
from emotemporal.ablate.report.untouched import gathered, untouched
from emotemporal.ablate.runs.grid import BASE
from emotemporal.evaluation.comparison.results import Comparison
from emotemporal.evaluation.metrics import Interval
from emotemporal.evaluation.spelling import points
from emotemporal.train.pretrain import PretrainConfig


def headline(ablation: Ablation) -> str:
    """Say what the whole study found, by its first evaluation or else by validation."""
    gains = differences(ablation)
    if not gains:
        return "Nothing can be held against the base yet."
    where = next(iter(ablation.judged), "the validation set of training")
    if not any(has_width(gain) for gain in gains.values()):
        best = max(gains, key=lambda name: gains[name].estimate)
        return (
            f"One seed and no single predictions, so no intervals: the largest difference in UAR "
            f"on {where} is {best}'s, {100 * gains[best].estimate:+.1f} points."
        )
    up = {name: gain for name, gain in gains.items() if gain.low > 0}
    down = {name: gain for name, gain in gains.items() if gain.high < 0}
    if not up and not down:
        what = "The one change does not differ" if len(gains) == 1 else "No change differs"
        return f"{what} from the base in UAR beyond the noise, on {where}."
    found = []
    if up:
        most = max(up, key=lambda name: up[name].estimate)
        found.append(_told(up, most, "raise", len(gains)))
    if down:
        most = min(down, key=lambda name: down[name].estimate)
        found.append(_told(down, most, "lower", len(gains)))
    return f"On {where}, {' and '.join(found)}."


def _told(some: Mapping[str, Interval], most: str, verb: str, total: int) -> str:
    figure = f"{most} ({points(some[most])} points)"
    if len(some) == 1:
        return f"1 of {total} changes {verb}s UAR: {figure}"
    return f"{len(some)} of {total} {verb} UAR, most of all {figure}"


def differences(ablation: Ablation) -> dict[str, Interval]:
    """Return change -> difference in UAR to the base, in the primary evaluation."""
    for comparison in ablation.judged.values():
        return {m.name: m.difference.uar for m in comparison.methods if m.difference is not None}
    return {row.change: row.difference for row in ablation.rows if row.difference is not None}


def has_width(interval: Interval) -> bool:
    """Return whether an interval says anything; of one value there is none."""
    return interval.low < interval.high


def verdicts(ablation: Ablation) -> Iterator[str]:
    """Say in a sentence how each change stands to the base, and on what."""
    same = untouched(ablation.judged)
    for evaluation, comparison in ablation.judged.items():
        for method in comparison.methods:
            if method.difference is None or evaluation in same:
                continue
            gap = method.difference.uar
            if gap.low > 0:
                claim = f"{method.name} beats the base"
            elif gap.high < 0:
                claim = f"{method.name} falls short of the base"
            else:
                claim = f"{method.name} does not differ from the base beyond the noise"
            yield f"{evaluation}: {claim}: {points(gap)} points of UAR, {scope(comparison)}."
    if same:
        yield f"{', '.join(same)}: no change touches them; they are told once."


def scope(comparison: Comparison) -> str:
    """Say whom the intervals of an evaluation speak about."""
    if comparison.subjects == ("",):
        return f"for these {comparison.num_clips} images"
    return comparison.scope


def caveats(ablation: Ablation) -> Iterator[str]:
    """Say what the figures do not tell."""
    yield from ablation.notes
    num_seeds = max(len(row.outcomes) for row in ablation.rows)
    yield from _judged_caveats(ablation, num_seeds)
    if any(GAP in row.figures for row in ablation.rows):
        yield (
            "Training figures are of the epoch that was kept, over the images as training saw "
            "them: augmented and mixed, while the weights still changed. A gap between two rows "
            "with unlike augmentation is therefore not learning by heart alone."
        )
        yield (
            "Validation figures of training chose the epoch, so they flatter every row a little."
            + _student(num_seeds)
        )
    yield from _budget_caveats(ablation.rows)
    if any(len(row.outcomes) < row.num_planned for row in ablation.rows):
        yield "Rows with fewer seeds than planned are not finished, or failed."


def _student(num_seeds: int) -> str:
    if num_seeds < 2:
        return " One seed: a difference in them has no interval."
    return f" Their brackets are Student's 95 % intervals over {num_seeds} seeds."


def _judged_caveats(ablation: Ablation, num_seeds: int) -> Iterator[str]:
    brackets = [
        (evaluation, _brackets(comparison, num_seeds))
        for evaluation, comparison in ablation.judged.items()
    ]
    yield from gathered(brackets)
    for evaluation in ablation.judged:
        if any(evaluation + SHIFTED_UAR in row.figures for row in ablation.rows):
            yield f"{evaluation}: shifted figures are means over seeds, of a part of the images."
        if _chose_the_epoch(ablation, evaluation):
            yield f"{evaluation}: the epochs were chosen on these very images."
    num_changes = len(ablation.grid.changes)
    if ablation.judged and num_changes > 1:
        yield (
            f"With {num_changes} changes, about one interval in twenty misses zero by chance. "
            "McNemar's p-values are adjusted for the changes of one evaluation (Holm); they are of "
            "accuracy, on seed-averaged probabilities, and secondary."
        )


def _brackets(comparison: Comparison, num_seeds: int) -> str:
    bootstrap = comparison.config.bootstrap
    what = "subjects" if comparison.resampled == "subjects" else _drawn(comparison)
    seeds = ", and over training seeds"
    if num_seeds < 2:
        seeds = "; one training seed, so training randomness is not in them"
    return (
        f"{comparison.num_clips} judged. Brackets are {100 * bootstrap.confidence:.0f} % intervals "
        f"of {bootstrap.num_resamples} paired resamples over {what}{seeds}. They hold "
        f"{scope(comparison)}."
    )


def _drawn(comparison: Comparison) -> str:
    return "images of each class" if comparison.subjects == ("",) else "clips of speaker and class"


def _chose_the_epoch(ablation: Ablation, evaluation: str) -> bool:
    base = next((row.outcomes for row in ablation.rows if row.outcomes), ())
    for outcome in base:
        config = outcome.run.config
        judged = outcome.run.evaluations.get(evaluation)
        if judged is not None and isinstance(config, PretrainConfig):
            is_same = judged.data.name == config.data.name and judged.split == "validation"
            return is_same and config.select_on == "validation"
    return False


def _budget_caveats(rows: Sequence[Row]) -> Iterator[str]:
    steps = {row.change: row.figures["steps"].estimate for row in rows if "steps" in row.figures}
    if BASE in steps:
        unlike = [name for name, count in steps.items() if abs(count / steps[BASE] - 1) > 0.01]
        if unlike:
            yield f"Not of the base's number of steps: {', '.join(unlike)}."
