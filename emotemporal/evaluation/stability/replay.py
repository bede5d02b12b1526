"""Streams that were judged once, replayed through any smoother and label rule, and measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
from einops import rearrange
from jaxtyping import Bool, Float, Int

from emotemporal.evaluation.stability.changes import StreamStability, measure_stream
from emotemporal.evaluation.stability.figures import Stability, summarise
from emotemporal.evaluation.statistics.bootstrap import macro_f1_of, uar_of
from emotemporal.inference.caution import Caution
from emotemporal.inference.label_rule import show_together
from emotemporal.inference.smoothing import (
    SmoothingConfig,
    build_label_rule,
    build_smoother,
    smooth_together,
)
from emotemporal.labels import LabelSpace
from emotemporal.timing import ClipRate, to_ns
from emotemporal.types import StreamPrediction, Target


@dataclass(frozen=True)
class Piece:
    """A stretch of a stream, and what it was made of: a still, two blended, a take."""

    start_s: float
    end_s: float
    units: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class JudgedStream:
    """One stream's raw probabilities on the model's clock, its truth, and what it was made of."""

    name: str
    prediction: StreamPrediction
    pieces: Sequence[Piece]
    """In time order and without gaps, from the stream's start to its end."""


@dataclass(frozen=True, eq=False)
class StreamSet:
    """One model's judgements of several streams, which tick together from their starts.

    Raises:
        ValueError: No streams, two label spaces, or a truth outside the label space.
    """

    streams: Sequence[JudgedStream]
    rate: ClipRate
    caution: Caution = field(default_factory=lambda: Caution(0.0))
    """Which answers are uncertain: the last label stays."""
    warm_up_s: float = 0.5
    """Nothing shows, and nothing is measured, for this long at a stream's start; of every method
    alike, though live use asks it only of a head with memory."""

    def __post_init__(self) -> None:
        if not self.streams:
            raise ValueError("there are no streams to replay")
        for stream in self.streams:
            if stream.prediction.labels != self.labels:
                raise ValueError(f"{stream.name}: judged among other labels than the first stream")
            unknown = {t.emotion for t in stream.prediction.truth} - {*self.labels.emotions}
            if unknown or not stream.prediction.truth:
                said = ", ".join(sorted(unknown)) or "nothing"
                raise ValueError(
                    f"{stream.name}: its truth shows {said}; it must be known, and among "
                    f"{', '.join(self.labels.names)}"
                )

    @property
    def labels(self) -> LabelSpace:
        """What the columns of probabilities stand for."""
        return self.streams[0].prediction.labels

    @cached_property
    def times_s(self) -> Float[np.ndarray, " t"]:
        """The ticks, from a stream's start."""
        count = max(len(stream.prediction.times_s) for stream in self.streams)
        return np.array([self.rate.tick_ns(i) for i in range(count)]) / 1e9

    @cached_property
    def is_inside(self) -> Bool[np.ndarray, "t s"]:
        """Whether a stream still runs at a tick."""
        lengths = np.array([len(stream.prediction.times_s) for stream in self.streams])
        return np.arange(len(self.times_s))[:, None] < lengths

    @cached_property
    def probabilities(self) -> Float[np.ndarray, "t s k"]:
        """Raw; a stream that has ended repeats its last row, which nobody looks at."""
        padded = np.empty((*self.is_inside.shape, len(self.labels)))
        for i, stream in enumerate(self.streams):
            rows = stream.prediction.probabilities
            padded[: len(rows), i], padded[len(rows) :, i] = rows, rows[-1]
        return padded

    @cached_property
    def truths(self) -> Sequence[Sequence[Target]]:
        """Each stream's truth, in seconds from its start."""
        return [
            [Target(t.start_s - start_s, t.end_s - start_s, t.emotion) for t in truth]
            for start_s, truth in self._starts()
        ]

    @cached_property
    def true_labels(self) -> Int[np.ndarray, "t s"]:
        """The index of what is true at each tick; -1 where nothing is."""
        found = np.full(self.is_inside.shape, -1)
        for i, truth in enumerate(self.truths):
            starts_s = [truth[0].start_s, *((a.end_s + b.start_s) / 2 for a, b in pairwise(truth))]
            at = np.searchsorted(starts_s, self.times_s + 1e-9, side="right") - 1
            is_known = self.is_inside[:, i] & (at >= 0) & (self.times_s < truth[-1].end_s)
            codes = np.array([self.labels.index(target.emotion) for target in truth])
            found[is_known, i] = codes[at[is_known]]
        return found

    def _starts(self) -> Iterator[tuple[float, Sequence[Target]]]:
        for stream in self.streams:
            yield float(stream.prediction.times_s[0]), stream.prediction.truth


