"""What is told of a video whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from emotemporal.evaluation.live_table import judge_live_table


def stability_against(table: Path, truth: Path) -> dict[str, Any]:
    """Return lag and spurious switches of a table, as `evaluation.stability.changes` defines them.

    Raises:
        ValueError: The truth cannot be read, or is another video's.
    """
    score = judge_live_table(table, truth)
    stability = score.stability
    return {
        "right": f"{score.right.estimate:.1%} of {score.num_ticks} ticks",
        "spurious switches a minute": stability.spurious_per_minute,
        "median lag, s": stability.median_lag_s,
        "changes missed": f"{stability.num_missed} of {stability.num_changes}",
    }
