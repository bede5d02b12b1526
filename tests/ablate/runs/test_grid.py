from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from emotemporal.ablate.runs.grid import folder_name, merge, read_grid
from emotemporal.ablate.runs.plan import plan_runs
from emotemporal.config import ConfigError
from tests.ablate.grids import small_base, write_grid

CHANGES = {"mixup": {"mix.mixup_alpha": 0.2}}


def test_options_may_be_dotted_nested_or_from_a_file(tmp_path):
    (tmp_path / "base.yaml").write_text(
        yaml.safe_dump(
            {
                "optim": {"epochs": 5, "batch_size": 8},
                "seed": 7,
                "run": {"out": "runs/its_own", "device": "cuda"},
            }
        )
    )
    base = {"config": "base.yaml", "optim.epochs": 1e3, "mix": {"share": 0.5}}
    grid = read_grid(str(write_grid(tmp_path / "g.yaml", base, CHANGES)))
    assert grid.base == {
        "optim": {"epochs": 1000, "batch_size": 8},
        "run": {"device": "cuda"},
        "mix": {"share": 0.5},
    }
    assert grid.options_of("mixup")["mix"] == {"share": 0.5, "mixup_alpha": 0.2}
    assert grid.name == "g"


def test_a_shipped_config_can_be_the_base(tmp_path):
    path = write_grid(tmp_path / "g.yaml", "configs/runs/students_baseline.yaml", CHANGES)
    assert read_grid(str(path)).base["max_per_class"] == 2500


def test_the_command_line_has_the_last_word(tmp_path):
    path = write_grid(tmp_path / "g.yaml", small_base(tmp_path), CHANGES, seeds=[0, 1, 2])
    grid = read_grid(str(path), ["base.optim.epochs=7", "seeds=[4]", "changes.mixup.mix.share=0.5"])
    assert grid.base["optim"] == {"epochs": 7, "batch_size": 16}
    assert grid.seeds == (4,)
    assert grid.changes["mixup"] == {"mix": {"mixup_alpha": 0.2, "share": 0.5}}


def test_merging_replaces_values_and_keeps_what_is_beside_them():
    assert merge({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 9}, "d": {"e": 1}}) == {
        "a": {"b": 9, "c": 2},
        "d": {"e": 1},
    }


@pytest.mark.parametrize(
    ("name", "folder"),
    [("light augmentation", "light_augmentation"), ("SAM, rho 0.05", "sam_rho_0.05"), ("!", "")],
)
def test_a_change_has_a_folder_that_any_system_can_carry(name, folder):
    assert folder_name(name) == folder


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        pytest.param({"job": "predict"}, "job is 'predict'", id="no-such-job"),
        pytest.param({"changes": {}}, "there are no changes", id="nothing-to-compare"),
        pytest.param({"seeds": [0, 0]}, "each once", id="a-seed-twice"),
        pytest.param({"seed": [0]}, "has seed, which a grid does not", id="unknown-field"),
        pytest.param({"changes": {"base": {}}}, "another's", id="a-change-named-base"),
        pytest.param({"changes": {"a b": {}, "A_B": {}}}, "differ in letters", id="same-folder"),
        pytest.param({"changes": {"a": 3}}, "must be a mapping", id="no-options"),
        pytest.param({"job": "compare", "evaluate": {"a": {}}}, "its own clips", id="compare"),
    ],
)
def test_a_grid_that_cannot_be_is_refused(fields, told, tmp_path):
    path = write_grid(tmp_path / "g.yaml", small_base(tmp_path), CHANGES)
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **fields}))
    with pytest.raises(ConfigError, match=told):
        read_grid(str(path))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        pytest.param({"optim.learning_rat": 1}, "'odd'.*learning_rat.*did you mean", id="unknown"),
        pytest.param({"optim.epochs": 0}, "'odd'.*epochs is 0", id="refused"),
        pytest.param({"optim.epochs": "many"}, "'odd'.*many", id="no-number"),
        pytest.param({"seed": 3}, "'odd' sets seed", id="the-study's"),
        pytest.param({"run.out": "x"}, "'odd' sets run.out", id="the-study's-folder"),
        pytest.param({"optim.epochs": 1}, "'odd' is the base", id="no-change"),
    ],
)
def test_a_change_that_cannot_be_run_is_refused_by_its_name(options, told, tmp_path):
    changes = {**CHANGES, "odd": options}
    grid = read_grid(str(write_grid(tmp_path / "g.yaml", small_base(tmp_path), changes)))
    with pytest.raises(ConfigError, match=f"(?s){told}"):
        plan_runs(grid, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        pytest.param({"splitt": "test"}, "'odd'.*splitt", id="unknown"),
        pytest.param({"json": "x.json"}, "'odd'.* sets json", id="the-study's"),
        pytest.param({"data": {"name": "ferplus"}}, "'odd'.*root", id="elsewhere-without-a-root"),
    ],
)
def test_an_evaluation_that_cannot_be_done_is_refused_by_its_name(options, told, tmp_path):
    evaluate = {"odd": options}
    path = write_grid(tmp_path / "g.yaml", small_base(tmp_path), CHANGES, evaluate=evaluate)
    with pytest.raises(ConfigError, match=f"(?s){told}"):
        plan_runs(read_grid(str(path)), tmp_path / "out")


def test_every_change_is_judged_on_the_base_s_data(tmp_path):
    changes = {"without header": {"data.has_header": False}}
    evaluate = {
        "official": {"split": "validation"},
        "elsewhere": {"data": {"name": "folder", "root": "x"}},
    }
    path = write_grid(tmp_path / "g.yaml", small_base(tmp_path), changes, evaluate=evaluate)
    base, changed = plan_runs(read_grid(str(path)), tmp_path / "out")
    assert not changed.config.data.has_header
    assert changed.evaluations["official"].data == base.config.data
    assert changed.evaluations["elsewhere"].data.name == "folder"


def test_runs_go_seed_by_seed_each_in_its_own_folder_and_in_the_study_s_group(tmp_path):
    path = write_grid(tmp_path / "study.yaml", small_base(tmp_path), CHANGES, seeds=[3, 5])
    runs = plan_runs(read_grid(str(path)), tmp_path / "out", tracker="offline")
    assert [run.name for run in runs] == ["base-seed3", "mixup-seed3", "base-seed5", "mixup-seed5"]
    assert [run.config.seed for run in runs] == [3, 3, 5, 5]
    last = runs[-1].config.run
    assert Path(last.out) == tmp_path / "out" / "runs" / "mixup-seed5"
    assert (last.tracking.group, last.tracking.tags) == ("study", ("mixup", "seed5"))
    assert last.tracking.wandb == "offline"
