"""The job `ablate`: every change of a grid trained and judged, gathered into one table."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from emotemporal.ablate.report.outcomes import Ablation, gather
from emotemporal.ablate.report.page import write_ablation
from emotemporal.ablate.report.table import method_of
from emotemporal.ablate.runs.grid import BASE, Grid, merge, read_grid
from emotemporal.ablate.runs.plan import PlannedRun, Tracker, plan_runs
from emotemporal.ablate.runs.process import Failure, Starter, has_finished, start_process
from emotemporal.ablate.runs.schedule import run_all
from emotemporal.ablate.runs.sweep import sweep_text
from emotemporal.config import ConfigError, dump_yaml
from emotemporal.evaluation.comparison.report import read_origin
from emotemporal.evaluation.statistics.bootstrap import BootstrapConfig
from emotemporal.models.meta import read_meta
from emotemporal.run_folder import RunFolderError, git_commit
from emotemporal.stopping import stop_when_asked
from emotemporal.storage import write_atomically
from emotemporal.timing import Clock, monotonic
from emotemporal.train.log import build_logger

_log = logging.getLogger(__name__)
WRITTEN = ("report.html", "ablation.csv", "ablation.md", "ablation.tex", "grid.yaml")
_WRITE_EVERY_S = 60.0
"""A study that takes days can be looked at while it runs."""


def _bootstrap() -> BootstrapConfig:
    return BootstrapConfig(num_resamples=2000)


@dataclass(frozen=True)
class AblateConfig:
    """Train named changes against a base, and gather them into one table and one page."""

    grid: str
    """A YAML file of `job`, `base`, `changes`, `seeds`, perhaps `evaluate` and `question`."""
    out: str = ""
    """The study's folder; empty: `runs/` and the grid's name. The same command goes on with it."""
    root: str = ""
    """Where the data set is: the base's `data.root`, for every run."""
    set: list[str] = field(default_factory=list)
    """`name=value` in place of what the grid says, such as base.optim.epochs=3 or seeds=[0,1]."""
    wandb: Literal["", "off", "offline", "online"] = ""
    """Where every run's numbers can be watched; empty: as the base has it."""
    only: str = ""
    """Do this one change (`base` is one) with `seed`, and write no table: a piece for one of many
    machines. Without it the same command gathers what is there and does what is missing."""
    seed: int | None = None
    """The seed that `only` goes with."""
    sweep_file: str = ""
    """Train nothing; write the wandb sweep by which any number of machines share the study."""
    workers: int = 1
    """Runs at a time, each a process; on one GPU, or many cores, several small ones fit. Each takes
    all cores unless OMP_NUM_THREADS says otherwise."""
    bootstrap: BootstrapConfig = field(default_factory=_bootstrap)

    def __post_init__(self) -> None:
        if not self.grid:
            raise ValueError("grid is empty; name a YAML file, or a shipped one")
        if self.workers < 1:
            raise ValueError(f"workers is {self.workers}; at least 1 does the work")
        if bool(self.only) != (self.seed is not None):
            raise ValueError(
                f"only is {self.only!r} and seed {self.seed}; one piece of a study is named by "
                "both: --only CHANGE --seed N"
            )


def ablate(
    config: AblateConfig, start: Starter = start_process, clock: Clock = monotonic
) -> Ablation:
    """Run the study from wherever its folder stands, and write its table and page.

    Each change and seed is an ordinary run in `runs/` of the study's folder, in a process of its
    own, whose words are in `logs/`. What has finished is not run again; what stopped half-way goes
    on. A run that fails is told with its reason, and the others go on.

    Raises:
        ConfigError: The grid, or an option of a change, cannot be used. Nothing has run then.
        RunFolderError: A run's folder holds another run, or another process has the study's.
        InterruptedJob: A signal came; the same command goes on.
    """
    grid, out, runs = _plan(config)
    with _locked(out):
        num_finished = sum([has_finished(run) for run in runs])  # all are looked at: one may refuse
        _log.info("%s: %d runs, of which %d have finished", grid.name, len(runs), num_finished)
        _write_grid(out, grid)
        written_at = clock()

        def write(failures: Sequence[Failure]) -> Ablation:
            origin = _origin(config, grid, runs)
            ablation = gather(grid, runs, failures, config.bootstrap, origin)
            write_ablation(ablation, out)
            return ablation

        def write_now_and_then(failures: Sequence[Failure]) -> None:
            nonlocal written_at
            if clock() - written_at > _WRITE_EVERY_S:
                write(failures)
                written_at = clock()

        with stop_when_asked() as stop:
            failures = run_all(runs, start, clock, stop, config.workers, write_now_and_then)
            ablation = write(failures)
            _track(runs[0], ablation, out)
    return ablation


