from dataclasses import replace

import pytest
from torch import nn

from emotemporal.data.sampling import SamplingConfig
from emotemporal.labels import Emotion, LabelSpace
from emotemporal.models.meta import ModelConfig
from emotemporal.train.heads import head_logits, new_head
from emotemporal.train.streams import as_batches
from emotemporal.train.validate import validate
from emotemporal.types import Target
from tests.train.feature_clips import PAIR, make_clips

LABELS, MODEL = LabelSpace(PAIR), ModelConfig(head="gru", hidden_dim=4)


class _Whole(nn.Module):
    """A head with something frozen before it."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Dropout(0.5)).eval()
        self.head = new_head(8, LABELS, MODEL, 0)

    def forward(self, features, lengths=None):
        return self.head(self.encoder(features))


def _judge(net, clips):
    return validate(net, head_logits, as_batches(clips, LABELS, SamplingConfig()), LABELS, MODEL)


def test_a_network_is_left_as_it_was_found_part_by_part():
    net = _Whole()
    _judge(net, make_clips())
    assert (net.training, net.encoder.training, net.encoder[0].training) == (True, False, False)
    assert net.head.training


def test_a_clip_of_which_nothing_is_known_is_refused_by_name():
    clips = make_clips()
    clips[3] = replace(clips[3], targets=(Target(0.0, 1.0, Emotion.ANGER),))
    with pytest.raises(ValueError, match="AA/fear3 shows none of fear, surprise"):
        _judge(_Whole(), clips)
