"""Which evaluations a study's changes reach, and each speaker's part in those that they do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from emotemporal.ablate.report.outcomes import Ablation
from emotemporal.evaluation.comparison.results import Comparison
from emotemporal.evaluation.spelling import percent, points

_MOST_SUBJECTS = 12
"""A table with more columns is read by nobody; the CSV of predictions has them all."""


def untouched(judged: Mapping[str, Comparison]) -> dict[str, Comparison]:
    """Return the evaluations in which every change answers as the base does, to the last digit.

    Such are the frame votes of a study that changes the clip head alone: they are told once.
    """
    return {name: one for name, one in judged.items() if _is_untouched(one)}


def _is_untouched(comparison: Comparison) -> bool:
    gains = [m.difference.uar for m in comparison.methods if m.difference is not None]
    return bool(gains) and all(g.low == g.estimate == g.high == 0 for g in gains)


def untouched_rows(ablation: Ablation) -> list[list[str]]:
    """Return name, accuracy and UAR of each such evaluation, best first."""
    found = [(name, one.methods[0]) for name, one in untouched(ablation.judged).items()]
    found.sort(key=lambda item: -item[1].uar.estimate)
    return [[name, percent(base.accuracy), percent(base.uar)] for name, base in found]


def speaker_table(comparison: Comparison) -> tuple[list[str], list[list[str]]] | None:
    """Return header and rows of each change's difference in UAR, speaker by speaker.

    None where nobody is named, one speaker is all there is, or there are too many for a table.
    """
    subjects = comparison.subjects
    if not 2 <= len(subjects) <= _MOST_SUBJECTS:
        return None
    rows = []
    for method in comparison.methods:
        if method.difference is None:
            continue
        by_subject = {one.subject: one.difference for one in method.subjects}
        gaps = [by_subject.get(subject) for subject in subjects]
        rows.append([method.name, *("-" if gap is None else points(gap) for gap in gaps)])
    return (["change", *subjects], rows) if rows else None


def gathered(sentences: Sequence[tuple[str, str]]) -> list[str]:
    """Return what is said of several evaluations alike once, with all of their names."""
    names: dict[str, list[str]] = {}
    for name, text in sentences:
        names.setdefault(text, []).append(name)
    return [f"{', '.join(which)}: {text}" for text, which in names.items()]
