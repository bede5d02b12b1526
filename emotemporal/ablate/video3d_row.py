"""The 3-D network as a row of a comparison: trained on the face clips themselves, slowly."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from einops import repeat
from jaxtyping import Float, UInt8
from lightning_fabric import Fabric
from torch import Tensor, nn

from emotemporal.ablate.material import Material
from emotemporal.baselines.video3d import Video3D, Video3DConfig, judge_clips, video3d_frames
from emotemporal.data.collate import Batch
from emotemporal.data.loading import batch_rows
from emotemporal.data.seeds import derive_seed, sample_generator
from emotemporal.evaluation.folds import Fold
from emotemporal.timing import Clock
from emotemporal.train.balance import epoch_order
from emotemporal.train.features import Cover
from emotemporal.train.loop import fit
from emotemporal.train.optim import OptimConfig, refuse_encoder_options
from emotemporal.train.state import MemoryKeeper
from emotemporal.train.task import AnyBatch, Task

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Video3DRowConfig:
    """X3D from random weights beside the heads: one seed, its settings fixed beforehand."""

    run: bool = False
    """Off, because it is slow: on two cores about a second a clip and epoch at 64 px."""
    net: Video3DConfig = field(default_factory=lambda: Video3DConfig(name="x3d_s"))
    optim: OptimConfig = field(
        default_factory=lambda: OptimConfig(epochs=15, batch_size=8, learning_rate=1e-3)
    )

    def __post_init__(self) -> None:
        refuse_encoder_options(self.optim)


@dataclass(frozen=True, eq=False)
class Video3DResult:
    """One fold: each judged clip's probabilities, and how long the training took."""

    answers: Float[np.ndarray, "m k"]
    seconds: float


def fit_video3d(
    material: Material,
    fold: Fold,
    config: Video3DRowConfig,
    cover: Cover,
    seed: int,
    fabric: Fabric,
    clock: Clock,
) -> Video3DResult:
    """Train on a fold's training clips and judge its others; those are read after training only."""
    seed = derive_seed(seed, f"x3d {fold.name}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Video3D(config.net, len(material.labels))
    train = [_frames(material, int(i), config.net, cover) for i in fold.train]
    targets = [material.labels.index(material.clips[i].emotion) for i in fold.train]
    started_s = clock()
    task = _task(net, train, targets, len(material.labels), config.optim, seed, fabric)
    fit(task, config.optim, seed, fabric, MemoryKeeper())
    seconds = clock() - started_s
    _log.info(
        "%s, fold %s: %d clips, %d epochs in %.0f s",
        config.net.name,
        fold.name,
        len(train),
        config.optim.epochs,
        seconds,
    )
    judged = (_frames(material, int(i), config.net, cover) for i in fold.test)
    return Video3DResult(judge_clips(net, list(judged)), seconds)


def _frames(
    material: Material, i: int, config: Video3DConfig, cover: Cover
) -> UInt8[np.ndarray, "t n n 3"]:
    return video3d_frames(material.load(i, cover), config)


def _task(
    net: Video3D,
    clips: Sequence[UInt8[np.ndarray, "t n n 3"]],
    targets: Sequence[int],
    num_labels: int,
    optim: OptimConfig,
    seed: int,
    fabric: Fabric,
) -> Task:
    size = min(optim.batch_size, len(clips))

    def batches(epoch: int, first: int) -> Iterable[Batch]:
        order = epoch_order(list(targets), optim, seed, epoch)
        for rows in batch_rows(order, size, fabric.global_rank, fabric.world_size)[first:]:
            yield _batch(
                [_mirrored(clips[i], seed, epoch, i) for i in rows], rows, targets, num_labels
            )

    return Task(
        net=net,
        forward=_logits_of_each_frame,
        batches=batches,
        batches_per_epoch=len(clips) // size,
    )


def _mirrored(
    clip: UInt8[np.ndarray, "t n n 3"], seed: int, epoch: int, index: int
) -> UInt8[np.ndarray, "t n n 3"]:
    is_mirrored = bool(torch.rand((), generator=sample_generator(seed, epoch, index)) < 0.5)
    return clip[:, :, ::-1] if is_mirrored else clip


def _batch(
    clips: Sequence[UInt8[np.ndarray, "t n n 3"]],
    rows: Sequence[int],
    targets: Sequence[int],
    num_labels: int,
) -> Batch:
    frames = torch.from_numpy(np.stack(clips))
    shown = torch.eye(num_labels)[[targets[i] for i in rows]]
    return Batch(
        frames=frames,
        lengths=torch.full((len(clips),), frames.shape[1]),
        targets=repeat(shown, "b k -> b t k", t=frames.shape[1]),
        target_mask=torch.ones(frames.shape[:2], dtype=torch.bool),
        subjects=[""] * len(clips),
        sources=[""] * len(clips),
    )


def _logits_of_each_frame(net: nn.Module, batch: AnyBatch) -> Float[Tensor, "b t k"]:
    assert isinstance(batch, Batch)
    logits: Tensor = net(batch.frames)
    return repeat(logits, "b k -> b t k", t=batch.frames.shape[1])
