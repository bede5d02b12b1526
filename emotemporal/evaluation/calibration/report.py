"""A checkpoint's calibration on labelled images: without its temperature, and with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from emotemporal.data.table import DatasetTable, soft_targets
from emotemporal.evaluation.calibration.background import BackgroundFigures, background_crops
from emotemporal.evaluation.confidence import (
    CalibrationFigures,
    confidence_and_right,
    measure_calibration,
)
from emotemporal.evaluation.image_logits import crop_logits, table_logits
from emotemporal.inference.caution import find_caution
from emotemporal.inference.engine import Engine
from emotemporal.inference.prior import to_probabilities, wanted_prior
from emotemporal.labels import LabelSpace
from emotemporal.models.meta import CheckpointMeta


@dataclass(frozen=True)
class CalibrationConfig:
    """How a checkpoint's calibration is measured."""

    prior: str = "training"
    """How often each emotion is assumed to occur: training, uniform, or a JSON file."""
    coverage: float = 0.8
    """Share of the answers, the surest ones, whose error is told as well as that of all."""
    background: str = ""
    """How many crops without a face to draw, or a folder of such images; empty takes none."""

    def __post_init__(self) -> None:
        if not 0 < self.coverage <= 1:
            raise ValueError(f"coverage is {self.coverage}; a share is above 0, up to 1")


@dataclass(frozen=True, eq=False)
class Truth:
    """What some of a table's images show, as a distribution a row."""

    name: str
    shares: Float[np.ndarray, "n k"]
    is_known: Bool[np.ndarray, " n"]


@dataclass(frozen=True)
class TruthFigures:
    """Figures against one truth, at temperature 1 and at the checkpoint's."""

    truth: str
    before: CalibrationFigures
    after: CalibrationFigures
    error_answered: float | None
    """Of the answers that are not uncertain; None without a threshold, or without answers."""


@dataclass(frozen=True, eq=False)
class CalibrationReport:
    """How far a checkpoint's confidence can be trusted on a set of images."""

    figures: tuple[TruthFigures, ...]
    temperature: float
    prior: str
    coverage: float
    """At which the error of the surest answers is told."""
    uncertain_below: float | None
    """The checkpoint's own threshold; None if it has none."""
    share_uncertain: float | None
    """Of these images, all of them."""
    background: BackgroundFigures | None
    truths: tuple[Truth, ...]
    probabilities: tuple[Float[np.ndarray, "n k"], Float[np.ndarray, "n k"]]
    """Of all images, at temperature 1 and at the checkpoint's."""

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return {
            "prior": self.prior,
            "temperature": self.temperature,
            "coverage": self.coverage,
            "uncertain_below": self.uncertain_below,
            "share_uncertain": self.share_uncertain,
            "background": None if self.background is None else asdict(self.background),
            "against": {
                found.truth: {
                    "before": asdict(found.before),
                    "after": asdict(found.after),
                    "error_answered": found.error_answered,
                }
                for found in self.figures
            },
        }

    def __str__(self) -> str:
        surest = f"surest {self.coverage:.0%}"
        lines = [
            f"calibration, prior {self.prior}, at temperature 1 and {self.temperature:.3f}",
            f"  {'against':<14}{'images':>7}{'T':>7}{'NLL':>8}{'Brier':>8}{'ECE':>8}"
            f"{'error':>8}{surest:>13}{'AURC':>8}",
        ]
        for found in self.figures:
            for temperature, f in ((1.0, found.before), (self.temperature, found.after)):
                lines.append(
                    f"  {found.truth:<14}{f.num_images:>7}{temperature:>7.3f}{f.nll:>8.3f}"
                    f"{f.brier:>8.3f}{f.ece:>8.3f}{f.error:>8.1%}{f.error_covered:>13.1%}"
                    f"{f.aurc:>8.3f}"
                )
        return "\n".join([*lines, *self._told_uncertain()])

    def _told_uncertain(self) -> list[str]:
        if self.uncertain_below is None:
            lines = ["  the checkpoint has no threshold for uncertain: 'calibrate' finds one"]
        else:
            errors = ", ".join(
                f"{found.truth} {found.error_answered:.1%}"
                for found in self.figures
                if found.error_answered is not None
            )
            lines = [
                f"  uncertain below {self.uncertain_below:.3f}: {self.share_uncertain:.1%} of "
                f"these; error of the others: {errors or 'there are none'}"
            ]
        return lines if self.background is None else [*lines, f"  {self.background}"]


