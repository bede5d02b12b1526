"""The study of this code base: frame models against clip models, same clips, folds and encoder."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import torch
from lightning_fabric import Fabric
from tqdm import tqdm

from emotemporal.ablate.nested import as_rows, fit_fold
from emotemporal.baselines.frame_votes import FrameVoteConfig, frame_votes
from emotemporal.config import RunFolder, git_commit, to_plain
from emotemporal.data.prepare import load_prepared
from emotemporal.data.sampling import clip_indices
from emotemporal.evaluation.comparison import compare as compare_methods
from emotemporal.evaluation.protocols import Fold, ProtocolConfig, make_folds
from emotemporal.evaluation.report import write_comparison
from emotemporal.evaluation.results import Comparison, ComparisonConfig
from emotemporal.evaluation.statistics import BootstrapConfig
from emotemporal.inference.predictor import clip_answer
from emotemporal.labels import Emotion, LabelSpace, parse_emotion, parse_label_space
from emotemporal.models.checkpoint import load_checkpoint
from emotemporal.models.meta import ModelConfig
from emotemporal.storage import file_digest, write_json
from emotemporal.train.features import ClipFeatures, ViewConfig, compute_features
from emotemporal.train.heads import HeadConfig, head_probabilities
from emotemporal.train.log import TrackingConfig, build_logger
from emotemporal.train.optim import OptimConfig, refuse_encoder_options
from emotemporal.types import ClipPrediction

_log = logging.getLogger(__name__)


def _frame_head() -> HeadConfig:
    return HeadConfig(
        model=ModelConfig(head="frame"),
        optim=OptimConfig(epochs=20, batch_size=16, learning_rate=1e-2),
    )


def _gru_head() -> HeadConfig:
    return HeadConfig(
        model=ModelConfig(head="gru", hidden_dim=128, dropout=0.2),
        optim=OptimConfig(epochs=60, batch_size=16, learning_rate=3e-3),
    )


@dataclass(frozen=True)
class CompareConfig:
    """Compare frame models with clip models on the same clips, folds and frozen encoder."""

    checkpoint: str
    """The frame encoder, from 'pretrain'."""
    data: str
    """The folder that 'prepare' made."""
    out: str = "runs/compare"
    labels: str = "savee7"
    protocol: ProtocolConfig = field(default_factory=ProtocolConfig)
    frame: HeadConfig = field(default_factory=_frame_head)
    """The frame head whose frames vote: middle frame, mean, majority, EMA, hidden-Markov."""
    clip: HeadConfig = field(default_factory=_gru_head)
    """The temporal head."""
    votes: FrameVoteConfig = field(default_factory=FrameVoteConfig)
    rate_factors: tuple[float, ...] = (1.0,)
    """Each head's learning rate times these is tried inside the training subjects; the one with
    the best mean UAR is refitted on them all."""
    views: ViewConfig = field(default_factory=ViewConfig)
    num_seeds: int = 3
    seed: int = 0
    """The first seed; the others follow it."""
    pair: str = ""
    """Two emotions with a comma, whose clips are each other's backwards (synthetic data)."""
    note: str = ""
    """Printed at the head of every output."""
    bootstrap: BootstrapConfig = field(default_factory=BootstrapConfig)
    cache: str = "runs/features"
    device: str = "cpu"
    workers: int = 1
    """Processes, each training one fold on one core."""
    tracking: TrackingConfig = field(default_factory=TrackingConfig)

    def __post_init__(self) -> None:
        if self.num_seeds < 1 or not self.rate_factors or self.workers < 1:
            raise ValueError("num_seeds, rate_factors and workers: at least one of each")
        if self.frame.model.head != "frame":
            raise ValueError(
                f"frame.model.head is {self.frame.model.head!r}; frames that vote need 'frame'"
            )
        if self.frame.sampling.clip_rate_hz != self.clip.sampling.clip_rate_hz:
            raise ValueError(
                f"frame.sampling.clip_rate_hz is {self.frame.sampling.clip_rate_hz}, the clip's "
                f"{self.clip.sampling.clip_rate_hz}; both are judged on the same frames"
            )
        for head in (self.frame, self.clip):
            refuse_encoder_options(head.optim)
        _pair(self.pair)


@dataclass(frozen=True)
class Unit:
    """The smallest piece of a study: one head, one seed, one fold. Done, it is never done again."""

    method: str
    seed: int
    fold: str

    @property
    def file_name(self) -> str:
        """Where its predictions are, in the study's folder."""
        # Folds are named after subjects, and those as somebody's table likes.
        return f"{self.method}-seed{self.seed}-{quote(self.fold, safe='')}.json"


def compare(config: CompareConfig) -> Comparison:
    """Run the study from wherever its folder stands, and write its report.

    Leaves in the folder: `units/` (predictions, one file a head, seed and fold), `report.html`,
    `comparison.csv`, `comparison.md`.

    Raises:
        ValueError: The folder belongs to another config, or the data cannot make the folds.
    """
    folder = Path(config.out)
    study = _load_study(config)
    identity = _identity(config, study)
    with RunFolder(folder, "compare", identity, config):
        units = _units(config, study)
        missing = [unit for unit in units if not (folder / "units" / unit.file_name).exists()]
        if len(missing) < len(units):
            _log.info("%d of %d units are done already", len(units) - len(missing), len(units))
        for unit, result in _run_all(config, missing):
            write_json(folder / "units" / unit.file_name, result)
        predictions = _gather(config, folder, units, study)
        comparison = compare_methods(
            predictions,
            ComparisonConfig(pair=_pair(config.pair), note=config.note, bootstrap=config.bootstrap),
            origin={
                "commit": git_commit(),
                "config": f"{folder}/config.yaml",
                "data fingerprint": identity["data_fingerprint"][:16],
                "encoder": identity["encoder"][:16],
                "seeds": ", ".join(str(seed) for seed in _seeds(config)),
                "protocol": f"{config.protocol.name}, settings chosen inside training subjects",
            },
        )
        write_comparison(comparison, folder)
        _track(config, folder, comparison)
    return comparison


