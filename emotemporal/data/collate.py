"""Samples to batches: padded on the right, targets soft, uint8 up to the network's first layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from emotemporal.labels import LabelSpace
from emotemporal.timing import to_ns
from emotemporal.types import Target


@dataclass(frozen=True, eq=False)
class Sample:
    """One clip, ready for the network.

    Raises:
        ValueError: Frames, targets and mask differ in length, or there is no frame.
    """

    frames: UInt8[np.ndarray, "t n n 3"]
    targets: Float[np.ndarray, "t k"]
    """Sum to 1 where `target_mask` is true; elsewhere nobody reads them."""
    target_mask: Bool[np.ndarray, " t"]
    subject: str
    source: str

    def __post_init__(self) -> None:
        _check_lengths(self.source, self.frames, self.targets, self.target_mask)


@dataclass(frozen=True, eq=False)
class FeatureSample:
    """One clip that a frozen encoder has seen already.

    Raises:
        ValueError: Features, targets and mask differ in length, or there is none.
    """

    features: Float[np.ndarray, "t d"]
    targets: Float[np.ndarray, "t k"]
    target_mask: Bool[np.ndarray, " t"]
    subject: str
    source: str

    def __post_init__(self) -> None:
        _check_lengths(self.source, self.features, self.targets, self.target_mask)


@dataclass(frozen=True, eq=False)
class Batch:
    """Clips of unequal length, padded on the right. Padding is never encoded."""

    frames: UInt8[Tensor, "b t h w 3"]
    lengths: Int[Tensor, " b"]
    targets: Float[Tensor, "b t k"]
    target_mask: Bool[Tensor, "b t"]
    """Where there is truth; false in the padding."""
    subjects: Sequence[str]
    sources: Sequence[str]

    def __len__(self) -> int:
        return len(self.lengths)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """Return the batch on `device`."""
        return replace(
            self, **_each_tensor(self, lambda x: x.to(device, non_blocking=non_blocking))
        )

    def pin_memory(self) -> Batch:
        """Return the batch in page-locked memory; torch's DataLoader calls this."""
        return replace(self, **_each_tensor(self, Tensor.pin_memory))


@dataclass(frozen=True, eq=False)
class FeatureBatch:
    """What `Batch` is, for clips that a frozen encoder has seen already."""

    features: Float[Tensor, "b t d"]
    lengths: Int[Tensor, " b"]
    targets: Float[Tensor, "b t k"]
    target_mask: Bool[Tensor, "b t"]
    subjects: Sequence[str]
    sources: Sequence[str]

    def __len__(self) -> int:
        return len(self.lengths)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> FeatureBatch:
        """Return the batch on `device`."""
        return replace(
            self, **_each_tensor(self, lambda x: x.to(device, non_blocking=non_blocking))
        )

    def pin_memory(self) -> FeatureBatch:
        """Return the batch in page-locked memory; torch's DataLoader calls this."""
        return replace(self, **_each_tensor(self, Tensor.pin_memory))


def collate(samples: Sequence[Sample]) -> Batch:
    """Put clips side by side, padded on the right with zeros to the longest.

    Raises:
        ValueError: No clips, or clips that differ in frame size or in number of emotions.
    """
    sources = [sample.source for sample in samples]
    return Batch(
        frames=_pad("frames", [sample.frames for sample in samples], sources),
        lengths=torch.tensor([len(sample.frames) for sample in samples]),
        targets=_pad("targets", [sample.targets for sample in samples], sources),
        target_mask=_pad("target_mask", [sample.target_mask for sample in samples], sources),
        subjects=[sample.subject for sample in samples],
        sources=sources,
    )


def collate_features(samples: Sequence[FeatureSample]) -> FeatureBatch:
    """Put clips' features side by side, padded on the right with zeros to the longest.

    Raises:
        ValueError: No clips, or clips that differ in feature dimension or in number of emotions.
    """
    sources = [sample.source for sample in samples]
    return FeatureBatch(
        features=_pad("features", [sample.features for sample in samples], sources),
        lengths=torch.tensor([len(sample.features) for sample in samples]),
        targets=_pad("targets", [sample.targets for sample in samples], sources),
        target_mask=_pad("target_mask", [sample.target_mask for sample in samples], sources),
        subjects=[sample.subject for sample in samples],
        sources=sources,
    )


def frame_targets(
    targets: Sequence[Target],
    times_s: Sequence[float] | Float[np.ndarray, " t"],
    labels: LabelSpace,
) -> tuple[Float[np.ndarray, "t k"], Bool[np.ndarray, " t"]]:
    """Say of each frame what it shows, from intervals.

    A frame at the end of one interval and the start of the next belongs to the next. Where
    intervals overlap, each of their emotions has an equal part.

    Returns:
        Targets that sum to 1, and a mask: false, with zeros beside it, where nothing is known or
        where an emotion outside `labels` is shown. The caller drops and counts clips whose mask is
        false throughout.
    """
    times_ns = np.array([to_ns(t) for t in times_s], dtype=np.int64)
    counts = np.zeros((len(times_ns), len(labels)), dtype=np.float32)
    is_foreign = np.zeros(len(times_ns), dtype=bool)
    for target, is_covered in zip(targets, _covers(targets, times_ns), strict=True):
        if target.emotion in labels:
            counts[is_covered, labels.index(target.emotion)] += 1
        else:
            is_foreign |= is_covered
    counts[is_foreign] = 0
    totals = counts.sum(axis=1, keepdims=True)
    return counts / np.maximum(totals, 1), totals[:, 0] > 0


def _covers(
    targets: Sequence[Target], times_ns: Int[np.ndarray, " t"]
) -> Bool[np.ndarray, "targets t"]:
    starts = np.array([to_ns(target.start_s) for target in targets], dtype=np.int64)[:, None]
    ends = np.array([to_ns(target.end_s) for target in targets], dtype=np.int64)[:, None]
    is_inside = (starts <= times_ns) & (times_ns < ends)
    # A clip's only target often ends with its last frame, which half-open intervals would orphan.
    is_orphan = ~is_inside.any(axis=0)
    return is_inside | (is_orphan & (times_ns == ends))


def _check_lengths(source: str, content: np.ndarray, targets: np.ndarray, mask: np.ndarray) -> None:
    if not 0 < len(content) == len(targets) == len(mask):
        raise ValueError(
            f"{source}: {len(content)} frames, {len(targets)} targets and a mask of {len(mask)}; "
            "these are equal and at least 1"
        )


def _pad(name: str, arrays: Sequence[np.ndarray], sources: Sequence[str]) -> Tensor:
    if not arrays:
        raise ValueError("a batch has at least one clip; this one has none")
    first = arrays[0]
    for array, source in zip(arrays, sources, strict=True):
        if array.shape[1:] != first.shape[1:] or array.dtype != first.dtype:
            raise ValueError(
                f"{source}: {name} are {array.dtype} of shape {array.shape}, but those of "
                f"{sources[0]} are {first.dtype} of shape {first.shape}; "
                "in one batch only the number of frames may differ"
            )
    longest = max(len(array) for array in arrays)
    out = np.zeros((len(arrays), longest, *first.shape[1:]), dtype=first.dtype)
    for padded, array in zip(out, arrays, strict=True):
        padded[: len(array)] = array
    return torch.from_numpy(out)


def _each_tensor(batch: Batch | FeatureBatch, change: Callable[[Tensor], Tensor]) -> dict[str, Any]:
    values = {field.name: getattr(batch, field.name) for field in fields(batch)}
    return {name: change(value) for name, value in values.items() if isinstance(value, Tensor)}
