"""Pictures of calibration: confidence against accuracy, and error against coverage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from emotemporal.evaluation.calibration.report import CalibrationReport, Truth
from emotemporal.evaluation.confidence import (
    NUM_BINS,
    confidence_and_right,
    reliability,
    risk_curve,
)
from emotemporal.storage import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BEFORE = {"color": "0.55", "marker": "s", "linestyle": "--", "markersize": 4.5}
_AFTER = {"color": "#0072b2", "marker": "o", "linestyle": "-", "markersize": 4.5}
_LINES = (("#0072b2", "-"), ("#d55e00", "--"), ("0.25", ":"))
_NAMES = {
    "votes": "shares of the votes",
    "most_votes": "the emotion with most votes",
    "majority": "the majority's emotion",
    "label": "the label",
}


def draw_calibration(report: CalibrationReport, folder: Path) -> list[Path]:
    """Write `reliability.png` and `risk_coverage.png` into `folder`.

    Returns:
        The files, in this order.
    """
    files = [folder / "reliability.png", folder / "risk_coverage.png"]
    for figure, file in zip((_draw_reliability(report), _draw_risk(report)), files, strict=True):
        with replacing(file) as part:
            figure.savefig(part, dpi=130)
    return files


def _draw_reliability(report: CalibrationReport) -> Figure:
    figure = _figure(4.0 * len(report.truths) + 0.4, 5.0)
    many = figure.subplots(1, len(report.truths), squeeze=False, sharey=True)[0]
    for axes, truth, found in zip(many, report.truths, report.figures, strict=True):
        axes.plot([0, 1], [0, 1], color="0.8", linewidth=1, zorder=0)
        kinds = [(report.probabilities[0], "without", found.before.ece, _BEFORE)]
        if report.temperature != 1:
            told = f"T = {report.temperature:.2f}"
            kinds.append((report.probabilities[1], told, found.after.ece, _AFTER))
        for probabilities, name, ece, style in kinds:
            bins = reliability(*_answers(probabilities, truth))
            label = f"{name}: ECE {100 * ece:.1f} points"
            axes.plot(
                [b.confidence for b in bins], [b.accuracy for b in bins], label=label, **style
            )
        axes.set(xlim=(0, 1.01), ylim=(0, 1.01))
        axes.set_box_aspect(1)
        axes.set_title(f"against {_NAMES[truth.name]}\n{found.after.num_images} images", fontsize=9)
        axes.set_xlabel("confidence: the top probability")
        axes.legend(loc="lower right", fontsize=8, frameon=False)
    many[0].set_ylabel("share right")
    figure.suptitle(
        f"Reliability, {NUM_BINS} bins of equal mass; prior: {report.prior}. "
        "Below the diagonal: too sure",
        fontsize=10,
    )
    return figure


def _draw_risk(report: CalibrationReport) -> Figure:
    figure = _figure(7.2, 4.6)
    axes = figure.subplots()
    axes.axvline(report.coverage, color="0.8", linewidth=1)
    for truth, found, (colour, line) in zip(report.truths, report.figures, _LINES, strict=False):
        curve = risk_curve(*_answers(report.probabilities[1], truth))
        f = found.after
        label = (
            f"{_NAMES[truth.name]}: {f.error:.1%}, of the surest {report.coverage:.0%} "
            f"{f.error_covered:.1%}"
        )
        axes.plot(curve.coverage, curve.error, color=colour, linestyle=line, label=label)
        marks = [report.coverage, 1.0]
        axes.plot(marks, [f.error_covered, f.error], "o", color=colour, markersize=4.5)
    axes.set(xlim=(0, 1.01), ylim=(0, None))
    axes.set_xlabel("coverage: share of the images that are answered, the surest first")
    axes.set_ylabel("error of those")
    axes.set_title(f"Risk and coverage; prior: {report.prior}", fontsize=10)
    axes.legend(loc="upper left", fontsize=8, frameon=False, title="error against")
    return figure


def _answers(
    probabilities: Float[np.ndarray, "n k"], truth: Truth
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    return confidence_and_right(probabilities[truth.is_known], truth.shares[truth.is_known])


def _figure(width: float, height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure
