import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file

from emotemporal.data.prepare import load_prepared
from emotemporal.inference.load import load_engine
from emotemporal.inference.predictor import judge_clip
from emotemporal.labels import SAVEE_7, Emotion
from emotemporal.models.checkpoint import load_checkpoint, save_checkpoint
from emotemporal.models.meta import CheckpointError, ModelConfig, read_meta
from emotemporal.run_folder import RunFolderError
from emotemporal.storage import read_jsonl
from emotemporal.train.features import ViewConfig
from emotemporal.train.finetune import FinetuneConfig, finetune
from emotemporal.train.heads import HeadConfig
from emotemporal.train.log import TrackingConfig
from emotemporal.train.optim import OptimConfig
from emotemporal.train.run import RunConfig
from emotemporal.train.selection import choose_rows


@pytest.fixture(scope="module")
def encoder(make_checkpoint):
    return make_checkpoint("frame", crop_px=96)


def _config(encoder, prepared, tmp_path, **changes) -> FinetuneConfig:
    config = FinetuneConfig(
        checkpoint=str(encoder),
        data=str(prepared),
        held_out=("DC",),
        validation=("JE",),
        head=HeadConfig(
            model=ModelConfig(head="gru", hidden_dim=8),
            optim=OptimConfig(epochs=2, batch_size=2),
        ),
        views=ViewConfig(num_augmented=1),
        cache=str(tmp_path / "features"),
        run=RunConfig(out=str(tmp_path / "run"), tracking=TrackingConfig(wandb="off")),
    )
    return replace(config, **changes)


@pytest.mark.parametrize("name", ["gru", "bigru", "transformer"])
def test_a_head_is_trained_and_its_checkpoint_judges_clips(encoder, prepared_savee, tmp_path, name):
    config = _config(encoder, prepared_savee, tmp_path)
    model = ModelConfig(head=name, hidden_dim=8)
    progress = finetune(replace(config, head=replace(config.head, model=model)))
    assert progress.epoch == 2
    engine, meta = load_engine(tmp_path / "run" / "best.safetensors")
    assert meta.model.head == name
    assert meta.labels == SAVEE_7
    assert meta.origin.data_fingerprint == load_prepared(prepared_savee).fingerprint
    prediction = judge_clip(engine, meta, load_prepared(prepared_savee).load(0))
    assert prediction.probabilities.sum() == pytest.approx(1.0)
    rows = read_jsonl(tmp_path / "run" / "log.jsonl")
    assert [row["epoch"] for row in rows] == [1, 2]
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["epochs"] == 2


def test_the_encoder_of_the_checkpoint_is_the_one_that_was_given(encoder, prepared_savee, tmp_path):
    finetune(_config(encoder, prepared_savee, tmp_path))
    before, after = load_file(encoder), load_file(tmp_path / "run" / "best.safetensors")
    names = [name for name in before if name.startswith("encoder.")]
    assert all(np.array_equal(before[name], after[name]) for name in names)


def test_what_calibrate_found_of_the_encoder_is_not_the_new_nets(encoder, prepared_savee, tmp_path):
    net, meta = load_checkpoint(encoder)
    shares = tuple(1 / len(meta.labels) for _ in meta.labels.emotions)
    calibrated = replace(
        meta, temperature=1.3, uncertain_below=0.5, uncertain_prior=shares, weak=(Emotion.DISGUST,)
    )
    save_checkpoint(tmp_path / "calibrated.safetensors", net, calibrated)
    fewer = "surprise,fear,disgust,anger"
    config = _config(tmp_path / "calibrated.safetensors", prepared_savee, tmp_path, labels=fewer)
    finetune(config)
    found = read_meta(tmp_path / "run" / "best.safetensors")
    assert found == replace(found, temperature=1.0, uncertain_below=None, weak=(), hidden=())


def test_with_train_encoder_the_encoder_learns_after_the_frozen_epochs(
    encoder, prepared_savee, tmp_path
):
    head = HeadConfig(
        model=ModelConfig(head="gru", hidden_dim=8),
        optim=OptimConfig(epochs=2, batch_size=2, freeze_epochs=1),
    )
    config = _config(encoder, prepared_savee, tmp_path, train_encoder=True, head=head)
    finetune(replace(config, validation=()))
    before, after = load_file(encoder), load_file(tmp_path / "run" / "best.safetensors")
    assert not np.array_equal(before["encoder.conv1.weight"], after["encoder.conv1.weight"])
    frozen = replace(head, optim=replace(head.optim, freeze_epochs=2))
    run = replace(config.run, out=str(tmp_path / "frozen"))
    finetune(replace(config, validation=(), head=frozen, run=run))
    kept = load_file(tmp_path / "frozen" / "best.safetensors")
    assert np.array_equal(before["encoder.conv1.weight"], kept["encoder.conv1.weight"])
    name = "encoder.bn1.running_mean"
    assert np.array_equal(before[name], kept[name]), "frozen, yet following the batch"


def test_held_out_subjects_are_never_seen(prepared_savee):
    prepared = load_prepared(prepared_savee)
    train, judged = choose_rows(prepared, SAVEE_7, ["DC"], ["JE"])
    subjects = prepared.rows["subject"]
    assert set(subjects.iloc[train]) == {"JK", "KL"}
    assert set(subjects.iloc[judged]) == {"JE"}


