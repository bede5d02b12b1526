"""Law 1: live equals offline."""

from __future__ import annotations

import csv
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from emotemporal.export.job import ExportConfig, export
from emotemporal.faces.detect import DetectorConfig
from emotemporal.faces.follow import FollowConfig, Follower, follow, gather_clips
from emotemporal.faces.track import TrackerConfig
from emotemporal.inference import StreamPredictor, load_engine, predict_clip
from emotemporal.inference.torch_engine import TorchEngine
from emotemporal.live.runner import LiveConfig, run_live
from emotemporal.models.checkpoint import load_checkpoint
from emotemporal.preprocess import preprocess
from emotemporal.types import Box
from emotemporal.video.file import VideoFile
from tests.fakes import FakeDetector, FakeSource

TOLERANCE = 1e-5
HAAR = DetectorConfig("haar")


def live_probabilities(checkpoint, video, folder, prior="training"):
    """Run live; return each track's times and raw probabilities, as the table tells them."""
    table = folder / "live.csv"
    run_live(
        LiveConfig(
            str(video), str(checkpoint), csv=str(table), detector=HAAR, window="no", prior=prior
        )
    )
    tracks = {}
    for row in csv.DictReader(table.read_text().splitlines()):
        shares = [float(value) for name, value in row.items() if name.startswith("raw_")]
        tracks.setdefault(int(row["track_id"]), []).append((float(row["time_s"]), shares))
    return [
        (np.array([time_s for time_s, _ in rows]), np.array([shares for _, shares in rows]))
        for _, all_rows in sorted(tracks.items())
        for rows in split_where_out_of_sight(all_rows)
    ]


def split_where_out_of_sight(rows):
    """A face that was gone for long keeps its number, but nothing is remembered: two clips."""
    parts = [[rows[0]]]
    for before, row in pairwise(rows):
        if row[0] - before[0] > TrackerConfig().max_unseen_s:
            parts.append([])
        parts[-1].append(row)
    return parts


def offline_predictions(checkpoint, video, prior="training"):
    """Follow to the end, then judge each face's whole clip at once."""
    engine, meta = load_engine(checkpoint)
    follower = Follower(FollowConfig(HAAR, crop=meta.crop))
    with VideoFile(video) as frames:
        clips = gather_clips(frames, follower, video.name)
    return [predict_clip(engine, meta, clip, prior) for clip in clips]


def assert_parity(live, offline):
    assert len(live) == len(offline) > 0
    for (times_s, probabilities), whole in zip(live, offline, strict=True):
        np.testing.assert_allclose(times_s, whole.times_s, rtol=0, atol=1e-6)
        np.testing.assert_allclose(probabilities, whole.probabilities, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("prior", ["training", "uniform"])
@pytest.mark.parametrize("head", ["gru", "frame"])
def test_a_video_run_live_gives_the_offline_probabilities(
    make_checkpoint, tiny_scene, tmp_path, head, prior
):
    checkpoint = make_checkpoint(head)
    live = live_probabilities(checkpoint, tiny_scene, tmp_path, prior)
    assert_parity(live, offline_predictions(checkpoint, tiny_scene, prior))


@pytest.mark.parametrize("storage", ["float32", "int8"])
@pytest.mark.parametrize("head", ["gru", "frame"])
def test_a_video_run_live_in_onnx_gives_the_offline_probabilities(
    make_onnx, tiny_scene, tmp_path, head, storage
):
    checkpoint = make_onnx(head, storage)
    live = live_probabilities(checkpoint, tiny_scene, tmp_path)
    assert_parity(live, offline_predictions(checkpoint, tiny_scene))


@pytest.mark.parametrize("head", ["gru", "frame"])
def test_a_video_run_live_in_onnx_gives_the_probabilities_of_the_network(
    make_checkpoint, make_onnx, tiny_scene, tmp_path, head
):
    live = live_probabilities(make_onnx(head), tiny_scene, tmp_path)
    assert_parity(live, offline_predictions(make_checkpoint(head), tiny_scene))


def test_int8_is_told_from_the_network_it_was_made_of(
    make_checkpoint, make_onnx, tiny_scene, tmp_path
):
    live = live_probabilities(make_onnx("gru", "int8"), tiny_scene, tmp_path)
    with pytest.raises(AssertionError):
        assert_parity(live, offline_predictions(make_checkpoint("gru"), tiny_scene))


@pytest.mark.slow
def test_int8_run_live_gives_the_labels_of_the_trained_network_offline(
    trained_checkpoint, test_data, tmp_path
):
    rounded = tmp_path / "trained.int8.onnx"
    export(ExportConfig(str(rounded), str(trained_checkpoint), int8=True))
    same = []
    for name in ("WolfgangLanger_Pexels.mp4", "stage_many_faces.mp4"):
        video = test_data / "clips" / name
        if not video.exists():
            pytest.skip(f"no {name}")
        live = live_probabilities(rounded, video, tmp_path)
        offline = offline_predictions(trained_checkpoint, video)
        assert len(live) == len(offline) > 0
        same += [
            probabilities.argmax(axis=1) == whole.probabilities.argmax(axis=1)
            for (_, probabilities), whole in zip(live, offline, strict=True)
        ]
    assert np.concatenate(same).mean() >= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("name", ["WolfgangLanger_Pexels.mp4", "stage_many_faces.mp4"])
def test_a_real_video_run_live_gives_the_offline_probabilities(
    tiny_checkpoint, test_data, tmp_path, name
):
    video = test_data / "clips" / name
    if not video.exists():
        pytest.skip(f"no {name}")
    live = live_probabilities(tiny_checkpoint, video, tmp_path)
    assert_parity(live, offline_predictions(tiny_checkpoint, video))


@pytest.mark.parametrize("pause_s", [0.4, 0.5, 0.6, 3.0])
def test_a_source_that_pauses_gives_the_offline_probabilities(tiny_checkpoint, pause_s):
    engine, meta = load_engine(tiny_checkpoint)
    times_s = np.concatenate([np.arange(20) / 20, 0.95 + pause_s + np.arange(20) / 20])
    room = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)

    def source():
        return FakeSource(times_s, lambda time_s: np.roll(room, int(time_s * 20), axis=2))

    def follower():
        return Follower(FollowConfig(crop=meta.crop), FakeDetector([Box(40, 30, 90, 80, 1.0)]))

    predictor = StreamPredictor(engine, meta)
    live = [
        judgement
        for frame, views in follow(source(), follower())
        for judgement in predictor.step(views, frame.time_s)
    ]
    live += predictor.finish()
    clips = gather_clips(source(), follower(), "pausing")
    assert len(clips) == (1 if pause_s <= 0.5 else 2)
    offline = [predict_clip(engine, meta, clip) for clip in clips]
    np.testing.assert_allclose(
        [judgement.raw for judgement in live],
        np.concatenate([whole.probabilities for whole in offline]),
        rtol=0,
        atol=TOLERANCE,
    )


