"""Fine-tuning over folds: who is left out, what chooses the epochs, what a second start does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from emotemporal.ablate.crossval import CrossvalConfig, crossval
from emotemporal.config import parse_plain
from emotemporal.data.prepared import load_prepared
from emotemporal.evaluation.predictions import read_predictions
from tests.ablate.copies import copy_prepared
from tests.fakes import MemoryLogger


@pytest.fixture(scope="module")
def base(make_checkpoint, prepared_savee, tmp_path_factory) -> CrossvalConfig:
    folder = tmp_path_factory.mktemp("crossval")
    plain = {
        "finetune": {
            "checkpoint": str(make_checkpoint("frame", crop_px=96)),
            "data": str(prepared_savee),
            "labels": "surprise,fear",
            "head": {
                "model": {"head": "gru", "hidden_dim": 4},
                "optim": {"epochs": 2, "batch_size": 4},
            },
            "views": {"num_augmented": 0},
            "cache": str(folder / "features"),
        },
        "tracking": {"wandb": "off"},
        "out": str(folder / "nested"),
    }
    return parse_plain(CrossvalConfig, plain, "crossval")


@pytest.fixture(scope="module")
def done(base):
    return crossval(base)


def test_everybody_is_judged_once_by_a_network_that_never_saw_them(done, base):
    rows = load_prepared(Path(base.finetune.data)).rows
    wanted = rows[rows["emotion"].isin(["surprise", "fear"])]
    assert [clip.source for clip in done.predictions] == list(wanted["source"])
    for subject in sorted(set(wanted["subject"])):
        fold = Path(base.out) / "folds" / subject
        assert {clip.subject for clip in read_predictions(fold / "answers.csv")} == {subject}
        held_out = (fold / "refit" / "config.yaml").read_text()
        assert f"held_out:\n  - {subject}\n" in held_out.replace("\n- ", "\n  - ")


def test_the_epochs_are_chosen_inside_the_training_speakers_and_refitted_on_them_all(done, base):
    speakers = set(load_prepared(Path(base.finetune.data)).rows["subject"])
    for subject in speakers:
        fold = Path(base.out) / "folds" / subject
        choice = json.loads((fold / "choice.json").read_text())
        assert set(choice["val_uar"]) == speakers - {subject}
        log = (fold / "refit" / "log.jsonl").read_text().splitlines()
        assert len(log) == choice["epochs"]


def test_started_again_nothing_is_trained_and_the_weights_are_not_kept(done, base, monkeypatch):
    monkeypatch.setattr("emotemporal.ablate.crossval.finetune", lambda _: pytest.fail("trained"))
    again = crossval(base)
    assert again.metrics.uar == done.metrics.uar
    assert not list(Path(base.out).rglob("*.safetensors"))


def test_the_tracker_is_told_the_figures_and_every_answer(done, base, monkeypatch):
    logger = MemoryLogger()
    monkeypatch.setattr("emotemporal.ablate.crossval.build_logger", lambda *_: logger)
    crossval(base)
    assert logger.rows[0][1]["clip/uar"] == done.metrics.uar
    assert len(logger.judged["clip"]) == len(done.predictions)


def test_a_person_under_two_names_is_refused(base, tmp_path):
    data = copy_prepared(
        Path(base.finetune.data),
        tmp_path / "twice",
        lambda rows: pd.concat([rows, rows.iloc[:1].assign(subject="XX", source="XX/1.avi")]),
    )
    with pytest.raises(ValueError, match="show the same as clips trained on"):
        crossval(replace(base, finetune=replace(base.finetune, data=data)))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({"init": "none"}, "train_encoder to true", id="noise-that-never-learns"),
        pytest.param({"protocol.name": "subject_and_take"}, "holds people out", id="sentences"),
        pytest.param({"finetune.held_out": ("DC",)}, "folds' to say", id="held-out-by-hand"),
    ],
)
def test_what_makes_no_sense_is_refused(base, change, told):
    (name, value), *_ = change.items()
    group, _, inner = name.rpartition(".")
    fields = (
        {name: value} if not group else {group: replace(getattr(base, group), **{inner: value})}
    )
    with pytest.raises(ValueError, match=told):
        replace(base, **fields)


@pytest.mark.slow
def test_an_encoder_without_pretraining_trains_from_scratch(base, tmp_path):
    optim = replace(base.finetune.head.optim, epochs=1)
    finetune = replace(
        base.finetune, train_encoder=True, head=replace(base.finetune.head, optim=optim)
    )
    config = replace(base, finetune=finetune, init="none", nested=False, out=str(tmp_path / "x"))
    assert len(crossval(config).predictions) == 8
