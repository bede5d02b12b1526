"""What a comparison found besides its main table, as tables: the same in every output."""

from __future__ import annotations

from dataclasses import dataclass

from emotemporal.evaluation.comparison.by_group import group_sentence, people
from emotemporal.evaluation.comparison.results import Comparison, MethodResult
from emotemporal.evaluation.comparison.wording import contenders
from emotemporal.evaluation.metrics import Interval
from emotemporal.evaluation.spelling import percent, points, title

MAX_COLUMNS = 8
"""More subjects than this stand below each other, not side by side."""


@dataclass(frozen=True)
class Table:
    """A heading, what it means, and cells; each figure with its interval."""

    heading: str
    header: list[str]
    rows: list[list[str]]
    note: str = ""


def subject_table(comparison: Comparison) -> Table:
    """Return each subject's UAR under each method; of many, the contenders' differences."""
    if len(comparison.subjects) <= MAX_COLUMNS:
        return Table(
            "UAR of each speaker, %",
            ["method", *comparison.subjects],
            [[title(m.name), *(percent(s.uar) for s in m.subjects)] for m in comparison.methods],
            "Intervals over that speaker's clips and over seeds.",
        )
    shown = [m for m in contenders(comparison) if m.difference is not None]
    rows = [
        [
            f"{subject} ({shown[0].subjects[i].num_clips} clips)",
            *(_difference(m, i) for m in shown),
        ]
        for i, subject in enumerate(comparison.subjects)
        if shown
    ]
    return Table(
        f"Difference of each subject to {title(comparison.reference)}, points of UAR",
        ["subject", *(title(m.name) for m in shown)],
        rows,
        "Intervals over that subject's clips and over seeds.",
    )


def subject_differences(comparison: Comparison) -> Table | None:
    """Return each subject's difference under each method, where few subjects stand side by side."""
    held = [m for m in comparison.methods if m.difference is not None]
    if not held or len(comparison.subjects) > MAX_COLUMNS:
        return None
    return Table(
        f"Difference of each speaker to {title(comparison.reference)}, points of UAR",
        ["method", *comparison.subjects],
        [[title(m.name), *(_difference(m, i) for i in range(len(m.subjects)))] for m in held],
        "Intervals over that speaker's clips and over seeds.",
    )


def recall_table(comparison: Comparison) -> Table:
    """Return the recall of each emotion under each method."""
    first = comparison.methods[0].metrics.recalls
    return Table(
        "Recall of each emotion, % of its clips",
        ["method", *(f"{r.emotion.value} ({r.num_clips})" for r in first)],
        [
            [title(m.name), *(_or_none(r.recall, r.num_clips) for r in m.metrics.recalls)]
            for m in comparison.methods
        ],
        "Of seed-averaged probabilities; Wilson intervals over clips.",
    )


def trust_table(comparison: Comparison) -> Table:
    """Return how far each method's probabilities can be trusted."""
    return Table(
        "Calibration: lower is better",
        ["method", "NLL, nats", "Brier score, 0 to 2", "ECE, 0 to 1"],
        [
            [title(m.name), *(_plain(i) for i in (m.trust.nll, m.trust.brier, m.trust.ece))]
            for m in comparison.methods
        ],
        "Of seed-averaged probabilities as each method gives them, without calibration. ECE over "
        "15 bins of equal mass.",
    )


def group_tables(comparison: Comparison) -> list[Table]:
    """Return one table a column that groups were asked for by."""
    return [_group_table(comparison, column) for column in range(len(comparison.methods[0].audits))]


def _group_table(comparison: Comparison, column: int) -> Table:
    audits = [m.audits[column] for m in comparison.methods]
    first = audits[0]
    groups = [f"{g.group} ({people(g.num_subjects)}, {g.num_clips} clips)" for g in first.groups]
    rows = []
    for method, audit in zip(comparison.methods, audits, strict=True):
        gap = audit.gap
        told = "" if gap is None else f"{points(gap.uar)} {gap.better} over {gap.worse}"
        rows.append([title(method.name), *(percent(g.uar) for g in audit.groups), told])
    return Table(
        f"UAR by {first.column}, %",
        ["method", *groups, "widest gap, points"],
        rows,
        group_sentence(first),
    )


def _difference(method: MethodResult, i: int) -> str:
    gap = method.subjects[i].difference
    return "" if gap is None else points(gap)


def _or_none(interval: Interval, num_clips: int) -> str:
    return percent(interval) if num_clips else "no clips"


def _plain(interval: Interval) -> str:
    return f"{interval.estimate:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
