"""What `evaluate` finds: figures with their origin, as text and as plain values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from emotemporal.evaluation.calibration.report import CalibrationReport
from emotemporal.evaluation.comparison.by_group import GroupAudit, group_sentence, people
from emotemporal.evaluation.metrics import Interval, Metrics
from emotemporal.evaluation.shifts.figures import ShiftReport
from emotemporal.evaluation.shifts.report import shifts_as_text
from emotemporal.labels import Emotion, LabelSpace


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a checkpoint is worth on a data set, and how that was found."""

    metrics: Metrics
    labels: LabelSpace
    masked: tuple[Emotion, ...]
    """What the model can say and was not allowed to."""
    num_unlabelled: int
    """Rows without one emotion, such as images with votes alone; in no figure."""
    failures: tuple[tuple[str, str], ...]
    """Videos in which no face could be followed, with the reason; in no figure."""
    prior: str
    origin: dict[str, Any]
    audits: tuple[GroupAudit, ...] = ()
    """Gaps between groups, one audit a column that was asked for."""
    twin_free: Metrics | None = None
    """Of the images without a twin in another split; None where none has one, or nobody looked."""
    shifts: ShiftReport | None = None
    """What shifts leave of it, if they were asked for."""
    calibration: CalibrationReport | None = None
    """How far its confidence can be trusted, if that was asked for."""

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values; shares are 0 to 1."""
        return {
            "labels": list(self.labels.names),
            "masked": [emotion.value for emotion in self.masked],
            "num_unlabelled": self.num_unlabelled,
            "failures": [{"path": path, "reason": reason} for path, reason in self.failures],
            "prior": self.prior,
            **_plain(self.metrics),
            "audits": [asdict(audit) for audit in self.audits],
            "twin_free": None if self.twin_free is None else _plain(self.twin_free),
            "shifts": None if self.shifts is None else self.shifts.to_json(),
            "calibration": None if self.calibration is None else self.calibration.to_json(),
            "origin": self.origin,
        }


def as_text(evaluation: Evaluation) -> str:
    """Return the figures as a few lines to read."""
    m = evaluation.metrics
    lines = [
        f"{m.num_clips} judged, {m.num_dropped} of other emotions and "
        f"{evaluation.num_unlabelled} without one emotion left out; prior: {evaluation.prior}",
        *(f"failed, in no figure: {path}: {reason}" for path, reason in evaluation.failures),
        _figures(m),
    ]
    if evaluation.twin_free is not None:
        lines.append(
            f"{_figures(evaluation.twin_free)}   of the {evaluation.twin_free.num_clips} without a "
            "twin in another split"
        )
    if evaluation.masked:
        lines.append(f"masked, the rest renormalised: {', '.join(evaluation.masked)}")
    lines += [
        f"  {recall.emotion:<10} recall {_interval(recall.recall)}  of {recall.num_clips}"
        for recall in m.recalls
        if recall.num_clips
    ]
    for audit in evaluation.audits:
        lines += _audit_lines(audit)
    if evaluation.calibration is not None:
        lines.append(str(evaluation.calibration))
    if evaluation.shifts is not None:
        lines.append(shifts_as_text(evaluation.shifts))
    return "\n".join(lines)


def _figures(m: Metrics) -> str:
    return (
        f"accuracy (WAR) {m.accuracy:6.1%}   UAR {m.uar:6.1%}   macro-F1 {m.macro_f1:6.1%}   "
        f"NLL {m.nll:.3f}   Brier {m.brier:.3f}   ECE {m.ece:.3f}"
    )


def _audit_lines(audit: GroupAudit) -> Iterator[str]:
    yield f"UAR by {audit.column}:"
    for group in audit.groups:
        told = f"of {group.num_clips}, {people(group.num_subjects)}"
        yield f"  {group.group:<10} UAR {_interval(group.uar)}  {told}"
    if audit.gap is not None:
        uar = audit.gap.uar
        told = f"{audit.gap.better} over {audit.gap.worse}"
        interval = f"[{uar.low * 100:+.1f}, {uar.high * 100:+.1f}]"
        yield f"  gap {uar.estimate * 100:+.1f} {interval} points, {told}"
    yield f"  {group_sentence(audit)}"


def _plain(metrics: Metrics) -> dict[str, Any]:
    return {**asdict(metrics), "confusion": metrics.confusion.tolist()}


def _interval(interval: Interval) -> str:
    return f"{interval.estimate:6.1%}  [{interval.low:6.1%}, {interval.high:6.1%}]"
