"""Every shipped config still fits the code: it loads, builds its model and takes one step."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from emotemporal.ablate.compare import CompareConfig
from emotemporal.ablate.runs.grid import read_grid
from emotemporal.ablate.runs.plan import plan_runs
from emotemporal.ablate.runs.sweep import sweep_text
from emotemporal.config import ConfigError, parse_config
from emotemporal.data.augmentation.augment import AugmentConfig
from emotemporal.evaluation.stability.study import SmoothingStudyConfig
from emotemporal.train.finetune import FinetuneConfig, finetune
from emotemporal.train.log import TrackingConfig
from emotemporal.train.pretrain import PretrainConfig, pretrain
from emotemporal.train.run import RunConfig
from tests.small_sets import draw_affectnet, prepare_savee

CONFIGS = Path(__file__).parents[2] / "configs"
RUNS = sorted((CONFIGS / "runs").glob("*.yaml"))
STUDIES = sorted((CONFIGS / "ablations").glob("*.yaml"))
SWEEPS = sorted((CONFIGS / "sweeps").glob("*.yaml"))
KINDS = {
    "pretrain": PretrainConfig,
    "finetune": FinetuneConfig,
    "compare": CompareConfig,
    "smoothing": SmoothingStudyConfig,
}


def _job(path: Path) -> str:
    """Return which job the command in a config's header starts."""
    name = f"configs/{path.parent.name}/{path.name}"
    jobs = [
        line.split()[2]
        for line in path.read_text().splitlines()
        if line.startswith("#") and (f"--config {name}" in line or f" ablate {name}" in line)
    ]
    assert len(jobs) == 1, f"{path.name}: its header has no command, or several"
    return jobs[0]


ABLATIONS = [path for path in STUDIES if _job(path) != "ablate"]
GRIDS = [path for path in STUDIES if _job(path) == "ablate"]


def _load(path: Path):
    return parse_config(KINDS[_job(path)], ["--config", str(path)], "emotemporal")


def _quick(run: RunConfig, out: Path) -> RunConfig:
    return RunConfig(out=str(out), tracking=TrackingConfig(wandb="off"))


def test_there_are_configs_of_each_kind():
    assert RUNS
    assert ABLATIONS
    assert GRIDS
    assert SWEEPS


@pytest.mark.parametrize("path", RUNS + ABLATIONS, ids=lambda path: path.stem)
def test_a_config_loads_and_its_header_says_command_and_result(path):
    _load(path)
    _check_header(path)


def _check_header(path: Path) -> None:
    header = "\n".join(line for line in path.read_text().splitlines() if line.startswith("#"))
    assert any(word in header.lower() for word in ("not yet run", "measured", "experiments/"))


def test_a_config_that_no_longer_fits_is_refused(tmp_path):
    values = yaml.safe_load(RUNS[0].read_text())
    values["optim" if "optim" in values else "head"]["learning_rat"] = 1
    path = tmp_path / "old.yaml"
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(ConfigError, match="learning_rat"):
        parse_config(KINDS[_job(RUNS[0])], ["--config", str(path)], "emotemporal")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    return draw_affectnet(folder / "affectnet", 40), prepare_savee(folder)


@pytest.mark.parametrize(
    "path", [p for p in RUNS if _job(p) == "pretrain"], ids=lambda path: path.stem
)
def test_a_pretraining_config_builds_its_model_and_takes_a_step(path, drawn, tmp_path):
    config = _load(path)
    small = replace(
        config,
        data=replace(config.data, name="affectnet", root=str(drawn[0])),
        init="none",
        max_per_class=None,
        validation_share=0.2,
        preprocess=replace(config.preprocess, size_px=32),
        early_size_px=24 if config.early_size_px else None,
        crop=replace(config.crop, size_px=32),
        optim=replace(config.optim, epochs=1, batch_size=16),
        run=_quick(config.run, tmp_path / "run"),
    )
    assert pretrain(small).step > 0
    assert (tmp_path / "run" / "best.safetensors").exists()


