import math
from dataclasses import replace
from threading import Event

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from emotemporal.labels import LabelSpace
from emotemporal.models.meta import ModelConfig
from emotemporal.stopping import InterruptedJob
from emotemporal.train.heads import HeadConfig, head_probabilities, head_task, new_head, train_head
from emotemporal.train.loop import NonFiniteLossError, fit
from emotemporal.train.optim import OptimConfig
from emotemporal.train.state import FolderKeeper, MemoryKeeper
from emotemporal.types import Target
from tests.train.feature_clips import PAIR, make_clips

LABELS = LabelSpace(PAIR)


@pytest.fixture(scope="module")
def fabric() -> Fabric:
    return Fabric(accelerator="cpu", devices=1)


def _config(**optim) -> HeadConfig:
    settings = {"epochs": 4, "batch_size": 4, "learning_rate": 0.01} | optim
    return HeadConfig(
        model=ModelConfig(head="gru", hidden_dim=8, dropout=0.2), optim=OptimConfig(**settings)
    )


def _weights(head) -> np.ndarray:
    return torch.cat([p.detach().flatten() for p in head.parameters()]).numpy()


def test_a_head_learns_what_its_features_tell(fabric):
    clips = make_clips()
    head, progress = train_head(clips, clips, LABELS, _config(), 0, fabric, MemoryKeeper())
    assert progress.rows[-1].val_uar > 0.95
    assert progress.rows[-1].train_loss < progress.rows[0].train_loss
    answers = [head_probabilities(head, clip, _config().sampling)[-1].argmax() for clip in clips]
    assert (
        np.mean([LABELS.emotions[a] is c.emotion for a, c in zip(answers, clips, strict=True)])
        > 0.95
    )


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(fabric):
    clips = make_clips()
    one, other, third = (
        _weights(train_head(clips, clips, LABELS, _config(), seed, fabric, MemoryKeeper())[0])
        for seed in (1, 1, 2)
    )
    assert np.array_equal(one, other)
    assert not np.array_equal(one, third)


def test_the_last_epoch_is_kept_where_that_is_asked_for(fabric):
    clips = make_clips()
    config = _config(keep="last", learning_rate=0.3)
    _, progress = train_head(clips, clips, LABELS, config, 0, fabric, MemoryKeeper())
    assert progress.best_epoch == 4
    _, chosen = train_head(clips, clips, LABELS, _config(), 0, fabric, MemoryKeeper())
    assert chosen.best_epoch < 4  # every epoch after it is as good, and no better


def test_an_epoch_without_any_known_truth_is_told_in_a_sentence(fabric):
    clips = [replace(clip, targets=(Target(0.0, 0.05, clip.emotion),)) for clip in make_clips()]
    config = replace(_config(), loss_on="last")
    with pytest.raises(ValueError, match="the truth is known"):
        train_head(clips, [], LABELS, config, 0, fabric, MemoryKeeper())


def test_looking_for_flat_minima_ends_elsewhere_and_still_learns(fabric):
    clips = make_clips()
    plain, _ = train_head(clips, clips, LABELS, _config(), 0, fabric, MemoryKeeper())
    config = _config(sam_rho=0.1)
    sharp, progress = train_head(clips, clips, LABELS, config, 0, fabric, MemoryKeeper())
    assert not np.array_equal(_weights(plain), _weights(sharp))
    assert progress.rows[-1].val_uar > 0.9


def test_a_prior_in_the_loss_takes_the_prior_out_of_the_answers(fabric):
    """Features that say nothing: what is left to learn is how often each emotion occurs."""
    clips = [replace(clip, views=np.ones_like(clip.views)) for clip in make_clips()]
    rare = [clip for clip in clips if clip.emotion is PAIR[1]][:4]
    clips = [clip for clip in clips if clip.emotion is PAIR[0]] + rare

    def answer(**optim):
        config = _config(epochs=60, **optim)
        head, _ = train_head(clips, [], LABELS, config, 0, fabric, MemoryKeeper())
        return head_probabilities(head, clips[0], config.sampling)[-1, 1]

    share = len(rare) / len(clips)
    assert answer() == pytest.approx(share, abs=0.1)
    assert answer(loss="logit_adjusted") == pytest.approx(0.5, abs=0.12)


def test_the_global_generator_is_left_alone(fabric):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    train_head(make_clips(), [], LABELS, _config(epochs=1), 0, fabric, MemoryKeeper())
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("sam_rho", [0.0, 0.05])
@pytest.mark.parametrize("stop_at", [1, 5, 6, 7, 12, 17])
def test_a_run_that_is_stopped_anywhere_ends_with_the_same_bits(fabric, tmp_path, stop_at, sam_rho):
    clips, config = make_clips(), _config(epochs=3, ema_decay=0.9, sam_rho=sam_rho)

    def run(keeper, stop=None):
        head = new_head(clips[0].views.shape[-1], LABELS, config.model, 3)
        task = head_task(head, clips, clips, LABELS, config, 3, fabric)
        if stop is not None:
            task = replace(task, batches=_asking(task.batches, stop, stop_at))
        progress = fit(task, config.optim, 3, fabric, keeper, stop)
        return _weights(head), progress

    whole, progress = run(FolderKeeper(tmp_path / "whole", lambda net, row: None))
    keeper = FolderKeeper(tmp_path / "parts", lambda net, row: None)
    with pytest.raises(InterruptedJob):
        run(keeper, Event())
    resumed, resumed_progress = run(keeper)
    assert np.array_equal(whole, resumed)
    assert progress == resumed_progress


