"""What pretrain and finetune share around the loop: folder, devices, log, resumption."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from torch import nn

import emotemporal
from emotemporal.config import to_plain
from emotemporal.data.seeds import derive_seed
from emotemporal.evaluation.metrics import JudgedClips
from emotemporal.evaluation.predictions import (
    as_predictions,
    read_predictions,
    write_predictions,
)
from emotemporal.models.checkpoint import save_checkpoint
from emotemporal.models.emotion_net import EmotionNet
from emotemporal.models.meta import CheckpointMeta, ModelConfig, Origin
from emotemporal.run_folder import RunFolder, RunFolderError, git_commit
from emotemporal.stopping import stop_when_asked
from emotemporal.storage import file_digest, write_json
from emotemporal.train.history import EpochRow
from emotemporal.train.log import RunLog, TrackingConfig, build_logger
from emotemporal.train.loop import fit
from emotemporal.train.optim import OptimConfig
from emotemporal.train.state import FolderKeeper, Progress
from emotemporal.train.task import Task, Validation

_log = logging.getLogger(__name__)
_ANSWERS = "validation.csv"


@dataclass(frozen=True)
class RunConfig:
    """Where and with what a job runs; of it only `precision` changes what is learned.

    And `channels_last` and `compile`, by rounding alone.
    """

    out: str = "runs/latest"
    """The run folder. It belongs to one config: the same one resumes, another is refused."""
    device: Literal["cpu", "cuda"] = "cpu"
    devices: int = 1
    """Processes, one a device. Under torchrun: as many as it started, whatever stands here."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    channels_last: bool = False
    """Keep the encoder's weights in the order in which GPUs convolve in 16 bits."""
    compile: bool = False
    """Compile the encoder (torch.compile): minutes at the start, needs a C++ compiler on a CPU."""
    num_workers: int = 0
    """Processes that load data; 0 loads in the training process."""
    tracking: TrackingConfig = field(default_factory=TrackingConfig)


def build_fabric(config: RunConfig) -> Fabric:
    """Return Fabric, launched: on one machine, or as torchrun says on how many.

    Raises:
        ValueError: There is no GPU where one is asked for, or torchrun started other numbers of
            processes on each machine.
    """
    devices, machines = _processes(config.devices)
    if config.device == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            "run.device is cuda, and torch finds no GPU here that it can use. On the processor: "
            "--run.device cpu --run.precision 32-true"
        )
    fabric = Fabric(
        accelerator=config.device,
        devices=devices,
        num_nodes=machines,
        precision=config.precision,
        # An encoder frozen for some epochs leaves its parameters unused in those.
        strategy="ddp_find_unused_parameters_true" if devices * machines > 1 else "auto",
    )
    fabric.launch()
    return fabric


def _processes(devices: int) -> tuple[int, int]:
    """Return processes a machine, and machines."""
    # Told another number than torchrun's, its processes would each train alone, in one folder.
    if not TorchElasticEnvironment.detect():
        return devices, 1
    here, everywhere = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
    if everywhere % here:
        raise ValueError(
            f"torchrun started {everywhere} processes, {here} of them on this machine; it must be "
            "the same number on each: give every machine the same --nproc_per_node"
        )
    return here, everywhere // here


