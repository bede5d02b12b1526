"""What a study's runs left behind, gathered: figures over seeds, differences to the base."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from emotemporal.ablate.runs.grid import BASE, Grid
from emotemporal.ablate.runs.plan import PlannedRun
from emotemporal.ablate.runs.process import Failure, has_finished, has_judged, seconds_of
from emotemporal.ablate.study import CompareConfig
from emotemporal.evaluation.comparison.compare import compare
from emotemporal.evaluation.comparison.results import Comparison, ComparisonConfig
from emotemporal.evaluation.metrics import Interval
from emotemporal.evaluation.predictions import read_predictions
from emotemporal.evaluation.statistics.bootstrap import BootstrapConfig
from emotemporal.labels import LabelSpace
from emotemporal.storage import read_jsonl
from emotemporal.types import ClipPrediction

GAP = "gap/accuracy"
"""Training accuracy minus validation accuracy at the best epoch."""
SHIFTED_UAR, SHIFTED_SHARE = "/shifted_uar", "/shifted_share"
"""Behind an evaluation's name: UAR over all shifts and strengths; as a share of the unshifted."""
CLIP_MODEL = "clip model"
"""How the temporal head of every `compare` is called, whichever it is: a grid may change it."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """One finished run. Shares are 0 to 1, losses in nats."""

    run: PlannedRun
    epochs: Sequence[Mapping[str, float]]
    """Its log: a row an epoch, named `train/loss`, `val/uar`; none of `compare`."""
    best: Mapping[str, float]
    """The row of the epoch that was kept, with the gap, all steps and minutes."""
    data_fingerprint: str


@dataclass(frozen=True, eq=False)
class Row:
    """The base or a change, over its seeds."""

    change: str
    num_planned: int
    outcomes: Sequence[Outcome]
    figures: Mapping[str, Interval]
    """Mean over seeds; the interval is Student's over seeds, from two on."""
    difference: Interval | None
    """In the validation UAR of training, to the base with the same seeds; None of the base."""

    @property
    def is_base(self) -> bool:
        """Whether this is what others are held against."""
        return self.change == BASE


@dataclass(frozen=True, eq=False)
class Ablation:
    """A study as far as it got; `table` and `page` write it."""

    grid: Grid
    rows: Sequence[Row]
    judged: Mapping[str, Comparison]
    """Evaluation -> every change that has been judged, on the same images or clips."""
    failures: Sequence[Failure]
    notes: Sequence[str]
    origin: Mapping[str, str]


def gather(
    grid: Grid,
    runs: Sequence[PlannedRun],
    failures: Sequence[Failure],
    bootstrap: BootstrapConfig,
    origin: Mapping[str, str],
) -> Ablation:
    """Read what is finished of a study; what is not is missing from its figures."""
    outcomes = [_read(run) for run in runs if has_finished(run)]
    changes = (BASE, *grid.changes)
    of = {change: [o for o in outcomes if o.run.change == change] for change in changes}
    rows = [_row(change, len(grid.seeds), of[change], of[BASE]) for change in changes]
    judged, notes = {}, _data_notes(outcomes)
    for name, one in _read_judged(outcomes).items():
        try:
            judged[name] = _compare(one, changes, bootstrap)
        except ValueError as error:
            notes.append(f"{name}: the changes cannot be compared: {error}")
    return Ablation(grid, rows, judged, list(failures), notes, dict(origin))


def _read(run: PlannedRun) -> Outcome:
    claim = json.loads((run.folder / "run.json").read_text(encoding="utf-8"))
    fingerprint = str(claim["config"]["data_fingerprint"])
    others = {"minutes": seconds_of(run) / 60, **_under_shifts(run)}
    epochs = read_jsonl(run.folder / "log.jsonl")
    if not epochs:
        return Outcome(run, [], others, fingerprint)
    summary: dict[str, Any] = json.loads((run.folder / "summary.json").read_text(encoding="utf-8"))
    best = {**summary["best"], "steps": float(epochs[-1]["step"]), **others}
    if "val/accuracy" in best:
        best[GAP] = best["train/accuracy"] - best["val/accuracy"]
    return Outcome(run, epochs, best, fingerprint)


def _under_shifts(run: PlannedRun) -> dict[str, float]:
    """Return what evaluations with shifts found: UAR over all of them, and the share that is."""
    found = {}
    for name, config in run.evaluations.items():
        if config.shifts and has_judged(config):
            suite = json.loads(Path(config.json).read_text(encoding="utf-8"))["shifts"]
            found[name + SHIFTED_UAR] = float(suite["mean_uar"])
            if suite["mean_uar_ratio"] is not None:
                found[name + SHIFTED_SHARE] = float(suite["mean_uar_ratio"])
    return found


