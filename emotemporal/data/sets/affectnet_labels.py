"""What AffectNet's two releases have in common: how they write labels and values."""

from __future__ import annotations

from dataclasses import dataclass, field

from emotemporal.data.table import Problem
from emotemporal.labels import AFFECTNET_8, Emotion

# 8 none, 9 uncertain, 10 no face: annotations of the full release that name no emotion.
_FIRST_WITHOUT_EMOTION = 8
_LAST = 10
_VALUE_ABSENT = -2.0


@dataclass
class Found:
    """What has been read of a release so far."""

    records: list[dict[str, object]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    num_without_emotion: int = 0

    def close(self) -> list[Problem]:
        """Return the problems, the count of images without an emotion among them."""
        if not self.num_without_emotion:
            return self.problems
        reason = (
            f"{self.num_without_emotion} images with no emotion (8 none, 9 uncertain, 10 no face) "
            "left out"
        )
        return [*self.problems, Problem("expression", reason, "As it should be.", is_fatal=False)]


def parse_expression(text: str) -> Emotion | None:
    """Return the emotion of a label as AffectNet writes it, None for those that name none.

    Raises:
        ValueError: Not a number from 0 to 10.
    """
    label = int(text)
    if not 0 <= label <= _LAST:
        raise ValueError(f"expression is {label}; it can be 0 to {_LAST}")
    return None if label >= _FIRST_WITHOUT_EMOTION else AFFECTNET_8.emotions[label]


def parse_value(text: str) -> float:
    """Return a valence or arousal; NaN where AffectNet writes that there is none."""
    value = float(text)
    return float("nan") if value == _VALUE_ABSENT else value