@dataclass(frozen=True, eq=False)
class _Study:
    clips: Sequence[ClipFeatures]
    labels: LabelSpace
    folds: Sequence[Fold]
    data_fingerprint: str
    encoder_digest: str


def _load_study(config: CompareConfig) -> _Study:
    labels = parse_label_space(config.labels)
    prepared = load_prepared(Path(config.data))
    net, meta = load_checkpoint(Path(config.checkpoint))
    at_rate = replace(meta, clip_rate_hz=config.clip.sampling.clip_rate_hz)
    cache_folder = Path(config.cache)
    clips = compute_features(net, at_rate, prepared, config.views, cache_folder, config.device)
    kept = [clip for clip in clips if clip.emotion in labels]
    if len(kept) < len(clips):
        _log.warning("%d clips show none of %s: left out", len(clips) - len(kept), labels.names)
    folds = make_folds(as_rows(kept), config.protocol)
    unjudged = sorted(set(range(len(kept))) - {int(i) for fold in folds for i in fold.test})
    if unjudged:
        raise ValueError(
            f"{config.protocol.name} judges {len(unjudged)} clips in no fold, such as "
            f"{kept[unjudged[0]].source}: nobody would be left to train on. Deal in fewer groups."
        )
    return _Study(
        clips=kept,
        labels=labels,
        folds=folds,
        data_fingerprint=prepared.fingerprint,
        encoder_digest=file_digest(Path(config.checkpoint)),
    )


def _identity(config: CompareConfig, study: _Study) -> dict[str, Any]:
    plain = to_plain(config)
    for where_it_runs in ("out", "cache", "device", "workers", "tracking", "checkpoint", "data"):
        plain.pop(where_it_runs)
    return {**plain, "data_fingerprint": study.data_fingerprint, "encoder": study.encoder_digest}


def _seeds(config: CompareConfig) -> range:
    return range(config.seed, config.seed + config.num_seeds)


def _units(config: CompareConfig, study: _Study) -> list[Unit]:
    return [
        Unit(method, seed, fold.name)
        for method in ("frame", "clip")
        for seed in _seeds(config)
        for fold in study.folds
    ]


def _run_all(config: CompareConfig, units: Sequence[Unit]) -> Iterator[tuple[Unit, dict[str, Any]]]:
    """Run units in worker processes; each result is given as soon as it is there.

    Also with one worker: a small GRU on two threads is slower than on one, and the number of
    threads may change the last bits.
    """
    if not units:
        return
    context = get_context("spawn")
    pool = ProcessPoolExecutor(min(config.workers, len(units)), mp_context=context)
    try:
        waiting = {pool.submit(_run_unit, config, unit): unit for unit in units}
        for done in tqdm(as_completed(waiting), total=len(units), desc="folds", unit="fold"):
            yield waiting[done], done.result()
    finally:
        # After an error the units that wait are not begun: nobody would keep their results.
        pool.shutdown(cancel_futures=True)


@cache
def _study_of_this_process(config: CompareConfig) -> _Study:
    torch.set_num_threads(1)
    return _load_study(config)


def _run_unit(config: CompareConfig, unit: Unit) -> dict[str, Any]:
    study = _study_of_this_process(config)
    fold = next(fold for fold in study.folds if fold.name == unit.fold)
    head_config = config.frame if unit.method == "frame" else config.clip
    fabric = Fabric(accelerator="cpu", devices=1)
    result = fit_fold(
        study.clips, fold, study.labels, head_config, config.rate_factors, unit.seed, fabric
    )
    answers: dict[str, dict[str, list[float]]] = {}
    for i in fold.test:
        clip = study.clips[i]
        probabilities = head_probabilities(result.head, clip, head_config.sampling)
        for name, answer in _answers(config, unit, clip, probabilities).items():
            answers.setdefault(name, {})[str(i)] = [float(p) for p in answer]
    return {"choice": asdict(result.choice), "answers": answers}


def _answers(
    config: CompareConfig, unit: Unit, clip: ClipFeatures, probabilities: np.ndarray
) -> Mapping[str, np.ndarray]:
    if unit.method == "frame":
        times_s = clip.times_s[clip_indices(clip.times_s, config.frame.sampling.judging)]
        return frame_votes(probabilities, times_s, config.votes)
    return {config.clip.model.head: clip_answer(probabilities, config.clip.model.head)}


def _gather(
    config: CompareConfig, folder: Path, units: Sequence[Unit], study: _Study
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
            for seed in _seeds(config)
        ]
        for method, by_seed in found.items()
    }


def _pair(text: str) -> tuple[Emotion, Emotion] | None:
    if not text:
        return None
    names = text.split(",")
    if len(names) != 2:
        raise ValueError(f"pair is {text!r}; give two emotions with a comma, or nothing")
    return parse_emotion(names[0]), parse_emotion(names[1])


def _track(config: CompareConfig, folder: Path, comparison: Comparison) -> None:
    logger = build_logger(config.tracking, folder, "compare", to_plain(config))
    for row in comparison.methods:
        logger.log(
            {
                f"{row.name}/uar": row.uar.estimate,
                f"{row.name}/accuracy": row.accuracy.estimate,
                f"{row.name}/macro_f1": row.macro_f1.estimate,
            },
            step=0,
        )
    logger.finish()