def _asking(batches, stop, at):
    """Ask to stop when batch number `at` of the whole run is fetched."""
    count = 0

    def asking(epoch, first):
        nonlocal count
        for batch in batches(epoch, first):
            count += 1
            if count == at:
                stop.set()
            yield batch

    return asking


def test_an_interrupted_run_that_forgets_its_optimiser_ends_elsewhere(fabric, tmp_path):
    """The comparison above can fail: what it compares depends on everything that is saved."""
    clips, config = make_clips(), _config(epochs=2)
    folder = FolderKeeper(tmp_path, lambda net, row: None)

    class Forgetful(FolderKeeper):
        def load(self):
            state = super().load()
            if state is None:
                return None
            kept = {k: v for k, v in state.tensors.items() if not k.startswith("optimizer.")}
            return replace(state, tensors=kept)

    whole, _ = train_head(clips, [], LABELS, config, 0, fabric, MemoryKeeper())
    train_head(clips, [], LABELS, config, 0, fabric, folder, stop_after=1)
    forgetful = Forgetful(tmp_path, lambda net, row: None)
    resumed, _ = train_head(clips, [], LABELS, config, 0, fabric, forgetful)
    assert not np.array_equal(_weights(whole), _weights(resumed))


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_state(fabric, tmp_path):
    clips = make_clips()
    kept = []
    keeper = FolderKeeper(tmp_path, lambda net, row: kept.append(row.epoch))
    train_head(clips, clips, LABELS, _config(), 0, fabric, keeper, stop_after=1)
    poisoned = [replace(clip, views=np.full_like(clip.views, math.inf)) for clip in clips]
    with pytest.raises(NonFiniteLossError, match="epoch 2"):
        train_head(poisoned, [], LABELS, _config(), 0, fabric, keeper)
    state = keeper.load()
    assert state.progress.epoch == 1
    assert all(torch.isfinite(value).all() for value in state.tensors.values())
    assert kept == [1]


def test_patience_ends_a_run_that_gets_no_better(fabric):
    clips = make_clips()
    config = _config(epochs=30, patience=2)
    _, progress = train_head(clips, clips, LABELS, config, 0, fabric, MemoryKeeper())
    assert progress.epoch < 30
    assert progress.epoch == progress.best_epoch + 2


def test_a_run_that_patience_ended_has_nothing_left_to_do(fabric, tmp_path):
    clips = make_clips()
    config = _config(epochs=30, patience=2)
    keeper = FolderKeeper(tmp_path, lambda net, row: None)
    head, ended = train_head(clips, clips, LABELS, config, 0, fabric, keeper)
    again, progress = train_head(clips, clips, LABELS, config, 0, fabric, keeper)
    assert progress == ended
    assert np.array_equal(_weights(head), _weights(again))


def test_the_moving_average_is_what_is_judged_and_kept(fabric):
    clips, keeper = make_clips(), MemoryKeeper()
    head, _ = train_head(clips, [], LABELS, _config(ema_decay=0.99), 0, fabric, keeper)
    kept = torch.cat([v.flatten() for v in keeper.best.values()]).numpy()
    assert not np.array_equal(kept, _weights(head))


def _task_of_a_rare_emotion(fabric, **optim):
    clips = [clip for i, clip in enumerate(make_clips(num_each=8)) if i % 16 < 9]
    config = _config(**optim)
    return head_task(new_head(8, LABELS, config.model, 0), clips, [], LABELS, config, 0, fabric)


def test_class_weights_reach_the_loss_of_a_head(fabric):
    weights = _task_of_a_rare_emotion(fabric, class_weights="balanced").class_weights
    np.testing.assert_allclose(weights, [27 / 48, 27 / 6])
    assert _task_of_a_rare_emotion(fabric).class_weights is None


def test_balanced_sampling_shows_a_head_every_emotion_equally_often(fabric):
    batches = list(_task_of_a_rare_emotion(fabric, sampling="balanced").batches(0, 0))
    shown = sum(batch.targets[:, 0].sum(dim=0) for batch in batches)
    assert abs(shown[0] - shown[1]) <= 2


def test_clips_outside_the_label_space_are_refused_by_name(fabric):
    clips = make_clips(emotions=(*PAIR, next(e for e in type(PAIR[0]) if e not in PAIR)))
    with pytest.raises(ValueError, match="AA/neutral0 shows neutral"):
        train_head(clips, [], LABELS, _config(), 0, fabric, MemoryKeeper())


def test_streams_join_clips_of_one_subject(fabric):
    clips = make_clips()
    config = replace(_config(epochs=1), clips_per_stream=3)
    head = new_head(8, LABELS, config.model, 0)
    task = head_task(head, clips, [], LABELS, config, 0, fabric)
    batch = next(iter(task.batches(0, 0)))
    assert batch.features.shape[1] == 18
    changes = (batch.targets.argmax(-1).diff(dim=1) != 0).sum()
    assert changes > 0, "a stream of three clips changes its mind somewhere"
