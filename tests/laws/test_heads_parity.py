"""Law 1 of every head: live equals offline, or live is refused with the reason."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from emotemporal.faces.follow import FollowConfig, Follower, follow, gather_clips
from emotemporal.inference import StreamPredictor, load_engine, predict_clip
from emotemporal.inference.clip import judge_clip
from emotemporal.inference.engine import CAUSAL_HEADS
from emotemporal.inference.torch_engine import TorchEngine
from emotemporal.labels import Emotion
from emotemporal.live.predict import PredictConfig, predict
from emotemporal.live.runner import LiveConfig, run_live
from emotemporal.models.checkpoint import load_checkpoint
from emotemporal.models.config import HeadName
from emotemporal.models.meta import CheckpointError
from emotemporal.types import Box, FaceClip, Target
from tests.fakes import FakeSource

TOLERANCE = 1e-5
BOXES = (Box(30, 20, 80, 70, 1.0), Box(90, 50, 140, 100, 1.0))
CAUSAL = {
    "frame": {},
    "attention": {},
    "gru": {"num_layers": 2},
    "lstm": {"num_layers": 2},
    "window_gru": {"window_frames": 5},
    "tcn": {"num_layers": 3},
    "transformer": {"window_frames": 5, "num_layers": 2},
    "change_filter": {"hidden_dim": 40},
}


def test_every_head_is_here():
    assert set(CAUSAL) == set(CAUSAL_HEADS)
    assert set(CAUSAL) | {"bigru"} == set(HeadName.__args__)


class ToldDetector:
    """Sees as many faces as the picture's first pixel says."""

    name = "annotation"

    def __call__(self, image: np.ndarray) -> list[Box]:
        return list(BOXES[: image[0, 0, 0]])


def two_faces() -> FakeSource:
    """One face; later another beside it; nobody for a while, longer than a memory lasts; both."""
    times_s = np.concatenate([np.arange(36) / 20, 3.5 + np.arange(16) / 20])
    room = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)

    def draw(time_s: float) -> np.ndarray:
        picture = np.roll(room, int(time_s * 20), axis=2)
        picture[0, 0, 0] = 1 if time_s < 0.7 else 2
        return picture

    return FakeSource(times_s, draw)


def live_and_offline(engine, meta) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return each track's probabilities, live and offline."""

    def follower() -> Follower:
        return Follower(FollowConfig(crop=meta.crop), ToldDetector())

    predictor = StreamPredictor(engine, meta)
    judged = [
        judgement
        for frame, views in follow(two_faces(), follower())
        for judgement in predictor.step(views, frame.time_s)
    ]
    tracks: dict[int, list[np.ndarray]] = {}
    for judgement in [*judged, *predictor.finish()]:
        tracks.setdefault(judgement.track_id, []).append(judgement.raw)
    clips = gather_clips(two_faces(), follower(), "two faces")
    offline = [predict_clip(engine, meta, clip).probabilities for clip in clips]
    live = [np.stack(rows) for _, rows in sorted(tracks.items())]
    return list(zip(live, offline, strict=True))


@pytest.mark.parametrize("head", CAUSAL)
def test_streams_that_begin_apart_pause_and_begin_anew_are_judged_as_offline(make_checkpoint, head):
    engine, meta = load_engine(make_checkpoint(head, **CAUSAL[head]))
    tracks = live_and_offline(engine, meta)
    assert len(tracks) == 4
    for live, offline in tracks:
        np.testing.assert_allclose(live, offline, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("head", ["attention", "transformer"])
def test_a_memory_that_is_lost_is_noticed(make_checkpoint, head):
    class Forgetful(TorchEngine):
        def step(self, crops, states):
            return super().step(crops, [None] * len(states))

    net, meta = load_checkpoint(make_checkpoint(head, **CAUSAL[head]))
    tracks = live_and_offline(Forgetful(net, meta.labels), meta)
    assert max(np.abs(live - offline).max() for live, offline in tracks) > 100 * TOLERANCE


@pytest.fixture
def bidirectional(make_checkpoint):
    return make_checkpoint("bigru")


@pytest.fixture
def clip(tiny_clip) -> FaceClip:
    targets = (Target(0.0, 2.0, Emotion.ANGER),)
    return FaceClip(tiny_clip.crops, tiny_clip.times_s, targets, "nobody", "tiny")


def test_a_head_that_looks_ahead_is_refused_on_streams_with_the_reason(
    bidirectional, tiny_scene, tmp_path, clip
):
    engine, meta = load_engine(bidirectional)
    table = str(tmp_path / "table.csv")
    live = LiveConfig(str(tiny_scene), str(bidirectional), csv=table, window="no")
    tables = PredictConfig([str(tiny_scene)], str(bidirectional), csv=table)
    for refuse in (
        lambda: StreamPredictor(engine, meta),
        lambda: predict_clip(engine, meta, clip),
        lambda: run_live(live),
        lambda: predict(tables),
    ):
        with pytest.raises(CheckpointError, match="'bigru' cannot run on a stream: an answer may"):
            refuse()
    with pytest.raises(ValueError, match="needs the whole clip at once"):
        engine.step(np.zeros((1, 32, 32, 3), np.uint8), [None])


def test_a_head_that_looks_ahead_judges_whole_clips(bidirectional, clip, monkeypatch):
    engine, meta = load_engine(bidirectional)
    judged = judge_clip(engine, meta, clip)
    assert judged.probabilities.sum() == pytest.approx(1.0)
    # Encoded in parts, but judged in one: another part's end must not look like the clip's.
    monkeypatch.setattr("emotemporal.inference.torch_engine._CHUNK", 4)
    again = judge_clip(engine, meta, clip)
    np.testing.assert_allclose(again.probabilities, judged.probabilities, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("head", [*CAUSAL, "bigru"])
def test_a_padded_batch_of_frames_is_judged_as_single_clips(make_checkpoint, head):
    net, _ = load_checkpoint(make_checkpoint(head, **CAUSAL.get(head, {})))
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(256, (2, 8, 32, 32, 3), generator=generator, dtype=torch.uint8)
    with torch.inference_mode():
        alone, _ = net(frames[:1, :5])
        together, _ = net(frames, lengths=torch.tensor([5, 8]))
    torch.testing.assert_close(
        together[0, :5].softmax(-1), alone[0].softmax(-1), rtol=0, atol=TOLERANCE
    )
