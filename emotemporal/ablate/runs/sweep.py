"""A grid as a wandb sweep: machines that share nothing but the sweep train its runs."""

from __future__ import annotations

from typing import Any

from emotemporal.ablate.runs.grid import BASE, Grid
from emotemporal.config import dump_yaml

_METRIC = {
    "pretrain": "val/uar",
    "finetune": "val/uar",
    "crossval": "clip/uar",
    "compare": "clip/uar",
}
_HEADER = """\
# Made from a grid, to be made again when that changes:
#
#   emotemporal ablate {grid} \\
#       --sweep_file {file}
#
# Any number of machines share the study; an agent takes one change with one seed at a time:
#
#   wandb sweep {file}    # once; it says SWEEP_ID
#   wandb agent SWEEP_ID    # on every machine, in a folder that has what the grid names
#
# Each run lies in {out}/runs/ of its machine. With one disk for all, or when these folders have
# been copied together, the grid's own command finds nothing left to train, and writes the table and
# the page: emotemporal ablate {grid}
#
# Options of your own, such as --root DIR, go into `command`, before the arguments. Without wandb
# the same piece is that command with --only "{base}" --seed {seed}.
"""


def sweep_text(grid: Grid, grid_file: str, sweep_file: str, project: str) -> str:
    """Return the YAML file that `wandb sweep` reads, with a header that says how.

    Args:
        grid: What the study is of.
        grid_file: Its file, as an agent shall be told it: from where agents are started.
        sweep_file: Where the text will be, for the header.
        project: wandb's, as the grid's base has it.
    """
    seed = grid.seeds[0]
    header = _HEADER.format(
        grid=grid_file, file=sweep_file, out=f"runs/{grid.name}", base=BASE, seed=seed
    )
    sweep: dict[str, Any] = {
        "project": project,
        "name": grid.name,
        "method": "grid",
        "metric": {"name": _METRIC[grid.job], "goal": "maximize"},
        "command": ["emotemporal", "ablate", grid_file, "--wandb", "online", "${args}"],
        # The first varies slowest: stopped half-way, a study has whole comparisons.
        "parameters": {
            "seed": {"values": list(grid.seeds)},
            "only": {"values": [BASE, *grid.changes]},
        },
    }
    return header + dump_yaml(sweep)
