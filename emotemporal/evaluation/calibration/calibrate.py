"""`calibrate`: give a checkpoint its temperature, its threshold and its list of weak emotions."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from emotemporal.config import to_plain
from emotemporal.data.readers import DatasetConfig, read_dataset
from emotemporal.data.splits import split_rows
from emotemporal.data.table import DatasetTable, Split, fingerprint, refuse_fatal, soft_targets
from emotemporal.evaluation.calibration.report import (
    CalibrationConfig,
    CalibrationReport,
    report_calibration,
)
from emotemporal.evaluation.confidence import coverage_threshold, fit_temperature
from emotemporal.evaluation.image_logits import table_logits
from emotemporal.evaluation.metrics import ClassRecall, wilson_interval
from emotemporal.inference.caution import without_hidden
from emotemporal.inference.load import load_engine
from emotemporal.inference.prior import adjust_prior, to_probabilities, wanted_prior
from emotemporal.labels import parse_emotions
from emotemporal.models.meta import CheckpointMeta, parse_storage, read_header
from emotemporal.run_folder import git_commit
from emotemporal.storage import file_digest

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CalibrateConfig:
    """Fit a checkpoint's temperature and thresholds on images, and write it with them.

    The images should be none that it was trained on, and none that a result is reported on.
    """

    data: DatasetConfig
    checkpoint: str
    """What `pretrain` or `finetune` wrote; it stays as it is."""
    output: str
    """Where the calibrated checkpoint goes, `.safetensors`."""
    split: Split | None = "validation"
    """Which rows to fit on; none takes all. Those with votes alone count too."""
    prior: str = "training"
    """Under which the weak emotions are found, and figures told: training, uniform, or a JSON file.
    It should be the one that `live` will be used with."""
    uncertain_prior: str | None = None
    """Under which confidence is compared with the threshold, whatever prior `live` answers under:
    training, uniform, a JSON file, or `data`, how often these images show each. Not given: as
    `prior`. Of a network trained on balanced classes, whose own prior is uniform, `data` left fewer
    errors among the answers (FER+), and answered less often where an emotion is rare."""
    coverage: float = 0.8
    """Share of the images that shall be answered; the others' confidence is called uncertain."""
    weak_below: float = 0.5
    """An emotion is weak if the 95 % interval of its recall reaches below this."""
    hidden: str | None = None
    """Emotions that `live` shall not show by name, with commas; empty hides none. Not given, the
    checkpoint's own stay."""
    device: str = "cpu"
    """Where the network runs: `cpu`, `cuda`, `cuda:1` or `mps`."""

    def __post_init__(self) -> None:
        if not 0 < self.coverage <= 1:
            raise ValueError(f"coverage is {self.coverage}; a share is above 0, up to 1")
        if not 0 <= self.weak_below <= 1:
            raise ValueError(f"weak_below is {self.weak_below}; a recall is 0 to 1")
        if Path(self.checkpoint).resolve() == Path(self.output).resolve():
            raise ValueError(f"output is {self.output}, the checkpoint itself; name another file")


@dataclass(frozen=True, eq=False)
class Calibration:
    """What was found, on the images that it was found on."""

    meta: CheckpointMeta
    """As written."""
    recalls: tuple[ClassRecall, ...]
    report: CalibrationReport
    output: str

    def __str__(self) -> str:
        lines = [str(self.report)]
        for found in self.recalls:
            interval = found.recall
            weak = "   weak" if found.emotion in self.meta.weak else ""
            told = f"{interval.estimate:6.1%}  [{interval.low:6.1%}, {interval.high:6.1%}]"
            lines.append(f"  {found.emotion:<10} recall {told}  of {found.num_clips}{weak}")
        if self.meta.hidden:
            lines.append(f"not shown by name: {', '.join(self.meta.hidden)}")
        return "\n".join([*lines, f"checkpoint: {self.output}"])


