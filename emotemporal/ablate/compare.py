"""The study of this code base: frame models against clip models, same clips, folds and encoder."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emotemporal.ablate.study import (
    CompareConfig,
    Study,
    load_study,
    parse_pair,
    refuse_twins,
    seeds_of,
)
from emotemporal.ablate.units import Unit, run_units, units_of
from emotemporal.baselines.frame_votes import ORDER_BLIND_VOTES
from emotemporal.config import to_plain
from emotemporal.evaluation.comparison.by_group import group_values
from emotemporal.evaluation.comparison.compare import compare as compare_methods
from emotemporal.evaluation.comparison.report import write_comparison
from emotemporal.evaluation.comparison.results import Comparison, ComparisonConfig
from emotemporal.evaluation.predictions import write_predictions
from emotemporal.evaluation.spelling import title
from emotemporal.run_folder import RunFolder, git_commit
from emotemporal.storage import write_json
from emotemporal.train.log import build_logger
from emotemporal.types import ClipPrediction

__all__ = ["CompareConfig", "compare"]

_log = logging.getLogger(__name__)


def compare(config: CompareConfig) -> Comparison:
    """Run the study from wherever its folder stands, and write its report.

    Leaves in the folder: `units/` (predictions, one file a head, seed and fold), `predictions/`
    (a CSV a method and seed), `report.html`, `comparison.csv`, `comparison.md`.

    Raises:
        ValueError: The folder belongs to another config, or the data cannot make the folds.
    """
    folder = Path(config.out)
    study = load_study(config)
    refuse_twins(study, Path(config.cache))
    identity = _identity(config, study)
    with RunFolder(folder, "compare", identity, config):
        units = units_of(config, study)
        missing = [unit for unit in units if not (folder / "units" / unit.file_name).exists()]
        if len(missing) < len(units):
            _log.info("%d of %d units are done already", len(units) - len(missing), len(units))
        for unit, result in run_units(config, missing):
            write_json(folder / "units" / unit.file_name, result)
        predictions = _gather(config, folder, units, study)
        for method, of_seeds in predictions.items():
            # What is trained once has the first seed alone.
            for seed, clips in zip(seeds_of(config), of_seeds, strict=False):
                write_predictions(folder / "predictions" / f"{method}-seed{seed}.csv", clips)
        comparison = compare_methods(
            predictions,
            ComparisonConfig(
                order_blind=_order_blind(config),
                pair=parse_pair(config.pair),
                note=" ".join(filter(None, (config.protocol.note, config.note))),
                protocol=config.protocol.told,
                trained_on_judged=config.protocol.name == "speaker_dependent",
                remarks=(*study.material.remarks, *_remarks(config, folder, units)),
                bootstrap=config.bootstrap,
            ),
            origin={
                "commit": git_commit(),
                "config": f"{folder}/config.yaml",
                "data fingerprint": identity["data_fingerprint"][:16],
                "encoder": identity["encoder"][:16],
                "seeds": ", ".join(str(seed) for seed in seeds_of(config)),
                "protocol": f"{config.protocol.name}, {_how_set(config)}",
            },
            groups=group_values(study.material.rows, config.group_columns),
        )
        write_comparison(comparison, folder)
        _track(config, folder, comparison, predictions, identity)
    return comparison


def _order_blind(config: CompareConfig) -> tuple[str, ...]:
    """Return which methods cannot tell a clip from the same clip backwards."""
    heads = [name for name, head in config.heads.items() if head.model.is_order_blind]
    return (*sorted(ORDER_BLIND_VOTES), *heads)


def _remarks(config: CompareConfig, folder: Path, units: Sequence[Unit]) -> list[str]:
    """Say what a reader must know of the rows that are no heads."""
    told = []
    if config.cover != "nothing":
        told.append("Mouth, jaw and chin were covered in every picture, for every method.")
    if config.clip_length:
        told.append(
            "Clip length alone: a judge that sees no face. What it gets above chance, the "
            "recordings give away."
        )
    net = config.video3d.net
    seconds = [
        json.loads((folder / "units" / unit.file_name).read_text(encoding="utf-8"))["seconds"]
        for unit in units
        if config.video3d.run and unit.method == net.name
    ]
    if seconds:
        told.append(
            f"{title(net.name)}: {net.num_frames} frames of {net.size_px} px, from random weights, "
            "one seed, its settings fixed beforehand; trained for "
            f"{sum(seconds) / 60:.1f} minutes in all."
        )
    return told


def _how_set(config: CompareConfig) -> str:
    return (
        "settings chosen inside training subjects"
        if config.nested
        else "settings fixed beforehand (not nested)"
    )


def _identity(config: CompareConfig, study: Study) -> dict[str, Any]:
    plain = to_plain(config)
    for where_it_runs in (
        "out",
        "cache",
        "device",
        "workers",
        "tracking",
        "checkpoint",
        "data",
        "corpora",
    ):
        plain.pop(where_it_runs)
    return {**plain, "data_fingerprint": study.data_fingerprint, "encoder": study.encoder_digest}


def _gather(
    config: CompareConfig, folder: Path, units: Sequence[Unit], study: Study
) -> dict[str, list[list[ClipPrediction]]]:
    """Return method -> seeds -> clips, in the order of the data set, from the units' files."""
    found: dict[str, dict[int, dict[str, list[float]]]] = {}
    for unit in units:
        text = (folder / "units" / unit.file_name).read_text(encoding="utf-8")
        for method, answers in json.loads(text)["answers"].items():
            found.setdefault(method, {}).setdefault(unit.seed, {}).update(answers)
    return {
        method: [
            [
                ClipPrediction(
                    source=clip.source,
                    subject=clip.subject,
                    target=clip.emotion,
                    probabilities=np.array(by_seed[seed][str(i)]),
                    labels=study.labels,
                )
                for i, clip in enumerate(study.clips)
            ]
            for seed in seeds_of(config)
            if seed in by_seed
        ]
        for method, by_seed in found.items()
    }


def _track(
    config: CompareConfig,
    folder: Path,
    comparison: Comparison,
    predictions: Mapping[str, Sequence[Sequence[ClipPrediction]]],
    identity: Mapping[str, Any],
) -> None:
    told = {name: identity[name] for name in ("data_fingerprint", "encoder")}
    told |= {"commit": comparison.origin["commit"]}
    logger = build_logger(config.tracking, folder, "compare", {**to_plain(config), **told})
    for row in comparison.methods:
        logger.log(
            {
                f"{row.name}/uar": row.uar.estimate,
                f"{row.name}/accuracy": row.accuracy.estimate,
                f"{row.name}/macro_f1": row.macro_f1.estimate,
            },
            step=0,
        )
    for method, of_seeds in predictions.items():
        logger.predictions(method, of_seeds[0])
    names = ("report.html", "comparison.csv", "comparison.md", "config.yaml")
    logger.files("report", "report", [folder / name for name in names])
    logger.finish()