@pytest.mark.parametrize(
    ("held_out", "told"),
    [(("XX",), "no subject XX"), (("DC", "JE", "JK", "KL"), "nobody is left")],
)
def test_subjects_that_cannot_be_held_out_are_named(prepared_savee, held_out, told):
    with pytest.raises(ValueError, match=told):
        choose_rows(load_prepared(prepared_savee), SAVEE_7, held_out, [])


def test_a_subject_cannot_be_held_out_and_choose_the_epoch(encoder, prepared_savee, tmp_path):
    with pytest.raises(ValueError, match="held out and validation at once"):
        _config(encoder, prepared_savee, tmp_path, validation=("DC",))


@pytest.mark.parametrize("optim", [{"freeze_epochs": 1}, {"layer_decay": 0.5}])
def test_options_of_an_encoder_that_does_not_learn_are_refused(
    encoder, prepared_savee, tmp_path, optim
):
    head = HeadConfig(optim=OptimConfig(**optim))
    with pytest.raises(ValueError, match="the encoder does not learn here"):
        _config(encoder, prepared_savee, tmp_path, head=head)
    _config(encoder, prepared_savee, tmp_path, head=head, train_encoder=True)


def test_truth_over_time_is_asked_of_the_clips_that_are_used_alone(
    encoder, prepared_savee, tmp_path
):
    rows = load_prepared(prepared_savee).rows
    told = rows[rows["subject"] != "DC"]["source"]
    lines = [f"{source},0,0.4,neutral\n{source},0.4,9,fear" for source in told]
    truth = tmp_path / "truth.csv"
    truth.write_text("\n".join(["source,start_s,end_s,emotion", *lines]) + "\n")
    config = _config(encoder, prepared_savee, tmp_path)
    with pytest.raises(ValueError, match=r"head\.model\.answer to mean"):
        replace(config, truth=str(truth))
    follows = replace(config.head.model, answer="mean")
    config = replace(config, head=replace(config.head, model=follows), truth=str(truth))
    assert finetune(config).epoch == 2
    elsewhere = replace(config.run, out=str(tmp_path / "elsewhere"))
    with pytest.raises(ValueError, match="tells nothing of 2 clips"):
        finetune(replace(config, held_out=(), run=elsewhere))


@pytest.mark.parametrize("train_encoder", [False, True])
def test_class_weights_reach_the_loss_and_the_prior(
    encoder, prepared_savee, tmp_path, train_encoder
):
    config = _config(encoder, prepared_savee, tmp_path, train_encoder=train_encoder)
    optim = replace(config.head.optim, class_weights="balanced")
    config = replace(config, head=replace(config.head, optim=optim))
    with pytest.raises(ValueError, match="no neutral, happiness"):
        finetune(config)
    run = replace(config.run, out=str(tmp_path / "pair"))
    finetune(replace(config, labels="fear,surprise", run=run))
    assert read_meta(tmp_path / "pair" / "best.safetensors").training_prior == (0.5, 0.5)


def test_another_encoder_under_the_same_name_is_another_run(
    encoder, prepared_savee, tmp_path, make_checkpoint
):
    named = tmp_path / "encoder.safetensors"
    named.write_bytes(encoder.read_bytes())
    config = _config(named, prepared_savee, tmp_path)
    finetune(config)
    other = make_checkpoint("frame", crop_px=96, clip_rate_hz=5.0)
    named.write_bytes(other.read_bytes())
    with pytest.raises(RunFolderError, match="digests"):
        finetune(config)


def test_another_encoder_than_the_checkpoints_is_refused(encoder, prepared_savee, tmp_path):
    head = HeadConfig(model=ModelConfig(encoder="resnet50", head="gru"))
    with pytest.raises(CheckpointError, match="resnet18"):
        finetune(_config(encoder, prepared_savee, tmp_path, head=head))


def test_another_config_on_the_folder_is_refused(encoder, prepared_savee, tmp_path):
    config = _config(encoder, prepared_savee, tmp_path)
    finetune(config)
    finetune(config)  # the same one has nothing left to do
    with pytest.raises(RunFolderError, match="seed: there 0, here 3"):
        finetune(replace(config, seed=3))


def test_a_fine_tuning_killed_outright_ends_with_the_same_bits(encoder, prepared_savee, tmp_path):
    def start(out):
        command = [
            sys.executable, "-m", "emotemporal.cli", "finetune",
            "--checkpoint", str(encoder), "--data", str(prepared_savee),
            "--validation", '["JE"]', "--head.optim.epochs", "60", "--head.optim.batch_size", "2",
            "--head.model.hidden_dim", "8", "--cache", str(tmp_path / "features"),
            "--run.out", str(out), "--run.tracking.wandb", "off",
        ]  # fmt: skip
        return subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})

    assert start(tmp_path / "whole").wait(timeout=200) == 0
    process = start(tmp_path / "killed")
    deadline = time.monotonic() + 100
    while not (tmp_path / "killed" / "state.safetensors").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed" / "summary.json").exists()
    assert start(tmp_path / "killed").wait(timeout=200) == 0
    whole, killed = (
        load_file(tmp_path / name / "best.safetensors") for name in ("whole", "killed")
    )
    assert all(np.array_equal(whole[name], killed[name]) for name in whole)
    logs = [read_jsonl(tmp_path / name / "log.jsonl") for name in ("whole", "killed")]
    assert logs[0] == logs[1]
