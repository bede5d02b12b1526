"""One study on many machines: each does one change with one seed; the sweep says which."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from wandb.sdk.launch.sweeps import utils

from emotemporal.ablate.ablate import AblateConfig, ablate, ablate_one, write_sweep
from emotemporal.cli import expand
from emotemporal.commands import COMMANDS
from emotemporal.config import ConfigError, parse_config
from emotemporal.evaluation.statistics.bootstrap import BootstrapConfig
from emotemporal.run_folder import RunFolderError
from tests.ablate.grids import Here, small_base, write_grid

CHANGES = {"mixup 20 %": {"mix.mixup_alpha": 0.2}, "fails": {"init": "nowhere.pth"}}


@pytest.fixture
def config(affectnet_root, tmp_path) -> AblateConfig:
    path = write_grid(tmp_path / "g.yaml", small_base(affectnet_root), CHANGES, seeds=[0, 1])
    return AblateConfig(
        grid=str(path), out=str(tmp_path / "out"), bootstrap=BootstrapConfig(num_resamples=100)
    )


def test_a_sweep_has_every_change_and_seed_and_trains_nothing(config, tmp_path):
    path = write_sweep(replace(config, sweep_file=str(tmp_path / "sweep.yaml")))
    sweep = yaml.safe_load(path.read_text())
    assert sweep["parameters"]["only"]["values"] == ["base", "mixup 20 %", "fails"]
    assert sweep["parameters"]["seed"]["values"] == [0, 1]
    assert sweep["command"][:3] == ["emotemporal", "ablate", config.grid]
    assert sweep["command"][-1] == "${args}"
    assert sweep["metric"] == {"name": "val/uar", "goal": "maximize"}
    assert not Path(config.out).exists()


def test_an_agent_s_command_is_one_piece_of_the_study(config, tmp_path):
    path = write_sweep(replace(config, sweep_file=str(tmp_path / "sweep.yaml")))
    sweep = yaml.safe_load(path.read_text())
    values = {"seed": {"value": 1}, "only": {"value": "mixup 20 %"}}
    given = utils.create_sweep_command_args({"args": values})
    words = [
        one
        for word in utils.create_sweep_command(sweep["command"])
        for one in (given["args"] if word == "${args}" else [word])
    ]
    assert words[:2] == ["emotemporal", "ablate"]
    piece = parse_config(AblateConfig, expand(words[2:], COMMANDS["ablate"]), "emotemporal ablate")
    assert (piece.grid, piece.only, piece.seed) == (config.grid, "mixup 20 %", 1)
    assert piece.wandb == "online"


def test_pieces_done_elsewhere_are_gathered_by_the_study(config):
    here = Here()
    for change in ("base", "mixup 20 %"):
        assert ablate_one(replace(config, only=change, seed=1), here) == []
    assert here.started == [("pretrain", "base-seed1"), ("pretrain", "mixup_20-seed1")]
    assert not (Path(config.out) / "report.html").exists()
    assert ablate_one(replace(config, only="base", seed=1), here) == []
    assert len(here.started) == 2
    (failure,) = ablate_one(replace(config, only="fails", seed=0), here)
    assert "nowhere.pth" in failure.reason
    later = Here()
    found = ablate(replace(config, set=["seeds=[1]"]), later)
    assert [name for _, name in later.started] == ["fails-seed1"]
    assert [len(row.outcomes) for row in found.rows] == [1, 1, 0]


@pytest.mark.parametrize(
    ("only", "seed", "told"),
    [
        pytest.param("mixup", 0, "no change 'mixup' with seed 0.*mixup 20 %", id="change"),
        pytest.param("base", 7, "with seed 7.*its seeds 0, 1", id="seed"),
    ],
)
def test_a_piece_that_is_not_there_is_told_with_those_that_are(config, only, seed, told):
    with pytest.raises(ConfigError, match=told):
        ablate_one(replace(config, only=only, seed=seed), Here())


@pytest.mark.parametrize("piece", [{"only": "base"}, {"seed": 0}])
def test_a_piece_is_named_by_change_and_seed(config, piece):
    with pytest.raises(ValueError, match="--only CHANGE --seed N"):
        replace(config, **piece)


def test_a_piece_in_another_run_s_folder_is_refused(config):
    ablate_one(replace(config, only="base", seed=0), Here())
    other = replace(config, only="base", seed=0, set=["base.optim.learning_rate=0.5"])
    with pytest.raises(RunFolderError, match="learning_rate"):
        ablate_one(other, Here())