@dataclass(frozen=True, eq=False)
class Replay:
    """What was on show over a set of streams under one setting."""

    streams: StreamSet
    shown: Int[np.ndarray, "t s"]
    """Index of the label, -1 for none."""
    uncertain: Bool[np.ndarray, "t s"]
    is_measured: Bool[np.ndarray, "t s"]
    """Ticks after the warm-up whose truth is known."""

    def stabilities(self) -> list[StreamStability]:
        """Measure every stream."""
        emotions = self.streams.labels.emotions
        period_s = self.streams.rate.period_s
        found = []
        for i, truth in enumerate(self.streams.truths):
            count = int(self.streams.is_inside[:, i].sum())
            shown, uncertain = self.shown[:count, i], self.uncertain[:count, i]
            # Only where something begins: a stream's hundreds of ticks hold tens of those.
            is_new = np.ones(count, dtype=bool)
            is_new[1:] = (shown[1:] != shown[:-1]) | (uncertain[1:] != uncertain[:-1])
            found.append(
                measure_stream(
                    self.streams.times_s[:count][is_new],
                    [emotions[k] if k >= 0 else None for k in shown[is_new]],
                    truth,
                    uncertain[is_new],
                    float(self.streams.times_s[count - 1]) + period_s,
                )
            )
        return found

    @property
    def cells(self) -> Int[np.ndarray, "t s"]:
        """Each tick's place in a confusion matrix with a last row and column for "nothing"."""
        size = len(self.streams.labels) + 1
        return self.streams.true_labels * size + self.shown % size

    def confusion(self) -> Float[np.ndarray, "k1 k1"]:
        """Return ticks by true label (row) and label on show; last is what shows nothing."""
        size = len(self.streams.labels) + 1
        counts = np.bincount(self.cells[self.is_measured], minlength=size**2)
        return rearrange(counts.astype(float), "(true said) -> true said", true=size)


@dataclass(frozen=True)
class Score:
    """What one setting did on a set of streams."""

    stability: Stability
    macro_f1: float
    """Of the label on show, over ticks."""
    uar: float

    @property
    def missed_share(self) -> float:
        """Of the changes that were not pre-set."""
        to_detect = self.stability.num_changes - self.stability.num_pre_set
        return self.stability.num_missed / to_detect if to_detect else float("nan")


def replay(
    streams: StreamSet,
    smoothed: Float[np.ndarray, "t s k"],
    smoothing: SmoothingConfig,
) -> Replay:
    """Show labels of smoothed probabilities, as the live path would.

    Args:
        streams: What was judged.
        smoothed: Their probabilities after `smoothing`'s filter (`smooth`).
        smoothing: Its label rule is applied here.
    """
    is_warm = np.array([to_ns(t) >= to_ns(streams.warm_up_s) for t in streams.times_s])
    caution = streams.caution
    uncertain = caution.confidence(smoothed, streams.labels) < caution.uncertain_below
    held = uncertain | ~is_warm[:, None]
    shown = show_together(smoothed, streams.times_s, build_label_rule(smoothing), held)
    is_measured = is_warm[:, None] & (streams.true_labels >= 0)
    return Replay(streams, shown, uncertain & is_warm[:, None], is_measured)


def smooth(streams: StreamSet, smoothing: SmoothingConfig) -> Float[np.ndarray, "t s k"]:
    """Run a setting's filter over all streams at once."""
    return smooth_together(streams.probabilities, streams.times_s, build_smoother(smoothing))


def score(replayed: Replay) -> Score:
    """Pool a replay's figures over its streams."""
    confusion = replayed.confusion()[None]
    macro_f1, uar = (float(measure(confusion)[0]) for measure in (macro_f1_of, uar_of))
    return Score(summarise(replayed.stabilities()), macro_f1, uar)


def score_settings(streams: StreamSet, settings: Mapping[str, SmoothingConfig]) -> dict[str, Score]:
    """Score every setting; one filter's output serves all its label rules."""
    scores: dict[str, Score] = {}
    filtered: dict[object, Float[np.ndarray, "t s k"]] = {}
    for name, smoothing in settings.items():
        key = build_smoother(smoothing)
        if key not in filtered:
            filtered = {key: smooth(streams, smoothing)}  # grids vary the rule fastest
        scores[name] = score(replay(streams, filtered[key], smoothing))
    return scores
