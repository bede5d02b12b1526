"""Prepared clips of faces as training samples: which frames, changed how, with which truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool

from emotemporal.data.augmentation.augment import AugmentConfig, augment
from emotemporal.data.collate import Sample, frame_targets
from emotemporal.data.prepared import PreparedSet
from emotemporal.data.sampling import SamplingConfig, clip_indices
from emotemporal.labels import LabelSpace
from emotemporal.preprocess import PreprocessConfig, preprocess

LossOn = Literal["every", "last"]


@dataclass(frozen=True, eq=False)
class ClipSet:
    """Some clips of a prepared data set; `sample` is a function of its arguments and the files."""

    prepared: PreparedSet
    rows: Sequence[int]
    """Which clips; sample `i` is clip `rows[i]`."""
    labels: LabelSpace
    preprocess: PreprocessConfig
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    augment: AugmentConfig | None = None
    """None where the clips are judged, not trained on."""
    loss_on: LossOn = "every"

    def __len__(self) -> int:
        return len(self.rows)

    def sample(self, index: int, generator: torch.Generator) -> Sample:
        """Return clip `index` as the network sees it."""
        clip = self.prepared.load(self.rows[index])
        chosen = clip_indices(clip.times_s, self.sampling, generator if self.augment else None)
        crops = clip.crops[chosen]
        if self.augment is not None:
            crops = augment(crops, self.augment, generator)
        targets, mask = frame_targets(clip.targets, clip.times_s[chosen], self.labels)
        return Sample(
            frames=preprocess(crops, self.preprocess),
            targets=targets,
            target_mask=loss_mask(mask, self.loss_on),
            subject=clip.subject,
            source=clip.source,
        )


def loss_mask(known: Bool[np.ndarray, " t"], loss_on: LossOn) -> Bool[np.ndarray, " t"]:
    """Return where a clip's answer is judged: wherever truth is known, or at its last frame."""
    return known if loss_on == "every" else known & (np.arange(len(known)) == len(known) - 1)