def calibrate(config: CalibrateConfig) -> Calibration:
    """Fit as `config` says, and write the checkpoint.

    Raises:
        ValueError: The data set is unusable, is not of images, or has no such split.
        CheckpointError: The checkpoint cannot be used.
    """
    from emotemporal.models.checkpoint import load_checkpoint, save_checkpoint

    table = _read_images(config)
    engine, meta = load_engine(config.checkpoint, config.device)
    wanted = wanted_prior(config.prior, meta)
    uncertain_prior = _uncertain_prior(config, table, meta)
    hidden = meta.hidden if config.hidden is None else parse_emotions(config.hidden)
    replace(meta, hidden=hidden)  # before minutes of judging, what would be refused after them
    if meta.model.head != "frame":
        _log.info(
            "note: the head is a %s; it is calibrated on streams of one frame", meta.model.head
        )
    logits = table_logits(table, engine, meta)
    temperature = temperature_of(logits, table, meta)
    fitted = replace(meta, temperature=temperature)
    probabilities = to_probabilities(logits, fitted, wanted)
    recalls = _recalls(probabilities, table, meta)
    # Written so that an emotion of which there was no image, whose bounds are NaN, is weak too.
    weak = tuple(r.emotion for r in recalls if not r.recall.low >= config.weak_below)
    confidence = without_hidden(
        to_probabilities(logits, fitted, uncertain_prior), meta.labels, frozenset(hidden)
    ).max(axis=1)
    calibrated = replace(
        fitted,
        # Rounded down: the answer that is just sure enough must not fall below by a last digit.
        uncertain_below=math.floor(1e4 * coverage_threshold(confidence, config.coverage)) / 1e4,
        uncertain_prior=uncertain_prior,
        weak=weak,
        hidden=hidden,
        origin=_with_calibration(meta, config, table),
    )
    net, _ = load_checkpoint(Path(config.checkpoint))
    is_half = parse_storage(read_header(Path(config.checkpoint))["__metadata__"]) == "float16"
    save_checkpoint(Path(config.output), net, calibrated, "float16" if is_half else "float32")
    measured = CalibrationConfig(config.prior, config.coverage)
    report = report_calibration(logits, table, calibrated, measured)
    return Calibration(calibrated, recalls, report, config.output)


def temperature_of(
    logits: Float[np.ndarray, "n k"], table: DatasetTable, meta: CheckpointMeta
) -> float:
    """Fit a temperature on all rows that have votes or one emotion, under the rows' own prior.

    A network trained on balanced classes and judged under that prior would look unsure on faces
    most of which are neutral: that is the prior, not the temperature. Where training and these rows
    are alike in it, the adjustment does nothing.

    Raises:
        ValueError: No image shows anything that the model can say.
    """
    truth, has_truth = soft_targets(table, meta.labels)
    no_logits = np.zeros((1, len(meta.labels)))
    shift = adjust_prior(no_logits, meta.training_prior, prior_of(table, meta))
    return fit_temperature(logits[has_truth], truth[has_truth], shift[0])


def prior_of(table: DatasetTable, meta: CheckpointMeta) -> tuple[float, ...]:
    """Return how often a table's images show each emotion, by votes where there are any.

    Raises:
        ValueError: No image shows anything that the model can say.
    """
    truth, has_truth = soft_targets(table, meta.labels)
    if not has_truth.any():
        raise ValueError(f"{table.name}: no image shows any of {', '.join(meta.labels.names)}")
    # One image more of each, so that an emotion absent here is rare and not impossible.
    counts = truth[has_truth].sum(axis=0) + 1.0
    known = np.where(np.asarray(meta.training_prior) > 0, counts, 0.0)
    return tuple(float(share) for share in known / known.sum())


def _uncertain_prior(
    config: CalibrateConfig, table: DatasetTable, meta: CheckpointMeta
) -> tuple[float, ...]:
    if config.uncertain_prior == "data":
        return prior_of(table, meta)
    choice = config.prior if config.uncertain_prior is None else config.uncertain_prior
    return wanted_prior(choice, meta)


def _read_images(config: CalibrateConfig) -> DatasetTable:
    table = read_dataset(config.data)
    refuse_fatal(table)
    if table.kind != "images":
        raise ValueError(f"{table.name} holds {table.kind}; a temperature is fitted on images")
    if config.split is not None:
        table = split_rows(table, config.split)
        if not len(table):
            raise ValueError(f"{table.name} has no {config.split} split; give another --split")
    for problem in table.problems:
        _log.info("note: %s", problem)
    return table


def _recalls(
    probabilities: Float[np.ndarray, "n k"], table: DatasetTable, meta: CheckpointMeta
) -> tuple[ClassRecall, ...]:
    answers = np.array(meta.labels.names)[probabilities.argmax(axis=1)]
    emotions = table.rows["emotion"].to_numpy(dtype=object)
    return tuple(
        ClassRecall(
            emotion,
            int(np.sum(emotions == emotion.value)),
            wilson_interval(
                int(np.sum((emotions == emotion.value) & (answers == emotion.value))),
                int(np.sum(emotions == emotion.value)),
            ),
        )
        for emotion in meta.labels.emotions
    )


def _with_calibration(meta: CheckpointMeta, config: CalibrateConfig, table: DatasetTable) -> Any:
    """Return the training's origin with the calibration's put beside it."""
    own = {
        "commit": git_commit(),
        "checkpoint_sha256": file_digest(Path(config.checkpoint)),
        "data_fingerprint": fingerprint(table),
        "config": to_plain(config),
    }
    return replace(meta.origin, config={**meta.origin.config, "calibrate": own})
