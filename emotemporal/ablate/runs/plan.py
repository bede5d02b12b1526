"""The runs of a study, each with its checked config: nothing trains before all of them are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from emotemporal.ablate.crossval import CrossvalConfig
from emotemporal.ablate.runs.grid import BASE, OWN, Grid, Job, folder_name, merge
from emotemporal.ablate.study import CompareConfig
from emotemporal.config import ConfigError, differences, parse_plain, to_plain
from emotemporal.evaluation.evaluate import EvaluateConfig
from emotemporal.train.finetune import FinetuneConfig
from emotemporal.train.log import TrackingConfig
from emotemporal.train.pretrain import PretrainConfig

JobConfig = PretrainConfig | FinetuneConfig | CrossvalConfig | CompareConfig
_KINDS: Mapping[Job, type[JobConfig]] = {
    "pretrain": PretrainConfig,
    "finetune": FinetuneConfig,
    "crossval": CrossvalConfig,
    "compare": CompareConfig,
}
Tracker = Literal["off", "offline", "online"]
_OWN_IN_EVALUATE = ("checkpoint", "json", "predictions", "report")


@dataclass(frozen=True)
class PlannedRun:
    """One change, one seed: an ordinary job in a folder of its own."""

    change: str
    seed: int
    job: Job
    folder: Path
    config: JobConfig
    evaluations: Mapping[str, EvaluateConfig]
    """Name -> what is done with its checkpoint when it has finished."""

    @property
    def name(self) -> str:
        """The run folder's name."""
        return self.folder.name

    @property
    def tracking(self) -> TrackingConfig:
        """Where its numbers can be watched."""
        return _tracking(self.config)


def _tracking(config: JobConfig) -> TrackingConfig:
    if isinstance(config, CompareConfig | CrossvalConfig):
        return config.tracking
    return config.run.tracking


def plan_runs(grid: Grid, out: Path, tracker: Tracker | None = None) -> list[PlannedRun]:
    """Return the base's and every change's runs, seed by seed, all of their options checked.

    Seeds are outermost: stopped half-way, a study has whole comparisons.

    Args:
        grid: What the study is of.
        out: The study's folder; runs go to `out/runs`.
        tracker: What wandb does; None leaves it as the base has it.

    Raises:
        ConfigError: An option is unknown or refused, or a change changes nothing.
    """
    configs = {change: _parse(grid, change) for change in (BASE, *grid.changes)}
    for change, config in configs.items():
        if change != BASE and config == configs[BASE]:
            raise ConfigError(
                f"change {change!r} is the base: each of its options has that value there"
            )
    evaluations = {
        name: _evaluation(name, options, configs[BASE])
        for name, options in (grid.evaluate or {}).items()
    }
    runs = []
    for seed in grid.seeds:
        for change, config in configs.items():
            folder = out / "runs" / f"{folder_name(change)}-seed{seed}"
            placed = _place(config, grid.name, (change, f"seed{seed}"), seed, folder, tracker)
            judged = {name: _of_run(one, name, folder) for name, one in evaluations.items()}
            runs.append(PlannedRun(change, seed, grid.job, folder, placed, judged))
    return runs


def _parse(grid: Grid, change: str) -> JobConfig:
    plain = grid.options_of(change)
    _refuse_own(plain, OWN, f"change {change!r}" if change != BASE else "the base")
    try:
        return parse_plain(_KINDS[grid.job], plain, f"emotemporal {grid.job}")
    except ConfigError as error:
        who = "the base" if change == BASE else f"change {change!r}"
        raise ConfigError(f"{who} cannot be run: {error}") from error


def _refuse_own(plain: Mapping[str, Any], own: tuple[str, ...], who: str) -> None:
    for name in own:
        value: Any = plain
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is not None:
            raise ConfigError(f"{who} sets {name}, which the study sets for each run; leave it out")


def _place(
    config: JobConfig,
    study: str,
    tags: tuple[str, ...],
    seed: int,
    folder: Path,
    tracker: Tracker | None,
) -> JobConfig:
    """Say where the run goes, with which seed, and in whose group the tracker shows it."""
    tracking = _tracking(config)
    tracking = replace(
        tracking, wandb=tracker or tracking.wandb, group=study, tags=(*tracking.tags, *tags)
    )
    if isinstance(config, CompareConfig | CrossvalConfig):
        return replace(config, seed=seed, out=str(folder), tracking=tracking)
    run = replace(config.run, out=str(folder), tracking=tracking)
    return replace(config, seed=seed, run=run)


def _evaluation(name: str, options: Mapping[str, Any], base: JobConfig) -> EvaluateConfig:
    """Return what every checkpoint is judged on: the base's data set, if no other is named."""
    assert isinstance(base, PretrainConfig | FinetuneConfig)
    _refuse_own(options, _OWN_IN_EVALUATE, f"evaluate {name!r}")
    plain = {"device": base.run.device, **options}
    if isinstance(base, PretrainConfig):
        plain["data"] = _data(base, plain.get("data") or {})
    try:
        return parse_plain(EvaluateConfig, plain, "emotemporal evaluate")
    except ConfigError as error:
        raise ConfigError(f"evaluate {name!r} cannot be run: {error}") from error


def _of_run(evaluation: EvaluateConfig, name: str, folder: Path) -> EvaluateConfig:
    files = folder / "evaluations" / folder_name(name)
    return replace(
        evaluation,
        checkpoint=str(folder / "best.safetensors"),
        json=f"{files}.json",
        predictions=f"{files}.csv",
    )


def _data(base: PretrainConfig, data: Mapping[str, Any]) -> dict[str, Any]:
    own = to_plain(base.data)
    same = data.get("name", own["name"]) == own["name"]
    return merge(own, data) if same else dict(data)


def differs_from(found: JobConfig, wanted: JobConfig) -> list[str]:
    """Return one line an option in which two runs learn differently; where they run is no part."""
    there, here = _what_is_learned(found), _what_is_learned(wanted)
    return differences(there, here)


def _what_is_learned(config: JobConfig) -> dict[str, Any]:
    plain = to_plain(config)
    if isinstance(config, CrossvalConfig):
        plain |= {f"finetune.{name}": value for name, value in plain.pop("finetune").items()}
        plain["precision"] = plain.pop("finetune.run")["precision"]
        plain.pop("finetune.cache")
    elif not isinstance(config, CompareConfig):
        plain["precision"] = plain.pop("run")["precision"]
    where = {"out", "cache", "packed", "device", "workers", "tracking"}
    return {name: value for name, value in plain.items() if name not in where}
