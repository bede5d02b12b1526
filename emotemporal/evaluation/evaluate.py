"""Judge any checkpoint on any data set, images or clips."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from emotemporal.config import config_digest, to_plain
from emotemporal.data.clipping import PrepareConfig
from emotemporal.data.prepare import load_prepared, prepare
from emotemporal.data.readers import DatasetConfig, near_twins, read_dataset
from emotemporal.data.splits import split_rows
from emotemporal.data.table import SPLITS, DatasetTable, Split, fingerprint, refuse_fatal
from emotemporal.data.twins import rows_with_twin_in
from emotemporal.evaluation.calibration.plots import draw_calibration
from emotemporal.evaluation.calibration.report import CalibrationConfig, judge_calibration
from emotemporal.evaluation.comparison.by_group import audit_predictions, group_values
from emotemporal.evaluation.metrics import Metrics, measure, stack_predictions
from emotemporal.evaluation.outcome import Evaluation
from emotemporal.evaluation.predictions import write_predictions
from emotemporal.evaluation.shifts.figures import SuiteConfig
from emotemporal.evaluation.shifts.report import write_shift_report
from emotemporal.evaluation.shifts.suite import run_suite
from emotemporal.evaluation.statistics.bootstrap import BootstrapConfig
from emotemporal.evaluation.still_images import StillJudge, judge_rows
from emotemporal.evaluation.video_clips import judge_clips
from emotemporal.inference.engine import Engine
from emotemporal.inference.load import EngineChoice, LoadedModel, load_model
from emotemporal.inference.prior import wanted_prior
from emotemporal.labels import LabelSpace, parse_label_space
from emotemporal.models.meta import CheckpointMeta
from emotemporal.run_folder import git_commit
from emotemporal.storage import write_json
from emotemporal.types import ClipPrediction

_log = logging.getLogger(__name__)

# Memory goes with resamples times images, of which there may be a quarter of a million.
_AUDIT = BootstrapConfig(num_resamples=2000)


@dataclass(frozen=True)
class EvaluateConfig:
    """Judge a checkpoint on a data set: images, or videos of faces."""

    data: DatasetConfig
    checkpoint: str | None = None
    """From pretrain, finetune or export; none takes the one that ships with the package."""
    engine: EngineChoice = "auto"
    """`auto`: what the checkpoint's file is for; the model that ships is judged in torch."""
    split: Split | None = None
    """Which rows to judge; none judges all."""
    labels: str = ""
    """Judge among these only (a preset, or names with commas): the model's other answers are
    masked and the rest renormalised, other images dropped and counted. Empty: the model's own."""
    prior: str = "training"
    """How often each emotion is assumed to occur: training, uniform, or a JSON file."""
    json: str = ""
    """Where to write the figures as JSON; empty writes none."""
    twin_free: bool = True
    """Images of one split: judge also, beside all of them, those without an equal, nearly equal or
    mirrored image in another split, as many a published split has (Barsoum et al.'s FER+ too).
    Every picture of the data set is opened for it, thousands a second."""
    mirror: bool = False
    """Average the probabilities with those of the mirror image. Live use does not."""
    shifts: bool = False
    """Images only: judge them under seeded shifts (crop, roll, blur, light, covered parts, ...) at
    five strengths each as well, 75 times the work, and tell what is lost."""
    shift_share: float = 1.0
    """How much of each emotion's images meets the shifts."""
    shift_seed: int = 0
    calibration: bool = False
    """Images only: tell as well how far the confidence can be trusted, with and without the
    checkpoint's temperature, against votes where there are any (images with votes alone count
    here), against one emotion, and by how many are answered. Of each image as it is, never
    mirrored, among all of the model's labels."""
    coverage: float = 0.8
    """Of calibration: the share of the images, the surest ones, whose error is told as well."""
    background: str = ""
    """Of calibration: how many crops without a face to draw, or a folder of such images; told is
    how many come out uncertain. Empty takes none."""
    group_by: str = ""
    """Audit gaps between groups: columns of the data (sex, age, skin), with commas."""
    report: str = ""
    """A folder for pictures and tables. Of the shifts: a table, a map of the losses, and all shifts
    of one of the images; of calibration: reliability and risk-coverage. Empty writes none."""
    predictions: str = ""
    """Where to write each image's or clip's probabilities, as CSV; empty writes none."""
    clips: PrepareConfig = field(default_factory=PrepareConfig)
    """Videos only: how the faces are found and cut out; the crop is the checkpoint's own."""
    cache: str = "runs/prepared"
    """Videos only: where the faces that were cut out are kept for the next time."""
    device: str = "cpu"
    """Where the network runs: `cpu`, `cuda`, `cuda:1` or `mps`."""
    workers: int = 1

    def __post_init__(self) -> None:
        if self.report and not (self.shifts or self.calibration):
            raise ValueError(
                f"report {self.report} would be empty: it needs --shifts or --calibration true"
            )
        if self.background and not self.calibration:
            raise ValueError(f"background {self.background} needs --calibration true")
        if self.labels and self.calibration:
            raise ValueError("calibration is of all labels that a model has; leave --labels out")
        CalibrationConfig(self.prior, self.coverage, self.background)
        SuiteConfig(self.shift_share, self.shift_seed)


