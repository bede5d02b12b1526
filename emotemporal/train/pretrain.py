"""Pretrain a frame encoder on images of faces."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from lightning_fabric import Fabric
from torch import nn

from emotemporal.data.augmentation.augment import AugmentConfig
from emotemporal.data.collate import Batch
from emotemporal.data.images import CropSource, ImageCache, ImageSet
from emotemporal.data.loading import batch_rows
from emotemporal.data.packed import pack
from emotemporal.data.readers import load_dataset
from emotemporal.data.select import cap_per_class, take_share
from emotemporal.data.table import DatasetTable, fingerprint, soft_targets
from emotemporal.labels import LabelSpace, parse_label_space
from emotemporal.models.emotion_net import EmotionNet
from emotemporal.models.encoder import initialise
from emotemporal.models.meta import CheckpointMeta
from emotemporal.train.balance import (
    class_weights,
    collected_prior,
    epoch_order,
    logit_offsets,
    training_prior,
)
from emotemporal.train.image_batches import ImageBatches
from emotemporal.train.image_tables import choose_tables
from emotemporal.train.networks import answering_under, frame_logits, whole_net
from emotemporal.train.official import judge_official, judged_batches, read_all
from emotemporal.train.pretrain_config import PretrainConfig
from emotemporal.train.run import (
    build_fabric,
    build_net,
    fit_to_device,
    identity_of,
    make_origin,
    one_run,
    train_in_folder,
)
from emotemporal.train.state import Progress
from emotemporal.train.task import Task, Validation
from emotemporal.train.validate import validate

__all__ = ["PretrainConfig", "pretrain"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Sets:
    train: ImageSet
    validation: ImageSet
    official: ImageSet | None
    """The official validation set, judged once at the end; None if the epoch was chosen on it."""


def pretrain(config: PretrainConfig) -> Progress:
    """Pretrain as `config` says, from wherever its run folder stands.

    Leaves in the run folder: `best.safetensors`, `state.safetensors`, `log.jsonl`, `curves.png`,
    `summary.json` and `config.yaml`.

    Raises:
        ValueError: The data set is unusable, or the folder belongs to another config.
        NonFiniteLossError: The loss is infinite or not a number.
        InterruptedJob: A signal came; the same command goes on.
    """
    labels = parse_label_space(config.labels)
    table = load_dataset(config.data)
    for problem in table.problems:
        _log.info("note: %s", problem)
    sets = _build_sets(config, table, labels)
    if sets.official is not None:
        read_all(sets.official)
    fabric = build_fabric(config.run)
    data_fingerprint = fingerprint(table)
    init = [] if config.init in ("none", "imagenet") else [Path(config.init)]
    identity = identity_of(config, data_fingerprint, *init)
    identity.pop("packed")
    with one_run(fabric, config.run.out, "pretrain", identity, config) as folder:
        net = _build_net(config, labels)
        meta = _describe(config, labels, sets, data_fingerprint)
        task = _build_task(config, labels, sets, net, fabric)
        offsets = task.logit_offsets

        def assemble(trained: nn.Module) -> EmotionNet:
            whole = whole_net(trained)
            return whole if offsets is None else answering_under(whole, offsets)

        progress = train_in_folder(
            folder, "pretrain", task, config.optim, meta, config.run, fabric, assemble=assemble
        )
        if sets.official is not None and fabric.is_global_zero:
            judge_official(folder, sets.official, labels)
    return progress


def _build_sets(config: PretrainConfig, table: DatasetTable, labels: LabelSpace) -> _Sets:
    tables = choose_tables(table, labels, config.select_on, config.validation_share, config.seed)
    train = tables.train
    if config.max_per_class is not None:
        train = cap_per_class(train, config.max_per_class, config.seed)
    if config.train_share < 1:
        train = take_share(train, config.train_share, config.seed)
    _log.info("training on %d images, selecting on %d", len(train), len(tables.validation))
    kept_mb = 0 if config.run.num_workers else config.cache_mb
    official = tables.official
    return _Sets(
        train=_image_set(config, train, labels, kept_mb, config.augment),
        validation=_image_set(config, tables.validation, labels, config.cache_mb),
        official=None if official is None else _image_set(config, official, labels, cache_mb=0),
    )


def _image_set(
    config: PretrainConfig,
    table: DatasetTable,
    labels: LabelSpace,
    cache_mb: int,
    augment: AugmentConfig | None = None,
) -> ImageSet:
    targets, _ = soft_targets(table, labels)
    crops: CropSource = ImageCache(cache_mb << 20)
    if config.packed:
        crops = pack(Path(config.packed), table, config.crop, max(1, config.run.num_workers))
    return ImageSet(
        table, targets, config.preprocess, config.crop, crops, augment, config.augment_on
    )


def _build_net(config: PretrainConfig, labels: LabelSpace) -> EmotionNet:
    net = build_net(config.model, len(labels), config.seed)
    if config.init != "none":
        _log.info("%s", initialise(net.encoder, config.model.encoder, config.init))
    net.encoder.requires_grad_(not config.freeze_encoder)
    fit_to_device(net.encoder, config.run)
    return net


def _describe(
    config: PretrainConfig, labels: LabelSpace, sets: _Sets, data_fingerprint: str
) -> CheckpointMeta:
    return CheckpointMeta(
        labels=labels,
        preprocess=config.preprocess,
        crop=config.crop,
        clip_rate_hz=config.clip_rate_hz,
        model=config.model,
        training_prior=collected_prior(sets.train.targets.sum(axis=0))
        if config.optim.loss == "logit_adjusted"  # and put back into the logits that are kept
        else training_prior(sets.train.targets.sum(axis=0), config.optim),
        origin=make_origin(config, config.seed, data_fingerprint),
    )


def _build_task(
    config: PretrainConfig, labels: LabelSpace, sets: _Sets, net: EmotionNet, fabric: Fabric
) -> Task:
    optim, workers = config.optim, config.run.num_workers
    classes = sets.train.targets.argmax(axis=1)
    counts = sets.train.targets.sum(axis=0)

    loader = ImageBatches(config.mix, config.seed, fabric.global_rank, workers, fabric.device)

    def batches(epoch: int, first: int) -> Iterable[Batch]:
        order = epoch_order(classes, optim, config.seed, epoch)
        rows = batch_rows(order, optim.batch_size, fabric.global_rank, fabric.world_size)
        images = replace(sets.train, preprocess=config.preprocess_in(epoch))
        return loader.load(images, rows, epoch, first)

    def judge(judged: nn.Module) -> Validation:
        return validate(judged, frame_logits, judged_batches(sets.validation), labels, config.model)

    return Task(
        net=net,
        forward=frame_logits,
        batches=batches,
        batches_per_epoch=len(batch_rows(np.arange(len(sets.train)), optim.batch_size)),
        validate=judge,
        class_weights=class_weights(counts, labels, optim),
        logit_offsets=logit_offsets(counts, labels, optim),
    )
