"""How a network holds when faces look other than they do in the set it is judged on."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from tqdm import tqdm

from emotemporal.data.augmentation.shifts import (
    NUM_STRENGTHS,
    SHIFTS,
    Shift,
    apply_shift,
    shift_generator,
)
from emotemporal.data.seeds import derive_seed
from emotemporal.data.table import DatasetTable
from emotemporal.evaluation.metrics import Interval, JudgedClips, measure, stack_predictions
from emotemporal.evaluation.shifts.figures import ShiftFigure, ShiftReport, SuiteConfig
from emotemporal.evaluation.statistics.bootstrap import (
    BootstrapConfig,
    draw_resamples,
    percentile_interval,
    resampled_confusions,
    uar_of,
)
from emotemporal.evaluation.still_images import StillJudge, as_predictions, read_batches
from emotemporal.labels import LabelSpace

_STRENGTHS = range(1, NUM_STRENGTHS + 1)
_BOOTSTRAP = BootstrapConfig(num_resamples=2000)


def run_suite(
    table: DatasetTable,
    judge: StillJudge,
    labels: LabelSpace,
    config: SuiteConfig,
    shifts: Sequence[Shift] = SHIFTS,
) -> ShiftReport:
    """Judge a table's images as they are, then under every shift at every strength.

    Crops are changed before `preprocess`, by what seed, shift and image's path say alone: every
    checkpoint with crops of this size meets the same pictures.

    Args:
        table: Images; those of an emotion outside `labels`, or with none, are left out.
        judge: The checkpoint's, with the prior to judge under.
        labels: Judge among these; the other answers are masked and the rest renormalised.
        config: Which part of the images, and the seed.
        shifts: Which to apply.

    Raises:
        ValueError: No image shows any of `labels`.
        ImageError: A file cannot be read, by name.
    """
    own = judge.meta.labels
    rows = stratified_part(table, labels, config)
    cells: list[tuple[Shift | None, int]] = [(None, 0)]
    cells += [(shift, strength) for shift in shifts for strength in _STRENGTHS]
    answers: list[list[Float[np.ndarray, "b k"]]] = [[] for _ in cells]
    example = None
    with tqdm(
        total=len(rows) * len(cells), desc="shifts", unit="image", leave=False, disable=None
    ) as bar:
        for batch, crops in read_batches(table, rows, judge.meta):
            example = crops[0] if example is None else example
            paths = [str(table.rows["path"].iloc[row]) for row in batch]
            for found, cell in zip(answers, cells, strict=True):
                found.append(judge.judge(_shift_batch(crops, paths, cell, config.seed)))
                bar.update(len(batch))
    assert example is not None
    judged = [
        stack_predictions(as_predictions(table, rows, np.concatenate(found), own), labels)
        for found in answers
    ]
    kept, kept_by_shift = _measure_kept(judged, shifts)
    measured = [measure(one) for one in judged]
    figures = tuple(
        ShiftFigure(shift, strength, metrics)
        for (shift, strength), metrics in zip(cells, measured, strict=True)
        if shift is not None
    )
    first = str(table.rows["path"].iloc[rows[0]])
    return ShiftReport(measured[0], figures, kept, kept_by_shift, config, example, first)


def stratified_part(table: DatasetTable, labels: LabelSpace, config: SuiteConfig) -> list[int]:
    """Return the rows that meet the shifts: the same share of every emotion's, in table order.

    Raises:
        ValueError: No image shows any of `labels`.
    """
    emotions = table.rows["emotion"].to_numpy(dtype=object)
    chosen: list[int] = []
    for emotion in labels.emotions:
        rows = np.flatnonzero(emotions == emotion.value)
        count = math.ceil(config.share * len(rows) - 1e-9)
        order = np.random.default_rng(derive_seed(config.seed, f"shift part/{emotion.value}"))
        chosen += order.permutation(rows)[:count].tolist()
    if not chosen:
        raise ValueError(f"{table.name}: no image shows any of {', '.join(labels.names)}")
    return sorted(chosen)


def _shift_batch(
    crops: UInt8[np.ndarray, "b s s 3"],
    paths: Sequence[str],
    cell: tuple[Shift | None, int],
    seed: int,
) -> UInt8[np.ndarray, "b s s 3"]:
    shift, strength = cell
    if shift is None:
        return crops
    return np.stack(
        [
            apply_shift(crop, shift, strength, shift_generator(seed, shift, path))
            for crop, path in zip(crops, paths, strict=True)
        ]
    )


def _measure_kept(
    judged: Sequence[JudgedClips], shifts: Sequence[Shift]
) -> tuple[Interval, dict[str, Interval]]:
    """Return the share of UAR kept over all and by shift; `judged` begins with the unshifted."""
    targets, labels = judged[0].targets, judged[0].labels
    resamples = draw_resamples(judged[0].subjects, targets, _BOOTSTRAP)
    answers = np.stack([one.answers for one in judged])
    drawn = uar_of(resampled_confusions(answers, targets, len(labels), resamples))
    truth = uar_of(np.stack([measure(one).confusion for one in judged]))[:, None]

    def interval(which: slice) -> Interval:
        estimate, resampled = (
            _ratios(values[1:][which].mean(axis=0), values[0]) for values in (truth, drawn)
        )
        confidence = _BOOTSTRAP.confidence
        return percentile_interval(float(estimate[0]), resampled, confidence, resamples)

    by_shift = {
        shift.name: interval(slice(i * NUM_STRENGTHS, (i + 1) * NUM_STRENGTHS))
        for i, shift in enumerate(shifts)
    }
    return interval(slice(None)), by_shift


def _ratios(
    values: Float[np.ndarray, " r"], wholes: Float[np.ndarray, " r"]
) -> Float[np.ndarray, " r"]:
    return np.divide(values, wholes, out=np.full(values.shape, np.nan), where=wholes > 0)
