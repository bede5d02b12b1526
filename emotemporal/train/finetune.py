"""Fine-tune a temporal head on clips of faces, on a frozen encoder's features or with it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from lightning_fabric import Fabric
from torch import nn

from emotemporal.data.clips import ClipSet
from emotemporal.data.collate import Batch
from emotemporal.data.loading import batch_rows, load_batches
from emotemporal.labels import LabelSpace, parse_label_space
from emotemporal.models.checkpoint import load_checkpoint
from emotemporal.models.emotion_net import EmotionNet
from emotemporal.models.meta import CheckpointError, CheckpointMeta
from emotemporal.train.balance import class_weights, epoch_order, logit_offsets, training_prior
from emotemporal.train.features import (
    ClipFeatures,
    compute_features,
    require_same_crop,
)
from emotemporal.train.finetune_config import FinetuneConfig
from emotemporal.train.heads import head_task, new_head
from emotemporal.train.networks import (
    frame_classifier_of,
    frame_logits,
    join,
    whole_net,
    with_new_head,
)
from emotemporal.train.run import (
    build_fabric,
    fit_to_device,
    identity_of,
    make_origin,
    one_run,
    train_in_folder,
)
from emotemporal.train.selection import Chosen, choose_clips, refuse_one_answer
from emotemporal.train.state import Progress
from emotemporal.train.task import Task, Validation
from emotemporal.train.truth import read_truth, with_truth
from emotemporal.train.validate import validate

__all__ = ["FinetuneConfig", "finetune"]

_log = logging.getLogger(__name__)


def finetune(config: FinetuneConfig) -> Progress:
    """Fine-tune as `config` says, from wherever its run folder stands.

    Raises:
        CheckpointError: The clips were cropped otherwise than the checkpoint demands.
        ValueError: A subject is unknown, nobody is left to train on, or the folder belongs to
            another config.
        NonFiniteLossError: The loss is infinite or not a number.
        InterruptedJob: A signal came; the same command goes on.
    """
    labels = parse_label_space(config.labels)
    judging = Path(config.validation_data) if config.validation_data else None
    chosen = choose_clips(Path(config.data), labels, config.held_out, config.validation, judging)
    refuse_one_answer(chosen, config.head)
    net, meta = load_checkpoint(Path(config.checkpoint))
    for prepared in (chosen.prepared, chosen.judging):
        require_same_crop(meta, prepared)
    if config.head.model.encoder != meta.model.encoder:
        raise CheckpointError(
            f"{config.checkpoint} has a {meta.model.encoder}, head.model.encoder is "
            f"{config.head.model.encoder}; set it to the checkpoint's"
        )
    fabric = build_fabric(config.run)
    identity = identity_of(config, chosen.fingerprints, *_files(config))
    identity.pop("cache")
    with one_run(fabric, config.run.out, "finetune", identity, config) as folder:
        described = _describe(config, labels, meta, chosen)
        if config.train_encoder:
            whole = with_new_head(net, described, config.seed)
            fit_to_device(whole.encoder, config.run)
            task = _frames_task(config, labels, chosen, whole, described, fabric)
        else:
            task = _features_task(config, labels, chosen, net, meta, fabric)
        return train_in_folder(
            folder,
            "finetune",
            task,
            config.head.optim,
            described,
            config.run,
            fabric,
            assemble=whole_net if config.train_encoder else partial(join, net, meta=described),
        )


def _files(config: FinetuneConfig) -> list[Path]:
    return [Path(name) for name in (config.checkpoint, config.truth) if name]


def _describe(
    config: FinetuneConfig,
    labels: LabelSpace,
    meta: CheckpointMeta,
    chosen: Chosen,
) -> CheckpointMeta:
    return replace(
        meta.without_calibration(),
        labels=labels,
        clip_rate_hz=config.head.sampling.clip_rate_hz,
        model=config.head.model,
        training_prior=training_prior(chosen.counts(labels), config.head.optim),
        origin=make_origin(config, config.seed, chosen.fingerprints),
        metrics={},
    )


def _features_task(
    config: FinetuneConfig,
    labels: LabelSpace,
    chosen: Chosen,
    net: EmotionNet,
    meta: CheckpointMeta,
    fabric: Fabric,
) -> Task:
    at_rate = replace(meta, clip_rate_hz=config.head.sampling.clip_rate_hz)
    train, judged = _features(config, chosen, net, at_rate)
    if config.truth:
        path = Path(config.truth)
        truth = read_truth(path)
        train, judged = (with_truth(some, truth, path) for some in (train, judged))
    takes_answers = config.head.model.has_frame_classifier
    frames = frame_classifier_of(net, meta, labels) if takes_answers else None
    head = new_head(net.feature_dim, labels, config.head.model, config.seed, frames)
    return head_task(head, train, judged, labels, config.head, config.seed, fabric)


def _features(
    config: FinetuneConfig, chosen: Chosen, net: EmotionNet, meta: CheckpointMeta
) -> tuple[list[ClipFeatures], list[ClipFeatures]]:
    """Return what to train on, in all its views, and what to judge, as it is."""
    cache, device = Path(config.cache), config.run.device
    features = compute_features(net, meta, chosen.prepared, config.views, cache, device)
    judging = features
    if chosen.judging is not chosen.prepared:
        as_is = replace(config.views, num_augmented=0)
        judging = compute_features(net, meta, chosen.judging, as_is, cache, device)
    return [features[i] for i in chosen.train], [judging[i] for i in chosen.judged]


def _frames_task(
    config: FinetuneConfig,
    labels: LabelSpace,
    chosen: Chosen,
    net: EmotionNet,
    meta: CheckpointMeta,
    fabric: Fabric,
) -> Task:
    head, optim, workers = config.head, config.head.optim, config.run.num_workers
    train = ClipSet(
        chosen.prepared,
        chosen.train,
        labels,
        meta.preprocess,
        head.sampling,
        config.views.augment,
        head.loss_on,
    )
    sampling = head.sampling.judging
    judged = ClipSet(chosen.judging, chosen.judged, labels, meta.preprocess, sampling)
    classes, counts = chosen.classes(labels), chosen.counts(labels)

    def batches(epoch: int, first: int) -> Iterable[Batch]:
        order = epoch_order(classes, optim, config.seed, epoch)
        parts = batch_rows(order, optim.batch_size, fabric.global_rank, fabric.world_size)
        return load_batches(train, parts[first:], config.seed, epoch, workers)

    def judge(judged_net: nn.Module) -> Validation:
        ones = [[i] for i in range(len(judged))]
        seen = load_batches(judged, ones, seed=0, epoch=0)
        return validate(judged_net, frame_logits, seen, labels, meta.model, head.judge_by)

    return Task(
        net=net,
        forward=frame_logits,
        batches=batches,
        batches_per_epoch=len(batch_rows(np.arange(len(train)), optim.batch_size)),
        validate=judge if len(judged) else None,
        class_weights=class_weights(counts, labels, optim),
        logit_offsets=logit_offsets(counts, labels, optim),
    )
