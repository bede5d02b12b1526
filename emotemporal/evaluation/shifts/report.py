"""Write the shift suite's figures down: text, a table, a map of the losses, the shifts to see."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from emotemporal.data.augmentation.shifts import NUM_STRENGTHS, Shift, apply_shift, shift_generator
from emotemporal.evaluation.metrics import Interval, Metrics
from emotemporal.evaluation.shifts.figures import ShiftFigure, ShiftReport
from emotemporal.storage import replacing, write_atomically
from emotemporal.video.image import write_image

_STRENGTHS = range(NUM_STRENGTHS + 1)


def write_shift_report(
    report: ShiftReport, folder: Path, origin: Mapping[str, object]
) -> list[Path]:
    """Write `shifts.csv`, `shifts.png` (the losses) and `shifts_example.png` into `folder`.

    The example is a face of the data set that was judged: its terms are the picture's, too. The
    table begins with `# ` lines that say its origin: read it with `pandas.read_csv(path,
    comment="#")`.

    Returns:
        The files, in this order.
    """
    table, losses, example = (
        folder / name for name in ("shifts.csv", "shifts.png", "shifts_example.png")
    )
    write_atomically(table, as_csv(report, origin).encode())
    draw_losses(report, losses)
    sheet = draw_shifts(report)
    write_image(example, sheet)
    return [table, losses, example]


def shifts_as_text(report: ShiftReport) -> str:
    """Return the figures as a table to read; shares in per cent."""
    whole, worst = report.unshifted, report.worst_figure
    lines = [
        f"shifts: {whole.num_clips} images, unshifted accuracy {whole.accuracy:.1%}, "
        f"UAR {whole.uar:.1%}",
        "  accuracy/UAR in % at strength  "
        + "".join(f"{strength:>10}" for strength in _STRENGTHS[1:])
        + "   UAR kept",
    ]
    for shift in report.from_worst():
        cells = "".join(f"{_pair(figure.metrics):>10}" for figure in report.of(shift))
        lines.append(f"  {shift.name:<31}{cells}   {_interval(report.kept_by_shift[shift.name])}")
    lines.append(
        f"  over all: UAR kept {_interval(report.kept)}, accuracy kept "
        f"{report.accuracy_ratio(report.figures):.1%}; worst shift {report.worst.name}, worst "
        f"figure {worst.shift.name} at strength {worst.strength} (UAR {worst.metrics.uar:.1%})"
    )
    return "\n".join(lines)


def as_csv(report: ShiftReport, origin: Mapping[str, object]) -> str:
    """Return one line a shift and strength, the unshifted one first; shares and ratios 0 to 1."""
    records = [_record(report, None, report.unshifted)]
    records += [_record(report, figure, figure.metrics) for figure in report.figures]
    out = io.StringIO()
    for name, value in origin.items():
        out.write(f"# {name}: {json.dumps(value)}\n")
    writer = csv.DictWriter(out, list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return out.getvalue()


def draw_losses(report: ShiftReport, path: Path) -> None:
    """Draw how many points of UAR each shift costs at each strength, the worst on top, as a PNG.

    Darker is more; every cell says its number, so that a grey print reads the same.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shifts = report.from_worst()
    whole = report.unshifted.uar
    losses = np.array([[100 * (whole - f.metrics.uar) for f in report.of(s)] for s in shifts])
    shown = np.concatenate([losses, losses.mean(axis=1, keepdims=True)], axis=1)
    deepest = max(float(shown.max()), 10.0)
    figure = Figure(figsize=(8.6, 1.7 + 0.42 * len(shifts)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.imshow(np.clip(shown, 0, None), cmap="Greys", vmin=0, vmax=1.3 * deepest, aspect="auto")
    for i, shift in enumerate(shifts):
        for j, loss in enumerate(shown[i]):
            ink = "white" if loss > 0.75 * deepest else "black"
            amount = f"{shift.amounts[j]:g}" if j < NUM_STRENGTHS else ""
            axes.text(j, i - 0.1, _points(-loss), ha="center", va="center", color=ink, fontsize=10)
            axes.text(j, i + 0.28, amount, ha="center", va="center", color=ink, fontsize=7)
    axes.set_yticks(range(len(shifts)), [f"{s.name}\n({s.unit})" for s in shifts], fontsize=7.5)
    axes.set_xticks(range(NUM_STRENGTHS + 1), [*map(str, _STRENGTHS[1:]), "mean"])
    axes.axvline(NUM_STRENGTHS - 0.5, color="black", linewidth=1)
    axes.tick_params(length=0)
    axes.set_xlabel("strength; small figures: how much, in the unit at the left")
    axes.set_title(
        f"Points of UAR under each shift; unshifted {100 * whole:.1f} %, "
        f"kept over all {100 * report.kept.estimate:.1f} %",
        fontsize=10,
    )
    with replacing(path) as part:
        figure.savefig(part, dpi=130)


def draw_shifts(report: ShiftReport, cell_px: int = 112) -> UInt8[np.ndarray, "h w 3"]:
    """Draw the example as it is and under every shift: a row a shift, strengths 0 to 5."""
    rows = [_draw_row(report, shift, cell_px) for shift in report.shifts]
    return np.concatenate(rows, axis=0)


def _draw_row(report: ShiftReport, shift: Shift, cell_px: int) -> UInt8[np.ndarray, "h w 3"]:
    cells = []
    for strength in _STRENGTHS:
        generator = shift_generator(report.config.seed, shift, report.example_path)
        crop = apply_shift(report.example, shift, strength, generator)
        # Nearest: the crop's own pixels, not a smoothed idea of them.
        face = cv2.resize(crop, (cell_px, cell_px), interpolation=cv2.INTER_NEAREST)
        text = shift.name if strength == 0 else f"{shift.amounts[strength - 1]:g}"
        strip = np.full((16, cell_px, 3), 255, dtype=np.uint8)
        font = cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(strip, text, (3, 12), font, 0.38, (0, 0, 0), 1, cv2.LINE_AA)
        cells.append(np.concatenate([strip, face], axis=0))
    return np.concatenate(cells, axis=1)


def _record(report: ShiftReport, figure: ShiftFigure | None, m: Metrics) -> dict[str, str | int]:
    named: dict[str, str | int] = {
        "shift": "" if figure is None else figure.shift.name,
        "strength": 0 if figure is None else figure.strength,
        "amount": "" if figure is None else f"{figure.amount:g}",
        "unit": "" if figure is None else figure.shift.unit,
        "num_images": m.num_clips,
        "accuracy": f"{m.accuracy:.6g}",
        "uar": f"{m.uar:.6g}",
        "accuracy_ratio": "1" if figure is None else f"{report.accuracy_ratio([figure]):.6g}",
        "uar_ratio": "1" if figure is None else f"{report.uar_ratio([figure]):.6g}",
        "macro_f1": f"{m.macro_f1:.6g}",
        "nll": f"{m.nll:.6g}",
        "ece": f"{m.ece:.6g}",
    }
    recalls = {f"recall_{r.emotion}": f"{r.recall.estimate:.6g}" for r in m.recalls if r.num_clips}
    return named | recalls


def _interval(interval: Interval) -> str:
    return f"{interval.estimate:.1%} [{interval.low:.1%}, {interval.high:.1%}]"


def _points(value: float) -> str:
    rounded = round(value, 1)
    return "0.0" if rounded == 0 else f"{rounded:+.1f}".replace("-", "\N{MINUS SIGN}")


def _pair(metrics: Metrics) -> str:
    return f"{100 * metrics.accuracy:.1f}/{100 * metrics.uar:.1f}"