def ablate_one(
    config: AblateConfig, start: Starter = start_process, clock: Clock = monotonic
) -> list[Failure]:
    """Train and judge the one run that `only` and `seed` name, if it is not done; return failures.

    Others of the study may be at work in the same folder: only the run's own is locked.

    Raises:
        ConfigError: As for `ablate`, or there is no such change or seed.
        RunFolderError: The run's folder holds another run.
        InterruptedJob: A signal came; the same command goes on.
    """
    grid, out, runs = _plan(config)
    named = [run for run in runs if (run.change, run.seed) == (config.only, config.seed)]
    if not named:
        changes, seeds = ", ".join((BASE, *grid.changes)), ", ".join(map(str, grid.seeds))
        raise ConfigError(
            f"{grid.name} has no change {config.only!r} with seed {config.seed}; its changes are "
            f"{changes}; its seeds {seeds}"
        )
    has_finished(named[0])  # refuses another run's folder
    out.mkdir(parents=True, exist_ok=True)
    _write_grid(out, grid)
    with stop_when_asked() as stop:
        return run_all(named, start, clock, stop, 1, lambda _: None)


def write_sweep(config: AblateConfig) -> Path:
    """Write the study's sweep, once every change can be run; train nothing.

    Raises:
        ConfigError: The grid, or an option of a change, cannot be used.
    """
    grid, _, runs = _plan(config)
    path = Path(config.sweep_file)
    text = sweep_text(grid, config.grid, config.sweep_file, runs[0].tracking.project)
    write_atomically(path, text.encode())
    return path


def _plan(config: AblateConfig) -> tuple[Grid, Path, list[PlannedRun]]:
    grid = _read(config)
    out = Path(config.out or f"runs/{grid.name}")
    tracker: Tracker | None = config.wandb or None
    return grid, out, plan_runs(grid, out, tracker)


def _track(base: PlannedRun, ablation: Ablation, out: Path) -> None:
    """Show the table's figures beside the runs, in their group."""
    told = {**asdict(ablation.grid), **ablation.origin}
    logger = build_logger(replace(base.tracking, tags=()), out, "ablate", told)
    for row in ablation.rows:
        figures = {name: interval.estimate for name, interval in row.figures.items()}
        for evaluation in ablation.judged:
            if (method := method_of(row, ablation, evaluation)) is not None:
                figures |= {f"{evaluation}/uar": method.uar.estimate}
                figures |= {f"{evaluation}/accuracy": method.accuracy.estimate}
        logger.log({f"{row.change}/{name}": value for name, value in figures.items()}, step=0)
    logger.files("report", "report", [out / name for name in WRITTEN])
    logger.finish()


def _read(config: AblateConfig) -> Grid:
    grid = read_grid(config.grid, config.set)
    if not config.root:
        return grid
    if grid.job != "pretrain":
        raise ConfigError(
            f"--root is where pretrain finds images; {grid.job} reads what 'prepare' made: "
            "--set base.data=FOLDER"
        )
    return replace(grid, base=merge(grid.base, {"data": {"root": config.root}}))


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    out.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(out / ".lock", timeout=0):
            yield
    except Timeout:
        raise RunFolderError(
            f"{out} is in use by another process. Wait for it, or use another --out."
        ) from None


def _write_grid(out: Path, grid: Grid) -> None:
    plain = {name: value for name, value in asdict(grid).items() if value}
    write_atomically(out / "grid.yaml", dump_yaml(json.loads(json.dumps(plain))).encode())


def _origin(config: AblateConfig, grid: Grid, runs: Sequence[PlannedRun]) -> dict[str, str]:
    origins = [origin for run in runs if (origin := _origin_of(run)) is not None]
    return {
        "commit of the runs": ", ".join(sorted({commit for commit, _ in origins})) or "none",
        "commit of the table": git_commit(),
        "grid": config.grid,
        "job": grid.job,
        "data fingerprint": ", ".join(sorted({data[:16] for _, data in origins})),
        "seeds": ", ".join(str(seed) for seed in grid.seeds),
    }


def _origin_of(run: PlannedRun) -> tuple[str, str] | None:
    """Return a run's commit and data fingerprint, from what its job leaves; None if it has not."""
    checkpoint, comparison = run.folder / "best.safetensors", run.folder / "comparison.csv"
    if checkpoint.is_file():
        origin = read_meta(checkpoint).origin
        return origin.commit, origin.data_fingerprint
    if comparison.is_file():
        told = read_origin(comparison)
        return told["commit"], told["data fingerprint"]
    return None
