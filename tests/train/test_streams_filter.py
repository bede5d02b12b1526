"""The learned filter, from stills to a checkpoint that runs live."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from emotemporal.data.prepare import load_prepared
from emotemporal.data.readers import DatasetConfig
from emotemporal.data.sampling import SamplingConfig
from emotemporal.data.streams.make import StreamsConfig, make_streams
from emotemporal.data.streams.plan import PlanConfig
from emotemporal.data.streams.stills import StillsConfig
from emotemporal.inference.load import load_engine
from emotemporal.inference.predictor import predict_clip
from emotemporal.labels import AFFECTNET_8, Emotion, LabelSpace
from emotemporal.models.checkpoint import load_checkpoint
from emotemporal.models.meta import CheckpointError, ModelConfig
from emotemporal.preprocess import preprocess
from emotemporal.storage import read_jsonl
from emotemporal.train.features import ViewConfig
from emotemporal.train.finetune import FinetuneConfig, finetune
from emotemporal.train.heads import HeadConfig, head_logits, new_head
from emotemporal.train.log import TrackingConfig
from emotemporal.train.networks import frame_classifier_of
from emotemporal.train.optim import OptimConfig
from emotemporal.train.order import shuffled_order
from emotemporal.train.run import RunConfig
from emotemporal.train.streams import as_batches
from emotemporal.train.truth import shares_shown
from emotemporal.train.validate import validate
from emotemporal.types import Target
from tests.data.tiny_sets import write_image
from tests.train.feature_clips import PAIR, make_clips

EMOTIONS = (Emotion.NEUTRAL, Emotion.HAPPINESS, Emotion.FEAR)
LABELS = LabelSpace(EMOTIONS)
NAMES = ",".join(LABELS.names)


@pytest.fixture(scope="module")
def encoder(make_checkpoint):
    return make_checkpoint("frame", crop_px=48)


@pytest.fixture(scope="module")
def streams(tmp_path_factory):
    """Two parts of the same pictures: to learn from and to tune on."""
    root = tmp_path_factory.mktemp("stills")
    for i, emotion in enumerate(EMOTIONS):
        for number in range(10):
            write_image(root / "val" / emotion / f"{number}.png", 10 * i + number)
    for part in ("1/2", "2/2"):
        config = StreamsConfig(
            data=DatasetConfig(name="folder", root=str(root)),
            output=str(root / part[0]),
            num_streams=4,
            labels=NAMES,
            stills=StillsConfig("validation", part),
            plan=PlanConfig(stream_s=(2.0, 2.5), segment_s=(0.5, 1.0)),
        )
        make_streams(config)
    return root


def _config(encoder, streams, tmp_path, **changes) -> FinetuneConfig:
    config = FinetuneConfig(
        checkpoint=str(encoder),
        data=str(streams / "1"),
        validation_data=str(streams / "2"),
        labels=NAMES,
        head=HeadConfig(
            model=ModelConfig(head="gru", hidden_dim=8, answer="mean"),
            optim=OptimConfig(epochs=2, batch_size=2),
            judge_by="frames",
        ),
        views=ViewConfig(num_augmented=0),
        cache=str(tmp_path / "features"),
        run=RunConfig(out=str(tmp_path / "run"), tracking=TrackingConfig(wandb="off")),
    )
    return replace(config, **changes)


def _on_answers(config: FinetuneConfig, kind: str = "gru") -> FinetuneConfig:
    """Let the head be a filter of the frame classifier's answers."""
    model = replace(config.head.model, head_input="logits")
    if kind == "change_filter":
        model = ModelConfig(head="change_filter", hidden_dim=32, answer="mean")
    return replace(config, head=replace(config.head, model=model))