def truths_of(table: DatasetTable, labels: LabelSpace) -> tuple[Truth, ...]:
    """Return what a table's images can be held against.

    With votes: `votes`, their shares; `most_votes`, the emotion with most, where several tie each
    its part; and `majority`, the one emotion that its reader names. Without: `label` alone.
    """
    one, has_one = soft_targets(table, labels, use_votes=False)
    if not table.has_votes:
        return (Truth("label", one, has_one),)
    shares, has_votes = soft_targets(table, labels)
    is_most = shares == shares.max(axis=1, keepdims=True)
    return (
        Truth("votes", shares, has_votes),
        Truth("most_votes", is_most / is_most.sum(axis=1, keepdims=True), has_votes),
        Truth("majority", one, has_one),
    )


def judge_calibration(
    table: DatasetTable, engine: Engine, meta: CheckpointMeta, config: CalibrationConfig
) -> CalibrationReport:
    """Judge a table's images, and crops without a face if asked for, and measure the confidence.

    Raises:
        ValueError: No image shows anything that the model can say, or there is no background.
        ImageError: A file cannot be read, by name.
    """
    background = None
    if config.background:
        crops = background_crops(config.background, meta.crop.size_px)
        background = report_background(crop_logits(list(crops), engine, meta), meta, config)
    report = report_calibration(table_logits(table, engine, meta), table, meta, config)
    return replace(report, background=background)


def report_calibration(
    logits: Float[np.ndarray, "n k"],
    table: DatasetTable,
    meta: CheckpointMeta,
    config: CalibrationConfig,
) -> CalibrationReport:
    """Measure what a network said of a table's images.

    Raises:
        ValueError: No image shows anything that the model can say.
    """
    wanted = wanted_prior(config.prior, meta)
    before = to_probabilities(logits, replace(meta, temperature=1.0), wanted)
    after = to_probabilities(logits, meta, wanted)
    truths = tuple(t for t in truths_of(table, meta.labels) if t.is_known.any())
    if not truths:
        raise ValueError(f"{table.name}: no image shows any of {', '.join(meta.labels.names)}")
    is_uncertain = _uncertain(after, meta, wanted)
    return CalibrationReport(
        figures=tuple(
            _against(truth, before, after, is_uncertain, config.coverage) for truth in truths
        ),
        temperature=meta.temperature,
        prior=config.prior,
        coverage=config.coverage,
        uncertain_below=meta.uncertain_below,
        share_uncertain=None if is_uncertain is None else float(is_uncertain.mean()),
        background=None,
        truths=truths,
        probabilities=(before, after),
    )


def report_background(
    logits: Float[np.ndarray, "b k"], meta: CheckpointMeta, config: CalibrationConfig
) -> BackgroundFigures:
    """Measure what a network said of crops that show no face."""
    wanted = wanted_prior(config.prior, meta)
    probabilities = to_probabilities(logits, meta, wanted)
    is_uncertain = _uncertain(probabilities, meta, wanted)
    share = None if is_uncertain is None else float(is_uncertain.mean())
    confidence = float(probabilities.max(axis=1).mean())
    source = "drawn" if config.background.isdecimal() else config.background
    return BackgroundFigures(source, len(logits), confidence, share)


def _against(
    truth: Truth,
    before: Float[np.ndarray, "n k"],
    after: Float[np.ndarray, "n k"],
    is_uncertain: Bool[np.ndarray, " n"] | None,
    coverage: float,
) -> TruthFigures:
    rows, shares = truth.is_known, truth.shares[truth.is_known]
    error_answered = None
    if is_uncertain is not None and not is_uncertain[rows].all():
        _, right = confidence_and_right(after[rows], shares)
        error_answered = float(1 - right[~is_uncertain[rows]].mean())
    return TruthFigures(
        truth.name,
        measure_calibration(before[rows], shares, coverage),
        measure_calibration(after[rows], shares, coverage),
        error_answered,
    )


def _uncertain(
    probabilities: Float[np.ndarray, "n k"], meta: CheckpointMeta, wanted: Sequence[float]
) -> Bool[np.ndarray, " n"] | None:
    """Tell what live would call uncertain; None of a checkpoint without a threshold."""
    if meta.uncertain_below is None:
        return None
    caution = find_caution(meta, wanted)
    return np.asarray(caution.confidence(probabilities, meta.labels) < caution.uncertain_below)
