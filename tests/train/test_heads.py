"""Every head is trained by the one loop: it learns, ignores padding, and resumes to the bit."""

from __future__ import annotations

from dataclasses import replace
from threading import Event

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from emotemporal.data.sampling import SamplingConfig
from emotemporal.labels import LabelSpace
from emotemporal.models.meta import ModelConfig
from emotemporal.stopping import InterruptedJob
from emotemporal.train.features import ClipFeatures
from emotemporal.train.heads import HeadConfig, head_logits, head_task, new_head, train_head
from emotemporal.train.loop import fit
from emotemporal.train.optim import OptimConfig
from emotemporal.train.state import FolderKeeper, MemoryKeeper
from emotemporal.train.streams import Streams, StreamSampling, as_batches
from emotemporal.train.validate import validate
from tests.train.feature_clips import PAIR, make_clips

LABELS = LabelSpace(PAIR)
MODELS = [
    pytest.param(ModelConfig(head=head, hidden_dim=8, dropout=0.1, **options), id=head)
    for head, options in {
        "frame": {},
        "attention": {},
        "gru": {},
        "lstm": {},
        "bigru": {},
        "window_gru": {"window_frames": 3},
        "tcn": {"num_layers": 2},
        "transformer": {"window_frames": 3},
    }.items()
]


@pytest.fixture(scope="module")
def fabric() -> Fabric:
    return Fabric(accelerator="cpu", devices=1)


def unequal_clips() -> list[ClipFeatures]:
    """Clips of three to six frames, so that batches are padded."""
    return [
        replace(clip, views=clip.views[:, : 3 + i % 4], times_s=clip.times_s[: 3 + i % 4])
        for i, clip in enumerate(make_clips())
    ]


def config_of(model: ModelConfig, **optim) -> HeadConfig:
    settings = {"epochs": 6, "batch_size": 4, "learning_rate": 0.01} | optim
    return HeadConfig(model=model, optim=OptimConfig(**settings))


@pytest.mark.parametrize("model", MODELS)
def test_a_head_learns_and_is_judged_in_batches_as_clip_by_clip(model, fabric):
    clips = unequal_clips()
    head, progress = train_head(clips, clips, LABELS, config_of(model), 0, fabric, MemoryKeeper())
    assert progress.rows[-1].val_uar > 0.9
    together, one_by_one = (
        validate(
            head, head_logits, as_batches(clips, LABELS, SamplingConfig(), size), LABELS, model
        )
        for size in (64, 1)
    )
    assert together.loss == pytest.approx(one_by_one.loss, abs=1e-5)
    assert together.uar == one_by_one.uar


@pytest.mark.parametrize("model", MODELS)
def test_a_head_whose_training_is_interrupted_ends_with_the_same_bits(model, fabric, tmp_path):
    clips, config = unequal_clips(), config_of(model, epochs=2)

    def run(keeper, stop_at=None):
        head = new_head(clips[0].views.shape[-1], LABELS, model, 3)
        task = head_task(head, clips, clips, LABELS, config, 3, fabric)
        stop = Event()

        def batches(epoch, first):
            for number, batch in enumerate(task.batches(epoch, first)):
                if (epoch, number) == stop_at:
                    stop.set()
                yield batch

        fit(replace(task, batches=batches), config.optim, 3, fabric, keeper, stop)
        return torch.cat([p.detach().flatten() for p in head.parameters()]).numpy()

    whole = run(MemoryKeeper())
    keeper = FolderKeeper(tmp_path, lambda net, row: None)
    with pytest.raises(InterruptedJob):
        run(keeper, stop_at=(1, 2))
    assert np.array_equal(run(keeper), whole)


def test_the_last_frame_alone_is_no_loss_for_a_head_that_looks_ahead():
    with pytest.raises(ValueError, match=r"bigru answers with the mean.*loss_on to every"):
        HeadConfig(model=ModelConfig(head="bigru"), loss_on="last")


@pytest.mark.parametrize(
    ("sampling", "is_random"),
    [
        (SamplingConfig(), False),
        (SamplingConfig(jitter_s=0.2), True),
        (SamplingConfig("dense", num_frames=3), False),
        (SamplingConfig("dense", num_frames=3, jitter_s=0.2), True),
        (SamplingConfig("uniform", num_frames=3, jitter_s=0.2), False),
        (SamplingConfig("segment", num_frames=3), True),
        (SamplingConfig("random", num_frames=3), True),
    ],
    ids=str,
)
def test_frames_are_kept_from_epoch_to_epoch_only_where_nothing_is_drawn(sampling, is_random):
    assert sampling.is_random is is_random
    clips = make_clips(num_frames=12)
    streams = Streams(clips, LABELS, StreamSampling(sampling, "every", 2, "no"), seed=0)
    fresh = [
        Streams(clips, LABELS, StreamSampling(sampling, "every", 2, "no"), 0) for _ in range(2)
    ]
    seen = []
    for epoch, alone in enumerate(fresh):
        ours, theirs = streams.sample(3, epoch), alone.sample(3, epoch)
        assert np.array_equal(ours.features, theirs.features)
        assert np.array_equal(ours.targets, theirs.targets)
        seen.append(ours.features)
    assert not np.array_equal(*seen)  # another view, or another clip beside it
