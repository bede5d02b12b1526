from dataclasses import replace

import numpy as np
import pytest
import torch

from emotemporal.inference.prior import to_probabilities
from emotemporal.labels import LabelSpace
from emotemporal.models.emotion_net import EmotionNet
from emotemporal.models.meta import ModelConfig, read_meta
from emotemporal.train.networks import answering_under
from tests.train.feature_clips import PAIR


def test_the_prior_of_the_loss_is_put_back_into_the_logits_and_the_net_left_alone():
    torch.manual_seed(0)
    net = EmotionNet(ModelConfig(), len(LabelSpace(PAIR))).eval()
    frames = torch.randint(0, 256, (1, 2, 32, 32, 3), dtype=torch.uint8)
    offsets = torch.tensor([0.75, 0.25]).log()
    with torch.inference_mode():
        before = net(frames)[0]
        kept = answering_under(net, offsets)(frames)[0]
        after = net(frames)[0]
    assert torch.equal(before, after)
    torch.testing.assert_close(kept, before + offsets)


def test_the_kept_prior_taken_out_gives_what_was_trained(make_checkpoint):

    meta = read_meta(make_checkpoint("frame"))
    count = len(meta.labels)
    prior = np.arange(1, count + 1) / np.arange(1, count + 1).sum()
    meta = replace(meta, training_prior=tuple(prior), temperature=1.0)
    trained = np.random.default_rng(0).normal(size=(3, count))
    uniform = (1 / count,) * count
    powers = np.exp(trained)
    found = to_probabilities(trained + np.log(prior), meta, uniform)
    assert found == pytest.approx(powers / powers.sum(axis=1, keepdims=True))
