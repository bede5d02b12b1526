"""The network as a whole, whichever part of it a job trains."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from emotemporal.data.collate import Batch
from emotemporal.models.emotion_net import EmotionNet
from emotemporal.models.meta import CheckpointMeta
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


def join(net: EmotionNet, head: nn.Module, meta: CheckpointMeta) -> EmotionNet:
    """Return a network of one's encoder and a head that was trained on its features."""
    whole = EmotionNet(meta.model, len(meta.labels))
    whole.encoder.load_state_dict(net.encoder.state_dict())
    whole.head.load_state_dict(head.state_dict())
    return whole.eval()


def with_new_head(net: EmotionNet, meta: CheckpointMeta, seed: int) -> EmotionNet:
    """Return a network of one's encoder and a head drawn by the seed."""
    whole = build_net(meta.model, len(meta.labels), seed)
    whole.encoder.load_state_dict(copy.deepcopy(net.encoder.state_dict()))
    return whole
