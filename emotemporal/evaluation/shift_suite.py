"""How a network holds when faces look other than they do in the set it is judged on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from tqdm import tqdm

from emotemporal.data.seeds import derive_seed
from emotemporal.data.shifts import NUM_STRENGTHS, SHIFTS, Shift, apply_shift, shift_generator
from emotemporal.data.table import DatasetTable
from emotemporal.evaluation.metrics import Metrics, measure, stack_predictions
from emotemporal.evaluation.still_images import StillJudge, as_predictions, read_batches
from emotemporal.labels import LabelSpace

_STRENGTHS = range(1, NUM_STRENGTHS + 1)


@dataclass(frozen=True)
class SuiteConfig:
    """Which part of the images meets the shifts, and what they are drawn from."""

    share: float = 1.0
    """Of each emotion's images, to the next whole one."""
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"shift_share is {self.share}; it can be above 0, up to 1")


@dataclass(frozen=True, eq=False)
class ShiftFigure:
    """What one shift at one strength leaves."""

    shift: Shift
    strength: int
    """1 to 5."""
    metrics: Metrics

    @property
    def amount(self) -> float:
        """In the shift's unit."""
        return self.shift.amounts[self.strength - 1]


@dataclass(frozen=True, eq=False)
class ShiftReport:
    """The suite's figures, all on the same images."""

    unshifted: Metrics
    figures: tuple[ShiftFigure, ...]
    """Five a shift, from the weakest."""
    config: SuiteConfig
    example: UInt8[np.ndarray, "s s 3"]
    """The first image's crop, to show the shifts on."""
    example_path: str

    @property
    def shifts(self) -> tuple[Shift, ...]:
        """In the order of their figures."""
        return tuple(dict.fromkeys(figure.shift for figure in self.figures))

    def of(self, shift: Shift) -> tuple[ShiftFigure, ...]:
        """Return one shift's figures, from the weakest."""
        return tuple(figure for figure in self.figures if figure.shift == shift)

    def uar_ratio(self, figures: Sequence[ShiftFigure]) -> float:
        """Return the mean UAR of some figures as a share of the unshifted; NaN if that is 0."""
        return _ratio([figure.metrics.uar for figure in figures], self.unshifted.uar)

    def accuracy_ratio(self, figures: Sequence[ShiftFigure]) -> float:
        """Return the mean accuracy of some figures as a share of the unshifted."""
        return _ratio([figure.metrics.accuracy for figure in figures], self.unshifted.accuracy)

    @property
    def mean_ratio(self) -> float:
        """UAR over all shifts and strengths, as a share of the unshifted one."""
        return self.uar_ratio(self.figures)

    @property
    def worst(self) -> Shift:
        """The shift that leaves the least UAR, over its strengths."""
        return min(self.shifts, key=lambda shift: sum(f.metrics.uar for f in self.of(shift)))

    @property
    def worst_figure(self) -> ShiftFigure:
        """The one figure of the least UAR."""
        return min(self.figures, key=lambda figure: figure.metrics.uar)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values; shares and ratios are 0 to 1, None where undefined."""
        worst = self.worst_figure
        return {
            "num_images": self.unshifted.num_clips,
            "share": self.config.share,
            "seed": self.config.seed,
            "unshifted": {"accuracy": self.unshifted.accuracy, "uar": self.unshifted.uar},
            "mean_uar": float(np.mean([f.metrics.uar for f in self.figures])),
            "mean_uar_ratio": _or_none(self.mean_ratio),
            "mean_accuracy_ratio": _or_none(self.accuracy_ratio(self.figures)),
            "worst_shift": self.worst.name,
            "worst_figure": {"shift": worst.shift.name, "strength": worst.strength},
            "shifts": {shift.name: self._shift_to_json(shift) for shift in self.shifts},
        }

    def _shift_to_json(self, shift: Shift) -> dict[str, Any]:
        own = self.of(shift)
        return {
            "unit": shift.unit,
            "amounts": list(shift.amounts),
            "accuracy": [f.metrics.accuracy for f in own],
            "uar": [f.metrics.uar for f in own],
            "accuracy_ratio": [_or_none(self.accuracy_ratio([f])) for f in own],
            "uar_ratio": [_or_none(self.uar_ratio([f])) for f in own],
            "mean_uar_ratio": _or_none(self.uar_ratio(own)),
        }


def run_suite(
    table: DatasetTable,
    judge: StillJudge,
    labels: LabelSpace,
    config: SuiteConfig,
    shifts: Sequence[Shift] = SHIFTS,
) -> ShiftReport:
    """Judge a table's images as they are, then under every shift at every strength.

    Crops are changed before `preprocess`, by what seed, shift and image's path say alone: every
    checkpoint with crops of this size meets the same pictures.

    Args:
        table: Images; those of an emotion outside `labels`, or with none, are left out.
        judge: The checkpoint's, with the prior to judge under.
        labels: Judge among these; the other answers are masked and the rest renormalised.
        config: Which part of the images, and the seed.
        shifts: Which to apply.

    Raises:
        ValueError: No image shows any of `labels`.
        ImageError: A file cannot be read, by name.
    """
    rows = stratified_part(table, labels, config)
    cells: list[tuple[Shift | None, int]] = [(None, 0)]
    cells += [(shift, strength) for shift in shifts for strength in _STRENGTHS]
    answers: list[list[Float[np.ndarray, "b k"]]] = [[] for _ in cells]
    example = None
    with tqdm(total=len(rows) * len(cells), desc="shifts", unit="image", leave=False) as bar:
        for batch, crops in read_batches(table, rows, judge.meta):
            example = crops[0] if example is None else example
            paths = [str(table.rows["path"].iloc[row]) for row in batch]
            for found, cell in zip(answers, cells, strict=True):
                found.append(judge.judge(_shift_batch(crops, paths, cell, config.seed)))
                bar.update(len(batch))
    assert example is not None
    own = judge.meta.labels
    measured = [
        measure(stack_predictions(as_predictions(table, rows, np.concatenate(found), own), labels))
        for found in answers
    ]
    figures = tuple(
        ShiftFigure(shift, strength, metrics)
        for (shift, strength), metrics in zip(cells, measured, strict=True)
        if shift is not None
    )
    first = str(table.rows["path"].iloc[rows[0]])
    return ShiftReport(measured[0], figures, config, example, first)


def stratified_part(table: DatasetTable, labels: LabelSpace, config: SuiteConfig) -> list[int]:
    """Return the rows that meet the shifts: the same share of every emotion's, in table order.

    Raises:
        ValueError: No image shows any of `labels`.
    """
    emotions = table.rows["emotion"].to_numpy(dtype=object)
    chosen: list[int] = []
    for emotion in labels.emotions:
        rows = np.flatnonzero(emotions == emotion.value)
        count = math.ceil(config.share * len(rows) - 1e-9)
        order = np.random.default_rng(derive_seed(config.seed, f"shift part/{emotion.value}"))
        chosen += order.permutation(rows)[:count].tolist()
    if not chosen:
        raise ValueError(f"{table.name}: no image shows any of {', '.join(labels.names)}")
    return sorted(chosen)


def _shift_batch(
    crops: UInt8[np.ndarray, "b s s 3"],
    paths: Sequence[str],
    cell: tuple[Shift | None, int],
    seed: int,
) -> UInt8[np.ndarray, "b s s 3"]:
    shift, strength = cell
    if shift is None:
        return crops
    return np.stack(
        [
            apply_shift(crop, shift, strength, shift_generator(seed, shift, path))
            for crop, path in zip(crops, paths, strict=True)
        ]
    )


def _ratio(values: Sequence[float], whole: float) -> float:
    return float(np.mean(values)) / whole if whole > 0 else float("nan")


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