def stepwise(engine, crops):
    """Step two equal streams, since a network in training mode takes no batch of one."""
    states, rows = [None, None], []
    for crop in crops:
        logits, states = engine.step(np.stack([crop, crop]), states)
        rows.append(logits[0])
    return torch.from_numpy(np.stack(rows)).softmax(-1)


def whole(engine, crops):
    return torch.from_numpy(engine.run(crops)).softmax(-1)


@pytest.fixture
def network(tiny_checkpoint, tiny_clip):
    net, meta = load_checkpoint(tiny_checkpoint)
    return net, meta, preprocess(tiny_clip.crops[:20], meta.preprocess)


def test_one_frame_at_a_time_gives_the_probabilities_of_the_whole_clip(network):
    net, meta, crops = network
    engine = TorchEngine(net, meta.labels)
    torch.testing.assert_close(
        stepwise(engine, crops), whole(engine, crops), rtol=0, atol=TOLERANCE
    )


def test_training_mode_breaks_parity(network):
    net, meta, crops = network
    engine = TorchEngine(net, meta.labels)
    net.train()  # behind the engine's back
    with pytest.raises(AssertionError):
        torch.testing.assert_close(
            stepwise(engine, crops), whole(engine, crops), rtol=0, atol=TOLERANCE
        )


def test_a_lost_state_breaks_parity(network):
    net, meta, crops = network
    engine = TorchEngine(net, meta.labels)
    forgetful = np.concatenate([engine.step(crop[None], [None])[0] for crop in crops])
    with pytest.raises(AssertionError):
        torch.testing.assert_close(
            torch.from_numpy(forgetful).softmax(-1), whole(engine, crops), rtol=0, atol=TOLERANCE
        )


@pytest.mark.parametrize("num_seen", [1, 13, 37])
def test_the_past_does_not_depend_on_the_future(tiny_checkpoint, tiny_clip, num_seen):
    engine, meta = load_engine(tiny_checkpoint)
    seen = replace(
        tiny_clip, crops=tiny_clip.crops[:num_seen], times_s=tiny_clip.times_s[:num_seen]
    )
    early = predict_clip(engine, meta, seen).probabilities
    late = predict_clip(engine, meta, tiny_clip).probabilities
    np.testing.assert_allclose(early, late[: len(early)], rtol=0, atol=TOLERANCE)


def test_padding_is_invisible(network):
    net, _, crops = network
    frames = torch.from_numpy(crops)
    padded = torch.full((2, 20, *frames.shape[1:]), 255, dtype=torch.uint8)
    padded[0, :7], padded[1] = frames[:7], frames
    with torch.inference_mode():
        alone, _ = net(frames[None, :7])
        together, _ = net(padded, lengths=torch.tensor([7, 20]))
    torch.testing.assert_close(
        together[0, :7].softmax(-1), alone[0].softmax(-1), rtol=0, atol=TOLERANCE
    )


def test_padding_that_is_encoded_shows_in_training(network):
    net, _, crops = network
    frames = torch.from_numpy(crops)
    padded = torch.full((2, 20, *frames.shape[1:]), 255, dtype=torch.uint8)
    padded[0, :7], padded[1] = frames[:7], frames
    lengths = torch.tensor([7, 20])
    net.train()
    with torch.no_grad():
        real_only = net.encode(padded, lengths)[0, :7]
        padding_too = net.encode(padded)[0, :7]
    assert not torch.allclose(real_only, padding_too, atol=1e-3)
