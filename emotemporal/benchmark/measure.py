"""Measuring several things on a machine that others use too: in turns, in one process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Better = Literal["lower", "higher"]


@dataclass(frozen=True)
class Row:
    """One figure, measured several times."""

    name: str
    unit: str
    values: tuple[float, ...]
    better: Better = "lower"
    limit: float | None = None
    """What the machine could do at most, in the same unit; None where nobody has worked it out."""
    note: str = ""

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError(f"{self.name!r} was not measured")

    @property
    def median(self) -> float:
        """The middle one."""
        return float(np.median(self.values))

    @property
    def best(self) -> float:
        """The one that other programs disturbed least."""
        return min(self.values) if self.better == "lower" else max(self.values)

    @property
    def spread(self) -> float:
        """From the first quartile to the third."""
        low, high = np.percentile(self.values, (25, 75))
        return float(high - low)

    @property
    def of_limit(self) -> float | None:
        """How much of the limit the best one reaches, from 0 to 1."""
        if self.limit is None or min(self.limit, self.best) <= 0:
            return None
        return self.limit / self.best if self.better == "lower" else self.best / self.limit


def in_turns(
    cases: Mapping[str, Callable[[], float]], repetitions: int, warm_up: int = 1
) -> dict[str, tuple[float, ...]]:
    """Measure all cases once, then all again, and so on: what disturbs one disturbs the others.

    Args:
        cases: Each does its work and returns its own figure.
        repetitions: Rounds that count.
        warm_up: Rounds before them, which do not.
    """
    found: dict[str, list[float]] = {name: [] for name in cases}
    for round_number in range(warm_up + repetitions):
        for name, case in cases.items():
            value = case()
            if round_number >= warm_up:
                found[name].append(value)
    return {name: tuple(values) for name, values in found.items()}


def percentiles(values: Sequence[float], shares: Sequence[float]) -> tuple[float, ...]:
    """Return values that these shares (0 to 1) of all are at most."""
    return tuple(float(x) for x in np.quantile(np.asarray(values), shares))