def _row(
    change: str, num_planned: int, outcomes: Sequence[Outcome], base: Sequence[Outcome]
) -> Row:
    names = dict.fromkeys(name for outcome in outcomes for name in outcome.best if name != "step")
    figures = {
        name: over_seeds([outcome.best[name] for outcome in outcomes if name in outcome.best])
        for name in names
    }
    base_uar = {o.run.seed: o.best["val/uar"] for o in base if "val/uar" in o.best}
    gains = [
        outcome.best["val/uar"] - base_uar[outcome.run.seed]
        for outcome in outcomes
        if outcome.run.seed in base_uar and "val/uar" in outcome.best
    ]
    difference = over_seeds(gains) if gains and change != BASE else None
    return Row(change, num_planned, outcomes, figures, difference)


def over_seeds(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Return the mean with Student's t interval; of one value, an interval of no width."""
    from scipy.stats import t

    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean, mean, mean, confidence)
    error = float(np.std(values, ddof=1)) / len(values) ** 0.5
    half = float(t.ppf((1 + confidence) / 2, len(values) - 1)) * error
    return Interval(mean, mean - half, mean + half, confidence)


def _data_notes(outcomes: Sequence[Outcome]) -> list[str]:
    """Name runs on other data than the base's: because a change says so, or without its saying."""
    base = next((o for o in outcomes if o.run.change == BASE), None)
    if base is None:
        return []
    notes = []
    others = [o for o in outcomes if o.data_fingerprint != base.data_fingerprint]
    own = [o for o in others if o.run.config.data != base.run.config.data]
    if own:
        names = ", ".join(dict.fromkeys(o.run.change for o in own))
        notes.append(
            f"Trained and validated on other data than the base, as the change says: {names}. "
            "Their validation figures stand beside the base's, not against them."
        )
    for outcome in others:
        if outcome not in own:
            notes.append(
                f"{outcome.run.change}, seed {outcome.run.seed}: the data has changed between "
                f"this run and the base's (fingerprint {outcome.data_fingerprint[:16]}, there "
                f"{base.data_fingerprint[:16]}). Remove the older folder, and run it again."
            )
    return notes


@dataclass(frozen=True, eq=False)
class _Judged:
    """One evaluation: change -> seeds -> predictions, and the labels to judge among."""

    labels: LabelSpace | None
    predictions: dict[str, list[list[ClipPrediction]]]


def _read_judged(outcomes: Sequence[Outcome]) -> dict[str, _Judged]:
    found: dict[str, _Judged] = {}
    for outcome in outcomes:
        for name, path, labels in _prediction_files(outcome.run):
            judged = found.setdefault(name, _Judged(labels, {}))
            seeds = judged.predictions.setdefault(outcome.run.change, [])
            seeds.append(read_predictions(path))
    # The first is primary: of `compare` that is the clip model, whatever it is called.
    return dict(sorted(found.items(), key=lambda item: item[0] != CLIP_MODEL))


def _prediction_files(run: PlannedRun) -> list[tuple[str, Path, LabelSpace | None]]:
    """Return evaluation, file, labels to judge among; of `compare`, a method is an evaluation."""
    files: list[tuple[str, Path, LabelSpace | None]] = []
    for name, config in run.evaluations.items():
        if has_judged(config):
            figures = json.loads(Path(config.json).read_text(encoding="utf-8"))
            files.append((name, Path(config.predictions), LabelSpace.from_names(figures["labels"])))
    for path in sorted((run.folder / "predictions").glob("*.csv")):
        files.append((_evaluation_name(run, path.stem.rpartition("-seed")[0]), path, None))
    return files


def _evaluation_name(run: PlannedRun, method: str) -> str:
    """Name a method as an evaluation. A run's one head is "clip model", whichever it is."""
    config = run.config
    is_only = not isinstance(config, CompareConfig) or [*config.heads] == [method]
    return CLIP_MODEL if is_only else method.replace("_", " ")


def _compare(judged: _Judged, changes: Sequence[str], bootstrap: BootstrapConfig) -> Comparison:
    """Compare every change with the base; without one, nothing is held against anything."""
    ordered = {name: judged.predictions[name] for name in changes if name in judged.predictions}
    reference = BASE if BASE in ordered else next(iter(ordered))
    config = ComparisonConfig(reference=reference, bootstrap=bootstrap)
    comparison = compare(ordered, config, judged.labels)
    if BASE in ordered:
        return comparison
    alone = tuple(replace(method, difference=None) for method in comparison.methods)
    return replace(comparison, methods=alone)