def test_a_filter_is_trained_on_one_part_and_chosen_on_the_other(encoder, streams, tmp_path):
    finetune(_config(encoder, streams, tmp_path))
    rows = read_jsonl(tmp_path / "run" / "log.jsonl")
    assert [row["epoch"] for row in rows] == [1, 2]
    engine, meta = load_engine(tmp_path / "run" / "best.safetensors")
    both = [load_prepared(streams / part).fingerprint for part in "12"]
    assert meta.origin.data_fingerprint == f"{both[0]}, validation {both[1]}"
    tuning = load_prepared(streams / "2")
    prediction = predict_clip(engine, meta, tuning.load(0))
    assert len(prediction.truth) > 1
    learned = load_prepared(streams / "1")
    shares = np.mean([shares_shown(learned.targets(i), LABELS) for i in range(4)], axis=0)
    np.testing.assert_allclose(meta.training_prior, shares, atol=1e-6)


def test_sharing_a_still_with_what_chooses_the_epoch_is_refused(encoder, streams, tmp_path):
    config = _config(encoder, streams, tmp_path)
    copied = streams / "copied"
    data = DatasetConfig(name="folder", root=str(streams))
    plan = PlanConfig(stream_s=(2.0, 2.5), segment_s=(0.5, 1.0))
    make_streams(
        StreamsConfig(data, str(copied), 1, 9, NAMES, StillsConfig("validation"), plan=plan)
    )
    with pytest.raises(ValueError, match=r"share \d+ stills.*--part 1/2"):
        finetune(replace(config, validation_data=str(copied)))
    with pytest.raises(ValueError, match="share 4 sources"):
        finetune(replace(config, validation_data=config.data))


@pytest.mark.parametrize(
    ("judge_by", "answer"), [("clips", "mean"), ("frames", "last")], ids=["by-clip", "last"]
)
def test_one_answer_a_stream_is_refused(encoder, streams, tmp_path, judge_by, answer):
    config = _config(encoder, streams, tmp_path)
    model = replace(config.head.model, answer=answer)
    with pytest.raises(ValueError, match="have no one answer"):
        finetune(replace(config, head=replace(config.head, judge_by=judge_by, model=model)))


@pytest.mark.parametrize("kind", ["gru", "change_filter"])
def test_a_filter_of_answers_carries_the_checkpoints_classifier_as_it_was(
    encoder, streams, tmp_path, kind
):
    finetune(_on_answers(_config(encoder, streams, tmp_path), kind))
    before, after = load_file(encoder), load_file(tmp_path / "run" / "best.safetensors")
    _, meta = load_checkpoint(encoder)
    rows = LABELS.indices_in(meta.labels)
    wanted = before["head.classifier.weight"][rows]
    assert np.array_equal(after["head.frame_classifier.weight"], wanted)
    wanted = before["head.classifier.bias"][rows]
    assert np.array_equal(after["head.frame_classifier.bias"], wanted)


@pytest.mark.parametrize("kind", ["gru", "change_filter"])
def test_a_filter_of_answers_is_live_what_it_is_offline(encoder, streams, tmp_path, kind):
    finetune(_on_answers(_config(encoder, streams, tmp_path), kind))
    engine, meta = load_engine(tmp_path / "run" / "best.safetensors")
    assert meta.model.has_frame_classifier
    crops = preprocess(load_prepared(streams / "2").load(0).crops[:20], meta.preprocess)
    states, live = [None, None], []
    for crop in crops:  # with a second stream beside it
        logits, states = engine.step(np.stack([crop, 255 - crop]), states)
        live.append(logits[0])
    whole = engine.run(crops)
    torch.testing.assert_close(
        torch.from_numpy(np.stack(live)).softmax(-1),
        torch.from_numpy(whole).softmax(-1),
        rtol=0,
        atol=1e-5,
    )
    alone = np.concatenate([engine.run(crop[None]) for crop in crops])
    assert np.abs(alone - whole).max() > 1e-3, "without memory it would be the same"


def test_a_filter_of_answers_needs_a_frame_head(make_checkpoint):
    net, meta = load_checkpoint(make_checkpoint("gru", crop_px=48))
    with pytest.raises(CheckpointError, match="this one has a gru head"):
        frame_classifier_of(net, meta, LABELS)
    with pytest.raises(ValueError, match="needs a trained frame classifier"):
        new_head(8, LABELS, ModelConfig(head="gru", head_input="logits"), 0)


