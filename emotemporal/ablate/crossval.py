"""Fine-tuning over folds of speakers: for what `compare` cannot do, an encoder that trains too."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
from jaxtyping import Int

from emotemporal.config import to_plain
from emotemporal.data.clip_twins import clip_twins, sign_prepared
from emotemporal.data.prepared import PreparedSet, load_prepared
from emotemporal.evaluation.choosing import choose_num_epochs
from emotemporal.evaluation.folds import Fold, check_twins
from emotemporal.evaluation.metrics import Metrics, measure, stack_predictions
from emotemporal.evaluation.predictions import read_predictions, write_predictions
from emotemporal.evaluation.protocols import ProtocolConfig, inner_folds, make_folds
from emotemporal.inference.clip import judge_clip
from emotemporal.inference.load import load_model
from emotemporal.labels import parse_label_space
from emotemporal.models.checkpoint import load_checkpoint, save_checkpoint
from emotemporal.models.encoder import initialise
from emotemporal.run_folder import RunFolder
from emotemporal.storage import file_digest, read_jsonl, write_json
from emotemporal.train.finetune import FinetuneConfig, finetune
from emotemporal.train.log import TrackingConfig, build_logger
from emotemporal.train.run import build_net
from emotemporal.types import ClipPrediction

_log = logging.getLogger(__name__)
_BY_SUBJECT = ("leave_one_subject_out", "subject_groups")
_METHOD = "clip"


@dataclass(frozen=True)
class CrossvalConfig:
    """Fine-tune over folds: everybody is judged by a network that never saw them."""

    finetune: FinetuneConfig
    """What is trained. Who is held out, the seed and the run's folder are said here instead."""
    protocol: ProtocolConfig = field(default_factory=ProtocolConfig)
    """`leave_one_subject_out` or `subject_groups`: what is held out are people."""
    nested: bool = True
    """Choose the number of epochs by leaving out each training speaker (or group) in turn, and
    refit on them all; else train for all epochs, on grounds that were there beforehand."""
    init: str = "checkpoint"
    """Where the encoder's weights come from: `checkpoint`; `none`, drawn by the seed; `imagenet`;
    or a file of foreign weights. Form, size and crop are the checkpoint's in any case."""
    seed: int = 0
    out: str = "runs/crossval"
    tracking: TrackingConfig = field(default_factory=TrackingConfig)

    def __post_init__(self) -> None:
        if self.protocol.name not in _BY_SUBJECT:
            raise ValueError(
                f"protocol.name is {self.protocol.name!r}; fine-tuning holds people out: "
                f"{' or '.join(_BY_SUBJECT)}"
            )
        mine = self.finetune
        if mine.held_out or mine.validation or mine.validation_data:
            raise ValueError(
                "finetune.held_out, validation and validation_data are the folds' to say; leave "
                "them out"
            )
        if self.init == "none" and not mine.train_encoder:
            raise ValueError(
                "init none draws an encoder that never learns; set finetune.train_encoder to true"
            )

    @property
    def data(self) -> str:
        """The folder that `prepare` made."""
        return self.finetune.data


@dataclass(frozen=True, eq=False)
class Crossvalidation:
    """Everybody's clips as judged by the network of their fold, and the figures over them all."""

    predictions: Sequence[ClipPrediction]
    metrics: Metrics

    def __str__(self) -> str:
        figures = self.metrics
        return (
            f"{len(self.predictions)} clips: UAR {100 * figures.uar:.1f} %, accuracy "
            f"{100 * figures.accuracy:.1f} %, macro-F1 {100 * figures.macro_f1:.1f} %"
        )


def crossval(config: CrossvalConfig) -> Crossvalidation:
    """Train and judge every fold that is missing; leave `predictions/` behind, a row a clip.

    A fold in training is a run folder in `folds/`: killed, it goes on where it stood. Of a finished
    fold its answers, its choice and its logs are kept, its weights are not.

    Raises:
        ValueError: The folder belongs to another config, the data cannot make the folds, or a fold
            judges what it trained on under another name.
        InterruptedJob: A signal came; the same command goes on.
    """
    folder, labels = Path(config.out), parse_label_space(config.finetune.labels)
    prepared = load_prepared(Path(config.finetune.data))
    rows = prepared.rows[prepared.rows["emotion"].isin(labels.names)]
    folds = make_folds(rows.reset_index(drop=True), config.protocol)
    _refuse_twins(prepared, rows, folds, Path(config.finetune.cache))
    with RunFolder(folder, "crossval", _identity(config, prepared), config):
        checkpoint = _first_weights(config, folder)
        for number, fold in enumerate(folds, start=1):
            _log.info("fold %d of %d: %s", number, len(folds), fold.name)
            _run_fold(config, prepared, rows, fold, checkpoint)
        answers = [clip for fold in folds for clip in read_predictions(_answers(folder, fold))]
        order = {str(source): i for i, source in enumerate(rows["source"])}
        answers.sort(key=lambda clip: order[clip.source])
        write_predictions(folder / "predictions" / f"{_METHOD}-seed{config.seed}.csv", answers)
        found = Crossvalidation(answers, measure(stack_predictions(answers, labels)))
        _track(config, folder, found, prepared.fingerprint)
    return found


