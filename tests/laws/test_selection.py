"""Law 4: selection never looks at what is reported."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from emotemporal.ablate.nested import as_rows, fit_fold
from emotemporal.evaluation.protocols import leave_one_subject_out
from emotemporal.labels import LabelSpace
from emotemporal.models.meta import ModelConfig
from emotemporal.train.heads import HeadConfig
from emotemporal.train.optim import OptimConfig
from tests.train.feature_clips import PAIR, make_clips

LABELS = LabelSpace(PAIR)
CONFIG = HeadConfig(
    model=ModelConfig(head="gru", hidden_dim=4),
    optim=OptimConfig(epochs=3, batch_size=4, learning_rate=0.01),
)
FACTORS = (3.0, 0.3)


@pytest.fixture(scope="module")
def fabric() -> Fabric:
    return Fabric(accelerator="cpu", devices=1)


def _fit(clips, fold, fabric):
    result = fit_fold(clips, fold, LABELS, CONFIG, FACTORS, 0, fabric)
    weights = torch.cat([p.detach().flatten() for p in result.head.parameters()]).numpy()
    return weights, result.choice


def test_corrupting_the_test_speaker_changes_neither_the_choice_nor_a_bit(fabric):
    clips = make_clips()
    fold = leave_one_subject_out(as_rows(clips))[0]
    before = _fit(clips, fold, fabric)
    corrupted = list(clips)
    for i in fold.test:
        other = PAIR[1 - PAIR.index(clips[i].emotion)]
        targets = tuple(replace(target, emotion=other) for target in clips[i].targets)
        views = np.full_like(clips[i].views, np.nan)
        corrupted[i] = replace(clips[i], emotion=other, targets=targets, views=views)
    after = _fit(corrupted, fold, fabric)
    assert np.array_equal(before[0], after[0])
    assert before[1] == after[1]


def test_corrupting_a_training_speaker_does_change_it(fabric):
    clips = make_clips()
    fold = leave_one_subject_out(as_rows(clips))[0]
    before = _fit(clips, fold, fabric)
    corrupted = list(clips)
    corrupted[fold.train[0]] = replace(clips[fold.train[0]], views=-clips[fold.train[0]].views)
    after = _fit(corrupted, fold, fabric)
    assert not np.array_equal(before[0], after[0])
