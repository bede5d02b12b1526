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
from lightning_fabric import Fabric
from tqdm import tqdm

from emotemporal.ablate.nested import fit_fold
from emotemporal.ablate.study import CompareConfig, Study, load_study, seeds_of
from emotemporal.baselines.frame_votes import frame_votes
from emotemporal.data.processes import WorkerDiedError
from emotemporal.data.sampling import clip_indices
from emotemporal.inference.predictor import clip_answer
from emotemporal.stopping import leave_with_parent
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
    return [
        Unit(method, seed, fold.name)
        for method in ("frame", *config.heads)
        for seed in seeds_of(config)
        for fold in study.folds
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
        for done in tqdm(as_completed(waiting), total=len(units), desc="folds", unit="fold"):
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
    head_config = config.frame if unit.method == "frame" else config.heads[unit.method]
    fabric = Fabric(accelerator="cpu", devices=1)
    rates = config.rate_factors if config.nested else ()
    result = fit_fold(study.clips, fold, study.labels, head_config, rates, unit.seed, fabric)
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
    return {unit.method: clip_answer(probabilities, config.heads[unit.method].model)}