def _refuse_twins(
    prepared: PreparedSet, rows: pd.DataFrame, folds: Sequence[Fold], folder: Path
) -> None:
    signatures = sign_prepared(prepared, folder)
    subjects = rows["subject"].astype(str).tolist()
    twins = clip_twins([signatures[int(i)] for i in rows.index], subjects)
    check_twins(folds, twins, rows["source"].astype(str).tolist(), subjects)


def _identity(config: CrossvalConfig, prepared: PreparedSet) -> dict[str, Any]:
    plain = to_plain(config)
    for where_it_runs in ("out", "tracking"):
        plain.pop(where_it_runs)
    for where_it_runs in ("run", "cache", "data", "checkpoint", "seed"):
        plain["finetune"].pop(where_it_runs)
    files = [config.finetune.checkpoint]
    files += [config.init] if config.init not in ("checkpoint", "none", "imagenet") else []
    return {
        **plain,
        "precision": config.finetune.run.precision,
        "data_fingerprint": prepared.fingerprint,
        "digests": {name: file_digest(Path(name)) for name in files},
    }


def _first_weights(config: CrossvalConfig, folder: Path) -> Path:
    """Return the checkpoint to start from, drawn or filled anew if that is asked for."""
    given = Path(config.finetune.checkpoint)
    if config.init == "checkpoint":
        return given
    path = folder / "first.safetensors"
    if not path.exists():
        _, meta = load_checkpoint(given)
        net = build_net(meta.model, len(meta.labels), config.seed)
        if config.init != "none":
            _log.info("%s", initialise(net.encoder, meta.model.encoder, config.init))
        save_checkpoint(path, net, meta.without_calibration())
    return path


def _run_fold(
    config: CrossvalConfig,
    prepared: PreparedSet,
    rows: pd.DataFrame,
    fold: Fold,
    checkpoint: Path,
) -> None:
    done = _answers(Path(config.out), fold)
    if done.exists():
        return
    base = replace(
        config.finetune,
        checkpoint=str(checkpoint),
        held_out=_subjects(rows, fold.test),
        seed=config.seed,
    )
    curves = _inner_curves(config, base, rows, fold, done.parent) if config.nested else {}
    epochs = choose_num_epochs(list(curves.values())) if curves else base.head.optim.epochs
    write_json(done.parent / "choice.json", {"epochs": epochs, "val_uar": curves})
    optim = replace(base.head.optim, stop_after=epochs, patience=None)
    refit = _in_folder(replace(base, head=replace(base.head, optim=optim)), done.parent / "refit")
    finetune(refit)
    model = load_model(Path(refit.run.out) / "best.safetensors", "torch", base.run.device)
    places = rows.index.to_numpy()[fold.test]
    clips = (prepared.load(int(i)) for i in places)
    write_predictions(done, [judge_clip(model.engine, model.meta, clip) for clip in clips])
    for weights in done.parent.glob("*/*.safetensors"):
        weights.unlink()


def _inner_curves(
    config: CrossvalConfig, base: FinetuneConfig, rows: pd.DataFrame, outer: Fold, folder: Path
) -> dict[str, list[float]]:
    """Return validation UAR after each epoch, under the names of those who are left out."""
    curves: dict[str, list[float]] = {}
    for inner in inner_folds(rows.reset_index(drop=True), outer, config.protocol):
        judged = _subjects(rows, inner.test)
        run = _in_folder(replace(base, validation=judged), folder / f"inner{len(curves) + 1}")
        finetune(run)
        log = read_jsonl(Path(run.run.out) / "log.jsonl")
        curves["+".join(judged)] = [float(row["val/uar"]) for row in log]
    return curves


def _subjects(rows: pd.DataFrame, places: Int[np.ndarray, " n"]) -> tuple[str, ...]:
    return tuple(sorted(set(rows["subject"].astype(str).to_numpy()[places])))


def _in_folder(config: FinetuneConfig, out: Path) -> FinetuneConfig:
    # Of a study the tracker shows what it answers, not each of its many small trainings.
    run = replace(config.run, out=str(out), tracking=TrackingConfig(wandb="off"))
    return replace(config, run=run)


def _answers(folder: Path, fold: Fold) -> Path:
    return folder / "folds" / quote(fold.name, safe="") / "answers.csv"


def _track(config: CrossvalConfig, folder: Path, found: Crossvalidation, fingerprint: str) -> None:
    told = {**to_plain(config), "data_fingerprint": fingerprint}
    logger = build_logger(config.tracking, folder, "crossval", told)
    figures = found.metrics
    named = {"uar": figures.uar, "accuracy": figures.accuracy, "macro_f1": figures.macro_f1}
    logger.log({f"{_METHOD}/{name}": value for name, value in named.items()}, step=0)
    logger.predictions(_METHOD, found.predictions)
    logger.finish()