@pytest.fixture(scope="module")
def frame_checkpoints(drawn, tmp_path_factory):
    return {
        encoder: _train_frames(encoder, drawn[0], tmp_path_factory.mktemp("frame") / encoder)
        for encoder in ("resnet18", "resnet50")
    }


def _train_frames(encoder: str, root: Path, out: Path) -> Path:
    config = parse_config(
        PretrainConfig,
        ["--model.encoder", encoder, "--data.name", "affectnet", "--data.root", str(root),
         "--preprocess.size_px", "32",
         "--optim.epochs", "1", "--optim.batch_size", "8", "--validation_share", "0.2",
         "--run.out", str(out), "--run.tracking.wandb", "off"],
        "emotemporal pretrain",
    )  # fmt: skip
    pretrain(config)
    return out / "best.safetensors"


@pytest.mark.parametrize(
    "path", [p for p in RUNS if _job(p) == "finetune"], ids=lambda path: path.stem
)
def test_a_fine_tuning_config_builds_its_model_and_takes_a_step(
    path, drawn, frame_checkpoints, tmp_path
):
    config = _load(path)
    optim = replace(
        config.head.optim,
        epochs=2,
        batch_size=4,
        freeze_epochs=min(config.head.optim.freeze_epochs, 1),
    )
    small = replace(
        config,
        checkpoint=str(frame_checkpoints[config.head.model.encoder]),
        data=str(drawn[1]),
        validation_data="",
        head=replace(
            config.head,
            optim=optim,
            model=replace(config.head.model, hidden_dim=32),
            sampling=replace(config.head.sampling, num_frames=3),
        ),
        views=replace(config.views, num_augmented=1, augment=AugmentConfig()),
        cache=str(tmp_path / "features"),
        run=_quick(config.run, tmp_path / "run"),
    )
    assert finetune(small).epoch == 2
    assert (tmp_path / "run" / "best.safetensors").exists()


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.stem)
def test_a_grid_asks_a_question_and_each_of_its_changes_can_be_run(path, tmp_path):
    grid = read_grid(str(path))
    runs = plan_runs(grid, tmp_path)
    assert {run.change for run in runs} == {"base", *grid.changes}
    assert grid.question.endswith("?")
    _check_header(path)


QUESTIONS = {  # what a study of time in faces has to answer, and the grid that asks it
    "frame against clip": "frame_against_clip",
    "clip length and rate": "clip_length_and_rate",
    "sampler": "sampler",
    "pretraining against none": "pretraining",
    "frozen against unfrozen": "frozen_against_unfrozen",
    "loss at the last frame against every frame": "loss_at_last_frame",
    "ResNet-18 against 50": "encoder_size",
    "smoothing": "smoothing",
    "regularisation": "affectnet_regularisation",
}


def test_every_question_has_its_study():
    assert set(QUESTIONS.values()) <= {path.stem for path in STUDIES}


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.stem)
def test_a_grid_s_sweep_is_what_the_grid_gives(path):
    grid = read_grid(str(path))
    name, sweep = (f"configs/{folder}/{path.name}" for folder in ("ablations", "sweeps"))
    project = plan_runs(grid, Path("unused"))[0].tracking.project
    written = (CONFIGS.parent / sweep).read_text()
    assert written == sweep_text(grid, name, sweep, project), (
        f"make it again: emotemporal ablate {name} --sweep_file {sweep}"
    )
    values = yaml.safe_load(written)["parameters"]
    assert values["only"]["values"] == ["base", *grid.changes]


BY_HAND = [path for path in SWEEPS if path.stem not in {grid.stem for grid in GRIDS}]


@pytest.mark.parametrize("path", BY_HAND, ids=lambda path: path.stem)
def test_a_sweep_names_fields_that_its_config_has(path):
    sweep = yaml.safe_load(path.read_text())
    base = CONFIGS.parent / sweep["command"][sweep["command"].index("--config") + 1]
    options = [f"--{name}={values['values'][0]}" for name, values in sweep["parameters"].items()]
    parse_config(KINDS[sweep["command"][1]], ["--config", str(base), *options], "emotemporal")
