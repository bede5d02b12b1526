"""What the shift suite found: figures by shift and strength, and what of the whole they keep."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8

from emotemporal.data.augmentation.shifts import Shift
from emotemporal.evaluation.metrics import Interval, Metrics


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
    kept: Interval
    """UAR over all shifts and strengths, as a share of the unshifted one; images resampled within
    subject and emotion or, from ten subjects on, subjects: the same for every figure."""
    kept_by_shift: Mapping[str, Interval]
    """The same over one shift's strengths, by its name."""
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
    def worst(self) -> Shift:
        """The shift that leaves the least UAR, over its strengths."""
        return self.from_worst()[0]

    def from_worst(self) -> list[Shift]:
        """Return the shifts, those that leave the least UAR first."""
        return sorted(self.shifts, key=lambda s: sum(f.metrics.uar for f in self.of(s)))

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
            "mean_uar_ratio": _or_none(self.kept.estimate),
            "mean_uar_ratio_interval": [_or_none(self.kept.low), _or_none(self.kept.high)],
            "mean_accuracy_ratio": _or_none(self.accuracy_ratio(self.figures)),
            "worst_shift": self.worst.name,
            "worst_figure": {"shift": worst.shift.name, "strength": worst.strength},
            "shifts": {shift.name: self._shift_to_json(shift) for shift in self.shifts},
        }

    def _shift_to_json(self, shift: Shift) -> dict[str, Any]:
        own, kept = self.of(shift), self.kept_by_shift[shift.name]
        return {
            "unit": shift.unit,
            "amounts": list(shift.amounts),
            "accuracy": [f.metrics.accuracy for f in own],
            "uar": [f.metrics.uar for f in own],
            "accuracy_ratio": [_or_none(self.accuracy_ratio([f])) for f in own],
            "uar_ratio": [_or_none(self.uar_ratio([f])) for f in own],
            "mean_uar_ratio": _or_none(kept.estimate),
            "mean_uar_ratio_interval": [_or_none(kept.low), _or_none(kept.high)],
        }


def _ratio(values: Sequence[float], whole: float) -> float:
    return float(np.mean(values)) / whole if whole > 0 else float("nan")


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
