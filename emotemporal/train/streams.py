"""Clips' features as training samples: which frames, with which truth, in what order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from emotemporal.data.clips import LossOn, loss_mask
from emotemporal.data.collate import FeatureBatch, FeatureSample, collate_features, frame_targets
from emotemporal.data.sampling import SamplingConfig, clip_indices
from emotemporal.data.seeds import sample_generator
from emotemporal.labels import LabelSpace
from emotemporal.train.features import ClipFeatures
from emotemporal.train.order import Shuffle, shuffled_order


@dataclass(frozen=True, eq=False)
class StreamSampling:
    """How clips' features become training streams; the fields are those of a head's config."""

    sampling: SamplingConfig
    loss_on: LossOn
    clips_per_stream: int
    shuffle: Shuffle


@dataclass(frozen=True, eq=False)
class _Frames:
    """Which frames of a clip are seen, and what they show."""

    chosen: Int[np.ndarray, " t"]
    targets: Float[np.ndarray, "t k"]
    is_known: Bool[np.ndarray, " t"]


class Streams:
    """Training samples by number: clip `i` in one of its views, then others of its subject."""

    def __init__(
        self, clips: Sequence[ClipFeatures], labels: LabelSpace, config: StreamSampling, seed: int
    ) -> None:
        self._clips, self._labels, self._config, self._seed = clips, labels, config, seed
        self._of_subject: dict[str, list[int]] = {}
        for i, clip in enumerate(clips):
            self._of_subject.setdefault(clip.subject, []).append(i)
        # Where nothing is drawn, a clip's frames and their truth are the same in every epoch, and
        # to find them took as long as the head's own work on them.
        is_drawn = config.sampling.is_random or config.shuffle != "no"
        self._found: dict[int, _Frames] | None = None if is_drawn else {}

    def sample(self, index: int, epoch: int) -> FeatureSample:
        """Return a sample as it is in an epoch; a pure function of seed, epoch and index."""
        generator = sample_generator(self._seed, epoch, index)
        same = self._of_subject[self._clips[index].subject]
        count = self._config.clips_per_stream
        others = torch.randint(len(same), (count - 1,), generator=generator).tolist()
        rows = [index, *(same[i] for i in others)]
        views = torch.randint(len(self._clips[index].views), (count,), generator=generator).tolist()
        parts = [self._frames(i, generator) for i in rows]
        seen = [
            self._clips[i].views[view][part.chosen]
            for i, view, part in zip(rows, views, parts, strict=True)
        ]
        return _join(self._clips[index], seen, parts, self._config.loss_on)

    def _frames(self, index: int, generator: torch.Generator) -> _Frames:
        clip, config = self._clips[index], self._config
        if self._found is None:
            frames = _frames(clip, self._labels, config.sampling, generator)
            return _shuffled(frames, clip, config.shuffle, generator)
        if index not in self._found:
            self._found[index] = _frames(clip, self._labels, config.sampling)
        return self._found[index]


def as_batches(
    clips: Sequence[ClipFeatures], labels: LabelSpace, sampling: SamplingConfig, size: int = 64
) -> Iterable[FeatureBatch]:
    """Return clips as they are, in order, in batches."""
    for i in range(0, len(clips), size):
        samples = []
        for clip in clips[i : i + size]:
            frames = _frames(clip, labels, sampling)
            samples.append(_join(clip, [clip.views[0][frames.chosen]], [frames], "every"))
        yield collate_features(samples)


def _frames(
    clip: ClipFeatures,
    labels: LabelSpace,
    sampling: SamplingConfig,
    generator: torch.Generator | None = None,
) -> _Frames:
    chosen = clip_indices(clip.times_s, sampling, generator)
    return _Frames(chosen, *frame_targets(clip.targets, clip.times_s[chosen], labels))


def _shuffled(
    frames: _Frames, clip: ClipFeatures, shuffle: Shuffle, generator: torch.Generator
) -> _Frames:
    if shuffle == "no":
        return frames
    order = shuffled_order(clip.times_s[frames.chosen], clip.targets, shuffle, generator)
    return _Frames(frames.chosen[order], frames.targets[order], frames.is_known[order])


def _join(
    first: ClipFeatures,
    seen: Sequence[Float[np.ndarray, "_ d"]],
    parts: Sequence[_Frames],
    loss_on: LossOn,
) -> FeatureSample:
    return FeatureSample(
        features=seen[0] if len(seen) == 1 else np.concatenate(seen),
        targets=np.concatenate([part.targets for part in parts]),
        target_mask=np.concatenate([loss_mask(part.is_known, loss_on) for part in parts]),
        subject=first.subject,
        source=first.source,
    )
