"""What the overlay shows of each face: where it is now, what was said last, and before."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from emotemporal.inference.predictor import Judgement
from emotemporal.types import Box, FaceView

HISTORY_S = 8.0
"""How far the timeline goes back."""


@dataclass(frozen=True, eq=False)
class FaceCard:
    """One face in one picture."""

    track_id: int
    box: Box
    history: Sequence[Judgement]
    """Of the last `HISTORY_S` seconds, oldest first; empty before the first judgement."""
    is_usable: bool = True
    """One that is not is too small to judge: followed and drawn grey."""

    @property
    def latest(self) -> Judgement | None:
        """What holds now."""
        return self.history[-1] if self.history else None


class Scene:
    """Keeps each face's recent judgements while it is in view; those of others are dropped."""

    def __init__(self) -> None:
        self._histories: dict[int, deque[Judgement]] = {}

    def step(
        self, views: Iterable[FaceView], judgements: Iterable[Judgement], time_s: float
    ) -> list[FaceCard]:
        """Move on to a frame; give back its faces, largest first."""
        seen = {view.track.id: view for view in views}
        # Ids are never given twice, so a face out of view needs no memory.
        self._histories = {i: self._histories.get(i, deque()) for i in seen}
        for judgement in judgements:
            if judgement.track_id in self._histories:
                self._histories[judgement.track_id].append(judgement)
        for history in self._histories.values():
            while len(history) > 1 and history[1].time_s <= time_s - HISTORY_S:
                history.popleft()
        cards = [
            FaceCard(i, view.track.box, tuple(self._histories[i]), view.is_usable)
            for i, view in seen.items()
        ]
        return sorted(cards, key=lambda card: (-card.box.height_px, card.track_id))
