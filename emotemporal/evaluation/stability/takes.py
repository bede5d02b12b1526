"""One speaker's labelled takes, one after the other: streams of real expressions with a truth.

A take is taken to show its label from its first frame to its last, which no take quite does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from emotemporal.config import config_digest
from emotemporal.data.prepared import PreparedSet, frame_period_s
from emotemporal.evaluation.stability.replay import Piece
from emotemporal.faces.crop import CropConfig
from emotemporal.labels import Emotion, LabelSpace
from emotemporal.types import FaceClip, Target


@dataclass(frozen=True)
class TakesConfig:
    """In how many orders each speaker's takes are put."""

    num_orders: int = 20
    """A speaker. Orders share their takes: more of them change no interval's width."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.num_orders < 1 or self.seed < 0:
            raise ValueError(
                f"num_orders is {self.num_orders} and seed {self.seed}; at least 1, and 0 or more"
            )


@dataclass(frozen=True, eq=False)
class ConcatenatedTakes:
    """A stream an order of a speaker's takes; a `StreamSource`.

    Speakers with takes of one emotion only have nothing that could change, and are left out.

    Raises:
        ValueError: No speaker has takes of two emotions among `labels`.
    """

    prepared: PreparedSet
    labels: LabelSpace
    config: TakesConfig

    def __post_init__(self) -> None:
        if not self.subjects:
            raise ValueError(
                f"{self.prepared.folder}: no subject has takes of two emotions among "
                f"{', '.join(self.labels.names)}; there is nothing to put one after the other"
            )

    @property
    def name(self) -> str:
        """The folder's name."""
        return f"{self.prepared.folder.name} takes"

    @property
    def fingerprint(self) -> str:
        """Of the takes and their order."""
        orders = [self.config.num_orders, self.config.seed, list(self.labels.names)]
        return config_digest([self.prepared.fingerprint, *orders])

    @property
    def crop(self) -> CropConfig:
        """The set's."""
        return self.prepared.crop

    @property
    def num_left_out(self) -> int:
        """Clips of other emotions, or of speakers with one emotion alone."""
        return len(self.prepared) - sum(len(rows) for rows in self._takes.values())

    @property
    def subjects(self) -> Sequence[str]:
        """Whose takes there are."""
        return sorted(self._takes)

    def __len__(self) -> int:
        return self.config.num_orders * len(self.subjects)

    def load(self, i: int) -> tuple[FaceClip, Sequence[Piece]]:
        """Put one speaker's takes one after the other, in the order number `i`."""
        subject = self.subjects[i % len(self.subjects)]
        order = np.random.default_rng([self.config.seed, i]).permutation(self._takes[subject])
        clips = [self.prepared.load(int(row)) for row in order]
        start_s, times, targets, pieces = 0.0, [], [], []
        for clip in clips:
            times.append(clip.times_s - clip.times_s[0] + start_s)
            end_s = float(times[-1][-1]) + frame_period_s(clip.times_s)
            targets.append(Target(start_s, end_s, clip.targets[0].emotion))
            pieces.append(Piece(start_s, end_s, (clip.source,)))
            start_s = end_s
        crops = np.concatenate([clip.crops for clip in clips])
        return FaceClip(crops, np.concatenate(times), targets, subject, f"{subject}/{i}"), pieces

    @cached_property
    def _takes(self) -> dict[str, list[int]]:
        rows: pd.DataFrame = self.prepared.rows
        found: dict[str, list[int]] = {}
        for i, (subject, emotion) in enumerate(zip(rows["subject"], rows["emotion"], strict=True)):
            if emotion and Emotion(emotion) in self.labels:
                found.setdefault(str(subject), []).append(i)
        emotions = rows["emotion"].to_numpy()
        return {who: own for who, own in found.items() if len({*emotions[own]}) > 1}
