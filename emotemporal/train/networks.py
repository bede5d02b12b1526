"""The network as a whole, whichever part of it a job trains."""

from __future__ import annotations

import copy

import torch
from jaxtyping import Float
from torch import Tensor, nn

from emotemporal.data.collate import Batch
from emotemporal.labels import LabelSpace
from emotemporal.models.emotion_net import EmotionNet
from emotemporal.models.heads.frame import FrameHead
from emotemporal.models.meta import CheckpointError, CheckpointMeta
from emotemporal.train.run import build_net
from emotemporal.train.task import AnyBatch


def whole_net(net: nn.Module) -> EmotionNet:
    """Return the network itself: it was trained as a whole."""
    assert isinstance(net, EmotionNet)
    return net


def frame_logits(net: nn.Module, batch: AnyBatch) -> Tensor:
    """Return a network's logits for a batch of frames."""
    assert isinstance(batch, Batch)
    logits: Tensor = net(batch.frames, lengths=batch.lengths)[0]
    return logits


def answering_under(net: EmotionNet, offsets: Float[Tensor, " k"]) -> EmotionNet:
    """Return a frame network whose logits have the offsets that its loss had: the prior's.

    A loss with the prior in it leaves logits that assume all emotions alike. What is kept answers
    as if trained without it, under the prior as collected, which `--prior` can then take out.
    """
    assert isinstance(net.head, FrameHead)
    whole = copy.deepcopy(net)
    assert isinstance(whole.head, FrameHead)
    with torch.no_grad():
        whole.head.classifier.bias.add_(offsets)
    return whole


def join(net: EmotionNet, head: nn.Module, meta: CheckpointMeta) -> EmotionNet:
    """Return a network of one's encoder and a head that was trained on its features."""
    whole = EmotionNet(meta.model, len(meta.labels))
    whole.encoder.load_state_dict(net.encoder.state_dict())
    whole.head.load_state_dict(head.state_dict())
    return whole.eval()


def frame_classifier_of(net: EmotionNet, meta: CheckpointMeta, labels: LabelSpace) -> nn.Linear:
    """Return a frame network's classifier, of the logits of `labels` alone and in their order.

    Raises:
        CheckpointError: Its head is none that judges each frame by itself.
        ValueError: It does not know some of `labels`.
    """
    if not isinstance(net.head, FrameHead):
        raise CheckpointError(
            "a filter of a frame classifier's answers needs a checkpoint with a frame head, from "
            f"'pretrain'; this one has a {meta.model.head} head"
        )
    rows = labels.indices_in(meta.labels)
    known = net.head.classifier
    chosen = nn.Linear(known.in_features, len(labels))
    chosen.load_state_dict({"weight": known.weight[rows], "bias": known.bias[rows]})
    return chosen


def with_new_head(net: EmotionNet, meta: CheckpointMeta, seed: int) -> EmotionNet:
    """Return a network of one's encoder and a head drawn by the seed."""
    whole = build_net(meta.model, len(meta.labels), seed)
    whole.encoder.load_state_dict(copy.deepcopy(net.encoder.state_dict()))
    return whole
