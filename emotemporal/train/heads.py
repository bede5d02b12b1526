"""Train a head on features: the small training that studies repeat by the hundred."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from threading import Event

import numpy as np
import torch
from jaxtyping import Float
from lightning_fabric import Fabric
from torch import Tensor, nn

from emotemporal.data.clips import LossOn
from emotemporal.data.collate import FeatureBatch, collate_features
from emotemporal.data.loading import batch_rows
from emotemporal.data.sampling import SamplingConfig, clip_indices
from emotemporal.data.seeds import derive_seed
from emotemporal.labels import LabelSpace
from emotemporal.models.heads.build import build_head
from emotemporal.models.heads.change_filter import ChangeFilterHead
from emotemporal.models.heads.recurrent import LogitsGRUHead
from emotemporal.models.meta import ModelConfig
from emotemporal.train.balance import class_weights, epoch_order, logit_offsets
from emotemporal.train.features import ClipFeatures
from emotemporal.train.loop import fit
from emotemporal.train.optim import OptimConfig, refuse_encoder_options
from emotemporal.train.order import Shuffle
from emotemporal.train.state import Keeper, Progress
from emotemporal.train.streams import Streams, StreamSampling, as_batches
from emotemporal.train.task import AnyBatch, Task, Validation
from emotemporal.train.truth import shares_shown
from emotemporal.train.validate import JudgeBy, validate


@dataclass(frozen=True)
class HeadConfig:
    """A head, and how it is trained on the features of a frozen encoder."""

    model: ModelConfig = field(default_factory=lambda: ModelConfig(head="gru", hidden_dim=128))
    optim: OptimConfig = field(default_factory=lambda: OptimConfig(epochs=30, batch_size=16))
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    """Which frames of a clip the head is shown."""
    loss_on: LossOn = "every"
    """Judge the head after every frame of a clip, or after the last one only."""
    clips_per_stream: int = 1
    """Above 1, clips of one subject are joined, so that the head learns to change its mind."""
    judge_by: JudgeBy = "clips"
    """What the best epoch is chosen by: one answer a clip, or, where clips change what they show,
    the answer after every frame."""
    shuffle: Shuffle = "no"
    """An ablation: train on streams whose segments, or frames, come in another order."""

    def __post_init__(self) -> None:
        if self.clips_per_stream < 1:
            raise ValueError(f"clips_per_stream is {self.clips_per_stream}; it is at least 1")
        if self.model.looks_ahead and self.loss_on == "last":
            raise ValueError(
                f"loss_on is last, but a {self.model.head} answers with the mean of its frames, "
                "which have all seen the whole clip: set loss_on to every"
            )


def refuse_more_than_features(config: HeadConfig) -> None:
    """Refuse a head that cannot be trained on features alone.

    Raises:
        ValueError: Its options are of an encoder, or it filters a frame classifier's answers.
    """
    refuse_encoder_options(config.optim)
    if config.model.has_frame_classifier:
        raise ValueError(
            f"a {config.model.head} filters the answers of a trained frame classifier, and a fold "
            "has none: take a gru with head_input features, or train it by 'finetune'"
        )


def new_head(
    feature_dim: int,
    labels: LabelSpace,
    model: ModelConfig,
    seed: int,
    frame_classifier: nn.Linear | None = None,
) -> nn.Module:
    """Return a head whose first weights are a function of the seed alone.

    A filter of a frame classifier's answers is given that classifier, trained already.

    Raises:
        ValueError: It is not.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "head"))
        head = build_head(feature_dim, len(labels), model)
    if isinstance(head, LogitsGRUHead | ChangeFilterHead):
        if frame_classifier is None:
            raise ValueError(
                "this head needs a trained frame classifier, which 'finetune' takes from its "
                "checkpoint; elsewhere use a gru with head_input features"
            )
        head.frame_classifier.load_state_dict(frame_classifier.state_dict())
    return head


def head_task(
    head: nn.Module,
    clips: Sequence[ClipFeatures],
    judged: Sequence[ClipFeatures],
    labels: LabelSpace,
    config: HeadConfig,
    seed: int,
    fabric: Fabric,
) -> Task:
    """Return the training of `head` on `clips`; each epoch is judged on `judged`, if there are any.

    Raises:
        ValueError: A clip's emotion is outside `labels`.
    """
    for clip in (*clips, *judged):
        if clip.emotion not in labels:
            raise ValueError(
                f"{clip.source} shows {clip.emotion}, which is not one of "
                f"{', '.join(labels.names)}; leave it out first"
            )
    how = StreamSampling(config.sampling, config.loss_on, config.clips_per_stream, config.shuffle)
    streams = Streams(clips, labels, how, seed)
    emotions = [labels.index(clip.emotion) for clip in clips]
    counts = np.sum([_shown(clip, labels) for clip in clips], axis=0)

    def batches(epoch: int, first: int) -> Iterable[FeatureBatch]:
        size = min(config.optim.batch_size, len(clips))
        order = epoch_order(emotions, config.optim, seed, epoch)
        rows = batch_rows(order, size, fabric.global_rank, fabric.world_size)
        for batch in rows[first:]:
            yield collate_features([streams.sample(i, epoch) for i in batch])

    seen = list(as_batches(judged, labels, config.sampling.judging))

    def judge(net: nn.Module) -> Validation:
        return validate(net, head_logits, seen, labels, config.model, config.judge_by)

    return Task(
        net=head,
        forward=head_logits,
        batches=batches,
        batches_per_epoch=len(clips) // min(config.optim.batch_size, len(clips)),
        validate=judge if judged else None,
        class_weights=class_weights(counts, labels, config.optim),
        logit_offsets=logit_offsets(counts, labels, config.optim),
    )


def _shown(clip: ClipFeatures, labels: LabelSpace) -> Float[np.ndarray, " k"]:
    if len({target.emotion for target in clip.targets}) > 1:
        return shares_shown(clip.targets, labels)
    return np.eye(len(labels))[labels.index(clip.emotion)]


def train_head(  # noqa: PLR0913, PLR0917 (what a fold consists of)
    clips: Sequence[ClipFeatures],
    judged: Sequence[ClipFeatures],
    labels: LabelSpace,
    config: HeadConfig,
    seed: int,
    fabric: Fabric,
    keeper: Keeper,
    stop: Event | None = None,
    stop_after: int | None = None,
) -> tuple[nn.Module, Progress]:
    """Train a new head on `clips`; return it as the last epoch left it, and how it went."""
    head = new_head(clips[0].views.shape[-1], labels, config.model, seed)
    task = head_task(head, clips, judged, labels, config, seed, fabric)
    progress = fit(task, config.optim, seed, fabric, keeper, stop, stop_after)
    return head.eval(), progress


@torch.inference_mode()
def head_probabilities(
    head: nn.Module, clip: ClipFeatures, sampling: SamplingConfig
) -> Float[np.ndarray, "t k"]:
    """Return a trained head's probabilities after each frame of a clip, as it is."""
    device = next(head.parameters()).device
    features = clip.views[0][clip_indices(clip.times_s, sampling.judging)]
    logits, _ = head(torch.from_numpy(features)[None].to(device))
    return np.asarray(logits[0].double().softmax(-1).cpu().numpy())


def head_logits(net: nn.Module, batch: AnyBatch) -> Tensor:
    """Return a head's logits for a batch of features."""
    assert isinstance(batch, FeatureBatch)
    logits: Tensor = net(batch.features, lengths=batch.lengths)[0]
    return logits
