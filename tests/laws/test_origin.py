"""Law 8: a result carries its origin, and a run folder belongs to one config."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest

from emotemporal.config import parse_config
from emotemporal.data.prepare import load_prepared
from emotemporal.data.readers import DatasetConfig, read_dataset
from emotemporal.data.table import fingerprint
from emotemporal.evaluation.evaluate import EvaluateConfig, evaluate
from emotemporal.models.meta import Origin, read_meta
from emotemporal.run_folder import RunFolder, RunFolderError
from emotemporal.storage import read_jsonl
from emotemporal.train.finetune import FinetuneConfig, finetune
from emotemporal.train.heads import HeadConfig
from emotemporal.train.log import TrackingConfig
from emotemporal.train.optim import OptimConfig
from emotemporal.train.run import RunConfig

COMMIT = re.compile(r"[0-9a-f]{7,40}(\+changes)?|unknown")
SHA256 = re.compile(r"[0-9a-f]{64}")


def lacks(origin: Mapping[str, Any]) -> list[str]:
    """Return which of commit, config, data and seed an origin does not tell."""
    is_told = {
        "commit": COMMIT.fullmatch(str(origin.get("commit"))),
        "config": isinstance(origin.get("config"), dict) and origin["config"],
        "data_fingerprint": SHA256.fullmatch(str(origin.get("data_fingerprint"))),
        "seed": type(origin.get("seed")) is int,
    }
    return [name for name, told in is_told.items() if not told]


WHOLE = {"commit": "0" * 12, "config": {"a": 1}, "data_fingerprint": "f" * 64, "seed": 0}


def test_a_whole_origin_lacks_nothing():
    assert lacks(WHOLE) == []


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("value", [None, "", {}, "?"], ids=repr)
def test_what_an_origin_lacks_is_noticed(name, value):
    assert lacks({**WHOLE, name: value}) == [name]
    assert lacks({k: v for k, v in WHOLE.items() if k != name}) == [name]


@pytest.fixture(scope="module")
def config(make_checkpoint, prepared_savee, tmp_path_factory) -> FinetuneConfig:
    folder = tmp_path_factory.mktemp("origin")
    optim = OptimConfig(epochs=2, batch_size=2)
    return FinetuneConfig(
        checkpoint=str(make_checkpoint("frame", crop_px=96)),
        data=str(prepared_savee),
        held_out=("DC",),
        validation=("JE",),
        head=HeadConfig(model=replace(HeadConfig().model, hidden_dim=8), optim=optim),
        cache=str(folder / "features"),
        seed=3,
        run=RunConfig(out=str(folder / "run"), tracking=TrackingConfig(wandb="off")),
    )


@pytest.fixture(scope="module")
def run_folder(config) -> Path:
    finetune(config)
    return Path(config.run.out)


@pytest.fixture
def record(run_folder):
    """What a run folder holds for good, and put back after a test that disturbs it."""
    kept = {path: path.read_bytes() for path in run_folder.iterdir() if path.is_file()}
    yield {path.name: data for path, data in kept.items()}
    for path, data in kept.items():
        path.write_bytes(data)


def test_a_trained_checkpoint_tells_its_origin(config, run_folder):
    origin = read_meta(run_folder / "best.safetensors").origin
    assert lacks(asdict(origin)) == []
    assert origin.seed == 3
    assert origin.data_fingerprint == load_prepared(Path(config.data)).fingerprint
    assert origin.config["checkpoint"] == config.checkpoint


def test_the_run_folder_holds_the_config_that_made_it(config, run_folder):
    made_by = json.loads((run_folder / "run.json").read_text())["config"]
    assert made_by["head"]["optim"]["epochs"] == 2
    assert made_by["data_fingerprint"] == load_prepared(Path(config.data)).fingerprint
    origin = read_meta(run_folder / "best.safetensors").origin
    (run_folder.parent / "again.yaml").write_text(json.dumps(origin.config))
    for file in (run_folder.parent / "again.yaml", run_folder / "config.yaml"):
        words = ["--config", str(file)]
        assert parse_config(FinetuneConfig, words, "emotemporal finetune") == config


def test_an_origin_cannot_be_left_out():
    for option in fields(Origin):
        values = asdict(Origin("0", "unknown", "f" * 64, 0, {}))
        del values[option.name]
        if option.name != "config":
            with pytest.raises(TypeError, match=option.name):
                Origin(**values)


def test_figures_tell_their_origin(tmp_path, make_checkpoint, affectnet_root):
    data = DatasetConfig(name="affectnet", root=str(affectnet_root))
    evaluate(
        EvaluateConfig(
            checkpoint=str(make_checkpoint("frame")),
            data=data,
            split="validation",
            json=str(tmp_path / "figures.json"),
        )
    )
    origin = json.loads((tmp_path / "figures.json").read_text())["origin"]
    assert lacks(origin) == []
    assert SHA256.fullmatch(origin["checkpoint_sha256"])
    assert origin["data_fingerprint"] != fingerprint(read_dataset(data))  # of what was judged


def test_the_same_config_resumes_and_repeats_nothing(config, record, run_folder):
    finetune(config)
    assert [row["epoch"] for row in read_jsonl(run_folder / "log.jsonl")] == [1, 2]
    assert (run_folder / "best.safetensors").read_bytes() == record["best.safetensors"]


def test_a_log_that_ran_ahead_is_cut_back_to_the_state(config, record, run_folder):
    log = run_folder / "log.jsonl"
    log.write_bytes(log.read_bytes() + b'{"step": 9999, "epoch": 9}\n{"step": 99')
    finetune(config)
    assert log.read_bytes() == record["log.jsonl"]


def test_another_config_is_refused_with_what_differs(config, record, run_folder):
    with pytest.raises(RunFolderError, match=r"config\.seed: there 3, here 4"):
        finetune(replace(config, seed=4))
    assert (run_folder / "best.safetensors").read_bytes() == record["best.safetensors"]


def test_other_data_are_refused_too(config, run_folder):
    identity = json.loads((run_folder / "run.json").read_text())["config"]
    changed = {**identity, "data_fingerprint": "0" * 64}
    with (
        pytest.raises(RunFolderError, match=r"config\.data_fingerprint: there"),
        RunFolder(run_folder, "finetune", changed),
    ):
        pass


def test_where_it_runs_is_no_part_of_the_config(config, record, run_folder):
    elsewhere = replace(config.run, num_workers=1, tracking=TrackingConfig("off", group="other"))
    finetune(replace(config, run=elsewhere, cache=f"{config.cache}2"))
    assert (run_folder / "best.safetensors").read_bytes() == record["best.safetensors"]


def test_precision_is(config, run_folder):
    with pytest.raises(RunFolderError, match=r"config\.precision: there '32-true'"):
        finetune(replace(config, run=replace(config.run, precision="bf16-mixed")))


def test_two_at_once_are_locked_out(config, run_folder):
    identity = json.loads((run_folder / "run.json").read_text())["config"]
    with (
        RunFolder(run_folder, "finetune", identity),
        pytest.raises(RunFolderError, match="in use by another process"),
    ):
        finetune(config)