def test_logits_of_an_encoder_that_learns_are_refused(encoder, streams, tmp_path):
    config = _on_answers(_config(encoder, streams, tmp_path))
    with pytest.raises(ValueError, match="needs an encoder that does"):
        replace(config, train_encoder=True)


def test_two_ways_to_choose_the_epoch_are_refused(encoder, streams, tmp_path):
    with pytest.raises(ValueError, match="both choose the epoch"):
        _config(encoder, streams, tmp_path, validation=("AA",))


def test_clips_that_change_are_judged_by_their_frames():
    labels = LabelSpace(PAIR)
    clips = make_clips(num_each=1, subjects=("AA",))
    turning = (Target(0.0, 0.2, PAIR[0]), Target(0.2, 1.0, PAIR[1]))
    clips = [replace(clips[0], targets=turning)]
    head = torch.nn.Linear(8, 2)
    head.weight.data.zero_()
    head.bias.data = torch.tensor([0.0, 1.0])  # always the second

    class Constant(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = head

        def forward(self, features, lengths=None):
            return self.head(features), None

    found = validate(
        Constant(),
        head_logits,
        as_batches(clips, labels, SamplingConfig()),
        labels,
        ModelConfig(head="gru", answer="mean"),
        judge_by="frames",
    )
    assert found.accuracy == pytest.approx(4 / 6)
    assert found.uar == pytest.approx(0.5)


def test_shuffling_keeps_each_frame_beside_its_truth_and_what_lasts_together():
    times_s = np.arange(12) / 10
    targets = [Target(0.0, 0.5, EMOTIONS[0]), Target(0.5, 0.8, EMOTIONS[1])]
    targets.append(Target(0.8, 1.2, EMOTIONS[0]))
    generator = torch.Generator().manual_seed(3)
    assert shuffled_order(times_s, targets, "no", generator).tolist() == list(range(12))
    runs = {tuple(range(5)), tuple(range(5, 8)), tuple(range(8, 12))}
    seen = set()
    for _ in range(20):
        order = shuffled_order(times_s, targets, "segments", generator).tolist()
        assert sorted(order) == list(range(12))
        starts = [0, *(i for i in range(1, 12) if order[i] != order[i - 1] + 1), 12]
        pieces = [tuple(order[a:b]) for a, b in pairwise(starts)]
        assert all(any(set(run) <= set(piece) for piece in pieces) for run in runs)
        seen.add(tuple(order))
    assert len(seen) == 6
    frames = shuffled_order(times_s, targets, "frames", generator).tolist()
    assert sorted(frames) == list(range(12))
    assert tuple(frames) not in seen


def test_the_order_of_a_table_of_truth_does_not_matter_to_shuffling():
    times_s = np.arange(12) / 10
    targets = [Target(0.0, 0.5, EMOTIONS[0]), Target(0.5, 0.8, EMOTIONS[1])]
    targets.append(Target(0.8, 1.2, EMOTIONS[0]))
    one, other = (
        shuffled_order(times_s, told, "segments", torch.Generator().manual_seed(3)).tolist()
        for told in (targets, targets[::-1])
    )
    assert one == other


@pytest.mark.parametrize("shuffle", ["segments", "frames"])
def test_a_filter_of_shuffled_streams_is_another_one(encoder, streams, tmp_path, shuffle):
    config = _config(encoder, streams, tmp_path)
    finetune(config)
    run = replace(config.run, out=str(tmp_path / "shuffled"))
    finetune(replace(config, head=replace(config.head, shuffle=shuffle), run=run))
    names = [tmp_path / name / "best.safetensors" for name in ("run", "shuffled")]
    first, second = (load_file(name)["head.gru.weight_hh_l0"] for name in names)
    assert not np.array_equal(first, second)


def test_shares_are_of_the_time_that_is_known():
    targets = [Target(0.0, 1.0, Emotion.FEAR), Target(1.0, 2.0, Emotion.ANGER)]
    targets.append(Target(2.0, 5.0, Emotion.NEUTRAL))
    assert shares_shown(targets, LABELS).tolist() == [0.75, 0.0, 0.25]
    assert shares_shown(targets, AFFECTNET_8).sum() == pytest.approx(1)
