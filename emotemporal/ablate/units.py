"""The pieces of a study, each trained once: in processes, whose results come one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import cache
from multiprocessing import get_context
from typing import Any
from urllib.parse import quote

import numpy as np
import torch
from jaxtyping import Float
from lightning_fabric import Fabric
from torch import nn
from tqdm import tqdm

from emotemporal.ablate.length_row import judge_by_length
from emotemporal.ablate.nested import fit_fold, inner_parts, with_rate
from emotemporal.ablate.study import CLIP_LENGTH, CompareConfig, Study, load_study, seeds_of
from emotemporal.ablate.tuned_votes import tune_votes
from emotemporal.ablate.video3d_row import fit_video3d
from emotemporal.baselines.frame_votes import FrameVoteConfig, frame_votes
from emotemporal.data.processes import WorkerDiedError
from emotemporal.data.sampling import clip_indices
from emotemporal.data.seeds import derive_seed
from emotemporal.evaluation.protocols import Fold, inner_folds
from emotemporal.inference.predictor import clip_answer
from emotemporal.stopping import leave_with_parent
from emotemporal.storage import digest
from emotemporal.timing import monotonic
from emotemporal.train.features import ClipFeatures
from emotemporal.train.heads import head_probabilities


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


def units_of(config: CompareConfig, study: Study) -> list[Unit]:
    """Return all that there is to do, frames first."""
    of_seeds = [
        Unit(method, seed, fold.name)
        for method in ("frame", *config.heads)
        for seed in seeds_of(config)
        for fold in study.folds
    ]
    # One draws nothing, the other is slow.
    once = [CLIP_LENGTH] if config.clip_length else []
    once += [config.video3d.net.name] if config.video3d.run else []
    return of_seeds + [
        Unit(method, config.seed, fold.name) for method in once for fold in study.folds
    ]


def run_units(
    config: CompareConfig, units: Sequence[Unit]
) -> Iterator[tuple[Unit, dict[str, Any]]]:
    """Run units in worker processes; each result is given as soon as it is there.

    Also with one worker: a small GRU on two threads is slower than on one, and the number of
    threads may change the last bits.
    """
    if not units:
        return
    context = get_context("spawn")
    pool = ProcessPoolExecutor(
        min(config.workers, len(units)), mp_context=context, initializer=leave_with_parent
    )
    try:
        waiting = {pool.submit(_run_unit, config, unit): unit for unit in units}
        for done in tqdm(
            as_completed(waiting), total=len(units), desc="folds", unit="fold", disable=None
        ):
            yield waiting[done], done.result()
    except BrokenProcessPool as error:
        raise WorkerDiedError(
            "a fold's process was killed, perhaps for want of memory. Finished folds are kept: run "
            "the same command again, with fewer --workers"
        ) from error
    finally:
        # After an error the units that wait are not begun: nobody would keep their results.
        pool.shutdown(cancel_futures=True)


@cache
def _study_of_this_process(config: CompareConfig) -> Study:
    torch.set_num_threads(1)
    return load_study(config)


def _run_unit(config: CompareConfig, unit: Unit) -> dict[str, Any]:
    study = _study_of_this_process(config)
    fold = next(fold for fold in study.folds if fold.name == unit.fold)
    if unit.method == CLIP_LENGTH:
        return {"answers": {CLIP_LENGTH: _by_clip(fold, judge_by_length(study.material, fold))}}
    fabric = Fabric(accelerator="cpu", devices=1)
    if unit.method == config.video3d.net.name:
        row = fit_video3d(
            study.material, fold, config.video3d, config.cover, unit.seed, fabric, monotonic
        )
        answers = {unit.method: _by_clip(fold, row.answers)}
        return {"seconds": round(row.seconds, 1), "answers": answers}
    return _run_head(config, unit, study, fold, fabric)


def _by_clip(fold: Fold, answers: Float[np.ndarray, "m k"]) -> dict[str, list[float]]:
    return {str(i): [float(p) for p in row] for i, row in zip(fold.test, answers, strict=True)}


def _run_head(
    config: CompareConfig, unit: Unit, study: Study, fold: Fold, fabric: Fabric
) -> dict[str, Any]:
    head_config = config.frame if unit.method == "frame" else config.heads[unit.method]
    rates = config.rate_factors if config.nested else ()
    inner = inner_folds(study.material.rows, fold, config.inner) if config.nested else []
    result = fit_fold(study.clips, fold, study.labels, head_config, rates, unit.seed, fabric, inner)
    votes = config.votes
    if unit.method == "frame" and config.nested:
        votes = tune_votes(
            inner_parts(study.clips, inner),
            study.labels,
            with_rate(head_config, result.choice.rate_factor),
            result.choice.num_epochs,
            config.vote_grid,
            derive_seed(unit.seed, f"fold {fold.name}"),
            fabric,
        )
    answers: dict[str, dict[str, list[float]]] = {}
    for i in fold.test:
        clip = study.clips[i]
        probabilities = head_probabilities(result.head, clip, head_config.sampling)
        for name, answer in _answers(config, unit, clip, probabilities, votes).items():
            answers.setdefault(name, {})[str(i)] = [float(p) for p in answer]
    return {
        "choice": asdict(result.choice),
        **({"votes": asdict(votes)} if unit.method == "frame" else {}),
        "weights": _digest(result.head),
        "answers": answers,
    }


def _digest(head: nn.Module) -> str:
    state = head.state_dict()
    return digest(b"".join(state[name].cpu().numpy().tobytes() for name in sorted(state)))


def _answers(
    config: CompareConfig,
    unit: Unit,
    clip: ClipFeatures,
    probabilities: np.ndarray,
    votes: FrameVoteConfig,
) -> Mapping[str, np.ndarray]:
    if unit.method == "frame":
        times_s = clip.times_s[clip_indices(clip.times_s, config.frame.sampling.judging)]
        return frame_votes(probabilities, times_s, votes)
    return {unit.method: clip_answer(probabilities, config.heads[unit.method].model)}
