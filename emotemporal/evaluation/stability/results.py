"""Settings chosen on some streams, frozen, and measured on others: what a smoothing study finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from emotemporal.evaluation.metrics import Interval
from emotemporal.evaluation.stability.bootstrap import (
    Figures,
    draw_weights,
    figures,
    macro_f1_gain,
    more_missed,
    spurious_p_value,
    spurious_ratio,
)
from emotemporal.evaluation.stability.figures import pareto_set
from emotemporal.evaluation.stability.grid import (
    FAMILIES,
    Choice,
    ChoiceConfig,
    GridConfig,
    choose,
    missed_limit,
    settings_of,
)
from emotemporal.evaluation.stability.pieces import PieceCounts, count_pieces
from emotemporal.evaluation.stability.replay import (
    Score,
    StreamSet,
    replay,
    score_settings,
    smooth,
)
from emotemporal.evaluation.statistics.bootstrap import BootstrapConfig
from emotemporal.evaluation.statistics.significance import holm
from emotemporal.inference.smoothing import SmoothingConfig


@dataclass(frozen=True, eq=False)
class MethodSets:
    """One set of streams, as the frame model and each learned filter judged it."""

    frame: StreamSet
    learned: Mapping[str, StreamSet] = field(default_factory=dict)

    def of(self, method: str) -> StreamSet:
        """Return what a method starts from: simple smoothers all start from the frame model."""
        return self.learned.get(method, self.frame)


@dataclass(frozen=True)
class StudyRules:
    """What is tried, what it must keep to, and how intervals are made."""

    grid: GridConfig = field(default_factory=GridConfig)
    choice: ChoiceConfig = field(default_factory=ChoiceConfig)
    bootstrap: BootstrapConfig = field(default_factory=lambda: BootstrapConfig(2000))


@dataclass(frozen=True, eq=False)
class MethodResult:
    """One family or learned filter at its chosen setting."""

    name: str
    is_learned: bool
    choice: Choice
    smoothing: SmoothingConfig
    tuned: Score
    test: Figures
    takes: Figures | None


@dataclass(frozen=True)
class Contest:
    """A learned filter against a simple one, on the same streams, both at their chosen settings."""

    learned: str
    against: str
    where: str
    spurious_ratio: Interval
    """Below 1: the learned filter has fewer spurious switches."""
    more_missed: Interval
    """Of changes; above 0, the learned filter misses more. Who misses all is steady, too."""
    macro_f1_gain: Interval
    p_value: float | None
    """Of equal spurious switches; None with under ten stills or takes."""
    adjusted_p_value: float | None
    """By Holm, for all contests on the same streams."""


@dataclass(frozen=True, eq=False)
class SmoothingStudy:
    """What was tried, chosen and found."""

    methods: tuple[MethodResult, ...]
    contests: tuple[Contest, ...]
    settings: Mapping[str, SmoothingConfig]
    tuned: Mapping[str, Mapping[str, Score]]
    """Method -> setting -> what it did on the streams to tune on."""
    fronts: Mapping[str, Mapping[str, Score]]
    """Method -> its settings that no other of its own beats on them, scored on the test streams."""
    most_missed: float
    """The largest share of missed changes, on the streams to tune on, that a choice may have."""
    rules: StudyRules
    labels: tuple[str, ...]
    counts: Mapping[str, str]
    """Set of streams -> what is in it, in words."""
    origin: Mapping[str, Any]

    def method(self, name: str) -> MethodResult:
        """Return one method."""
        return next(method for method in self.methods if method.name == name)

    @property
    def simple(self) -> Mapping[str, Score]:
        """All simple settings on the streams to tune on."""
        return {n: s for family in FAMILIES for n, s in self.tuned[family].items()}


def study_streams(
    tune: MethodSets,
    test: MethodSets,
    takes: MethodSets | None,
    rules: StudyRules,
    origin: Mapping[str, Any],
) -> SmoothingStudy:
    """Choose each method's setting on `tune`; measure it on `test` and `takes`.

    Raises:
        ValueError: No simple setting keeps to the lag.
    """
    tried: dict[str, dict[str, SmoothingConfig]] = {
        family: settings_of(rules.grid, (family,)) for family in FAMILIES
    }
    tried |= dict.fromkeys(tune.learned, tried["none"])
    settings = {name: config for found in tried.values() for name, config in found.items()}
    tuned = {m: score_settings(tune.of(m), found) for m, found in tried.items()}
    simple = {name: score for family in FAMILIES for name, score in tuned[family].items()}
    most_missed = missed_limit(simple, rules.choice)
    choices = {m: choose(scores, most_missed, rules.choice) for m, scores in tuned.items()}
    chosen = {m: settings[choice.name] for m, choice in choices.items()}
    on_test = _Measured.of(test, chosen, rules)
    on_takes = _Measured.of(takes, chosen, rules) if takes is not None else None
    return SmoothingStudy(
        methods=tuple(
            MethodResult(
                method,
                method in tune.learned,
                choices[method],
                chosen[method],
                tuned[method][choices[method].name],
                on_test.figures[method],
                on_takes.figures[method] if on_takes else None,
            )
            for method in tried
        ),
        contests=tuple(
            contest
            for where, measured in (("test", on_test), ("takes", on_takes))
            if measured is not None
            for contest in _contests(measured, list(tune.learned), where, rules.bootstrap)
        ),
        settings=settings,
        tuned=tuned,
        fronts={m: score_front(tuned[m], test.of(m), settings) for m in tried},
        most_missed=most_missed,
        rules=rules,
        labels=test.frame.labels.names,
        counts={
            name: describe_streams(found.frame)
            for name, found in (("tune", tune), ("test", test), ("takes", takes))
            if found is not None
        },
        origin=origin,
    )


def score_front(
    scores: Mapping[str, Score],
    streams: StreamSet,
    settings: Mapping[str, SmoothingConfig],
) -> dict[str, Score]:
    """Score on other streams what no setting beats in both lag and flicker, promptest first."""
    names = pareto_set({name: score.stability for name, score in scores.items()})
    return score_settings(streams, {name: settings[name] for name in names})


def describe_streams(streams: StreamSet) -> str:
    """Say what is in a set of streams."""
    units = {unit for stream in streams.streams for piece in stream.pieces for unit in piece.units}
    minutes = float(streams.is_inside.sum()) * streams.rate.period_s / 60
    pieces = sum(len(stream.pieces) for stream in streams.streams)
    return (
        f"{len(streams.streams)} streams, {minutes:.1f} minutes, {pieces} pieces made of "
        f"{len(units)} different stills or takes"
    )


@dataclass(frozen=True, eq=False)
class _Measured:
    """The chosen settings on one set of streams."""

    sets: MethodSets
    counts: Mapping[str, PieceCounts]
    weights: Float[np.ndarray, "r p"]
    figures: Mapping[str, Figures]

    @classmethod
    def of(
        cls, sets: MethodSets, chosen: Mapping[str, SmoothingConfig], rules: StudyRules
    ) -> _Measured:
        weights = draw_weights(sets.frame, rules.bootstrap)
        counts = {}
        for method, smoothing in chosen.items():
            streams = sets.of(method)
            shown = replay(streams, smooth(streams, smoothing), smoothing)
            counts[method] = count_pieces(shown)
        found = {m: figures(count, weights, rules.bootstrap) for m, count in counts.items()}
        return cls(sets, counts, weights, found)


def _contests(
    measured: _Measured, learned: Sequence[str], where: str, config: BootstrapConfig
) -> Iterator[Contest]:
    pairs = [(one, family) for one in learned for family in FAMILIES]
    p_values = [
        spurious_p_value(measured.counts[one], measured.counts[other], measured.sets.frame)
        for one, other in pairs
    ]
    adjusted = iter(holm([p for p in p_values if p is not None]))
    for (one, other), p in zip(pairs, p_values, strict=True):
        first, second = measured.counts[one], measured.counts[other]
        yield Contest(
            one,
            other,
            where,
            spurious_ratio(first, second, measured.weights, config),
            more_missed(first, second, measured.weights, config),
            macro_f1_gain(first, second, measured.weights, config),
            p,
            None if p is None else next(adjusted),
        )