@dataclass(frozen=True, eq=False)
class _Judged:
    predictions: Sequence[ClipPrediction]
    rows: pd.DataFrame
    """Of each prediction, what the data set knows."""
    num_unlabelled: int
    failures: Sequence[tuple[str, str]] = ()


def evaluate(config: EvaluateConfig) -> Evaluation:
    """Judge as `config` says.

    Raises:
        ValueError: The data set is unusable or has no such split, or the model cannot say a label.
        CheckpointError: The checkpoint cannot be used.
    """
    table = _read_table(config)
    model = _load(config)
    _log.info("%s", model)
    engine, meta = model.engine, model.meta
    # Before hours of judging, what would be refused after them.
    labels = parse_label_space(config.labels) if config.labels else meta.labels
    labels.indices_in(meta.labels)
    columns = [name.strip() for name in config.group_by.split(",") if name.strip()]
    group_values(table.rows, columns)
    still = StillJudge(engine, meta, wanted_prior(config.prior, meta), config.mirror)
    if table.kind == "images":
        judged = _judge_images(table, still)
    else:
        judged = _judge_videos(config, table, engine, meta)
    suite = SuiteConfig(config.shift_share, config.shift_seed)
    calibration = CalibrationConfig(config.prior, config.coverage, config.background)
    result = Evaluation(
        metrics=measure(stack_predictions(judged.predictions, labels)),
        twin_free=_without_twins(config, judged.predictions, labels)
        if config.twin_free and config.split is not None and table.kind == "images"
        else None,
        labels=labels,
        masked=tuple(emotion for emotion in meta.labels.emotions if emotion not in labels),
        num_unlabelled=judged.num_unlabelled,
        failures=tuple(judged.failures),
        prior=config.prior,
        audits=audit_predictions(
            judged.predictions, group_values(judged.rows, columns), labels, _AUDIT
        ),
        origin={
            "commit": git_commit(),
            "checkpoint_sha256": model.digest,
            "engine": model.engine_name,
            "data_fingerprint": fingerprint(table),
            "config": to_plain(config),
            "seed": meta.origin.seed,  # of the training; the shifts' stands in the config
        },
        shifts=run_suite(table, still, labels, suite) if config.shifts else None,
        calibration=judge_calibration(table, engine, meta, calibration)
        if config.calibration
        else None,
    )
    if result.shifts is not None and config.report:
        write_shift_report(result.shifts, Path(config.report), result.origin)
    if result.calibration is not None and config.report:
        draw_calibration(result.calibration, Path(config.report))
    if config.predictions:
        write_predictions(Path(config.predictions), judged.predictions)
    if config.json:
        write_json(Path(config.json), result.to_json())
    return result


def _read_table(config: EvaluateConfig) -> DatasetTable:
    table = read_dataset(config.data)
    refuse_fatal(table)
    if config.split is not None:
        table = split_rows(table, config.split)
        if not len(table):
            raise ValueError(f"{table.name} has no {config.split} split; leave --split out")
    if (config.shifts or config.calibration) and table.kind != "images":
        raise ValueError(
            f"{table.name} has {table.kind}; shifts and calibration are of images, leave them out"
        )
    for problem in table.problems:
        _log.info("note: %s", problem)
    return table


def _load(config: EvaluateConfig) -> LoadedModel:
    # Rounded to int8 the model that ships loses a little; its figures are those of the network.
    engine = "torch" if (config.checkpoint, config.engine) == (None, "auto") else config.engine
    return load_model(config.checkpoint, engine, config.device)


def _judge_images(table: DatasetTable, judge: StillJudge) -> _Judged:
    is_known = table.rows["emotion"].notna().to_numpy()
    predictions = judge_rows(table, np.flatnonzero(is_known).tolist(), judge)
    return _Judged(predictions, table.rows[is_known], int((~is_known).sum()))


def _without_twins(
    config: EvaluateConfig, predictions: Sequence[ClipPrediction], labels: LabelSpace
) -> Metrics | None:
    table = read_dataset(config.data)
    split = config.split
    assert split is not None
    others = [other for other in SPLITS if other != split]
    if not table.rows["split"].isin(others).any():
        return None
    rows = rows_with_twin_in(table, near_twins(table).group, split, others)
    twins = set(table.rows["path"].iloc[rows])
    free = [prediction for prediction in predictions if prediction.source not in twins]
    return measure(stack_predictions(free, labels)) if twins and free else None


def _judge_videos(
    config: EvaluateConfig, table: DatasetTable, engine: Engine, meta: CheckpointMeta
) -> _Judged:
    settings = replace(config.clips, follow=replace(config.clips.follow, crop=meta.crop))
    key = config_digest({"data": fingerprint(table), "prepare": to_plain(settings)})
    folder = Path(config.cache) / f"{table.name}-{key}"
    report = prepare(table, folder, settings, config.workers)
    prepared = load_prepared(folder)
    is_known = (prepared.rows["emotion"] != "").tolist()
    clips = [i for i, known in enumerate(is_known) if known]
    predictions = judge_clips(prepared, clips, engine, meta, config.prior, config.mirror)
    rows = prepared.rows.iloc[clips]
    return _Judged(predictions, rows, len(is_known) - len(clips), report.failures)