def build_net(model: ModelConfig, num_labels: int, seed: int) -> EmotionNet:
    """Return a network whose first weights are a function of the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "weights"))
        return EmotionNet(model, num_labels)


def fit_to_device(encoder: nn.Module, run: RunConfig) -> None:
    """Give an encoder that learns the memory layout and the compiled code that `run` asks for."""
    if run.channels_last:
        encoder.to(memory_format=torch.channels_last)
    if run.compile:
        encoder.compile()


def make_origin(config: object, seed: int, data_fingerprint: str) -> Origin:
    """Say where a result comes from (law 8)."""
    return Origin(
        package_version=emotemporal.__version__,
        commit=git_commit(),
        data_fingerprint=data_fingerprint,
        seed=seed,
        config=to_plain(config),
    )


def identity_of(config: object, data_fingerprint: str, *files: Path) -> dict[str, Any]:
    """Return what a run folder belongs to: the config without where it runs, and the data.

    Of `files` that the config names, the contents count: another encoder under the same name is
    another run.

    Raises:
        FileNotFoundError: One of them is not there.
    """
    plain = to_plain(config)
    run = plain.pop("run")
    return {
        **plain,
        **{name: run[name] for name in ("precision", "channels_last", "compile")},
        "data_fingerprint": data_fingerprint,
        "digests": {str(file): file_digest(file) for file in files},
    }


@contextmanager
def one_run(
    fabric: Fabric, out: str, job: str, identity: dict[str, Any], config: object
) -> Iterator[Path]:
    """Hold the run folder while the job runs: the first process does, and tells the others.

    Raises:
        RunFolderError: In every process, where the folder is another's.
    """
    folder = Path(out)
    with ExitStack() as held:
        refusal = ""
        if fabric.is_global_zero:
            try:
                held.enter_context(RunFolder(folder, job, identity, config))
            except (RunFolderError, OSError) as error:  # a folder that is read-only, a full disk
                refusal = str(error)
        # Not told, the others would wait for a first process that has left.
        refusal = fabric.broadcast(refusal)
        if refusal:
            raise RunFolderError(refusal)
        yield folder


def train_in_folder(  # noqa: PLR0913 (what a job consists of)
    folder: Path,
    job: str,
    task: Task,
    optim: OptimConfig,
    meta: CheckpointMeta,
    run: RunConfig,
    fabric: Fabric,
    *,
    assemble: Callable[[nn.Module], EmotionNet],
) -> Progress:
    """Train `task` in a run folder from where it stands; leave `best.safetensors` behind.

    And `validation.csv`, where it is judged: what the best weights answered.

    Args:
        folder: The run folder, locked.
        job: For the tracker: "pretrain", "finetune".
        task: What is trained.
        optim: How.
        meta: The checkpoint's description; the best epoch's figures are added.
        run: Tracking.
        fabric: Devices and processes.
        assemble: Makes the whole network of the part that `task` trains.

    Raises:
        NonFiniteLossError: The loss is infinite or not a number; the last good checkpoint stays.
        InterruptedJob: A signal came; the same command goes on.
    """
    latest: list[JudgedClips] = []
    measure = task.validate

    def judge(net: nn.Module) -> Validation:
        assert measure is not None
        found = measure(net)
        latest[:] = [found.judged] if found.judged is not None else []
        return replace(found, judged=None)  # other processes go by the figures alone

    def write_best(net: nn.Module, row: EpochRow) -> None:
        described = replace(meta, metrics=row.values())
        if latest:
            write_predictions(folder / _ANSWERS, as_predictions(latest[0]))
        save_checkpoint(folder / "best.safetensors", assemble(net), described)

    keeper = FolderKeeper(folder, write_best)
    state = keeper.load()
    done = Progress() if state is None else state.progress
    if done.epoch >= optim.epochs:
        _log.info("%s is finished already; nothing is left to train", folder)
    elif state is not None:
        _log.info("resuming %s at step %d (epoch %d)", folder, done.step, done.epoch + 1)
    if measure is not None:
        task = replace(task, validate=judge)
    if not fabric.is_global_zero:
        with stop_when_asked() as stop:
            return fit(task, optim, meta.origin.seed, fabric, keeper, stop)
    logger = build_logger(run.tracking, folder, job, _told(meta.origin))
    with RunLog(folder, logger, done) as log, stop_when_asked() as stop:
        task = replace(task, on_epoch=log.epoch)
        progress = fit(task, optim, meta.origin.seed, fabric, keeper, stop)
        best = progress.rows[progress.best_epoch - 1]
        write_json(folder / "summary.json", {"best": best.values(), "epochs": progress.epoch})
        answers = folder / _ANSWERS
        log.results(read_predictions(answers) if answers.is_file() else [])
    return progress


def _told(origin: Origin) -> dict[str, Any]:
    """Return what a tracker files a run under: its config, and where its figures come from."""
    known = {"commit": origin.commit, "data_fingerprint": origin.data_fingerprint}
    return {**origin.config, **known, "package_version": origin.package_version}
