"""One connection's pipeline by itself, without a server."""

from __future__ import annotations

import numpy as np
import pytest

from emotemporal.inference.card import (
    CardEntry,
    Measured,
    SmoothingCard,
    card_path,
    fingerprint_of,
    write_card,
)
from emotemporal.inference.card_inside import pack_card
from emotemporal.inference.graph_file import read_entries
from emotemporal.inference.load import LoadedModel
from emotemporal.inference.predictor import StreamConfig
from emotemporal.inference.smoothing import SmoothingConfig
from emotemporal.live.serve.config import ServeConfig
from emotemporal.live.serve.house import House
from emotemporal.live.serve.session import Session
from emotemporal.models.meta import read_meta
from emotemporal.types import Frame
from tests.fakes import FakeEngine
from tests.live.serve.serving import HAAR, colour_model

CONFIG = ServeConfig(detector=HAAR)


@pytest.fixture
def remembering(make_checkpoint):
    checkpoint = make_checkpoint("gru")
    return colour_model(checkpoint, FakeEngine(read_meta(checkpoint).labels, memory=0.5))


def test_another_smoother_loses_no_tick_and_no_memory(remembering, portrait):
    def judged(change_at: int | None) -> list:
        session, judgements = Session(remembering, CONFIG, StreamConfig()), []
        for i in range(10):
            if i == change_at:
                session.smooth(SmoothingConfig("none"))
            judgements += session.judge(Frame(portrait, i / 10, i)).judgements
        return judgements + session.finish()

    plain, changed = judged(None), judged(5)
    assert len(plain) == 10
    np.testing.assert_array_equal([j.raw for j in changed], [j.raw for j in plain])
    np.testing.assert_array_equal(changed[-1].smoothed, changed[-1].raw)


def test_a_restart_keeps_the_smoother_and_forgets_the_faces(remembering, portrait):
    session = Session(remembering, CONFIG, StreamConfig())
    session.smooth(SmoothingConfig("none"))
    for _ in range(2):
        for i in range(3):
            seen = session.judge(Frame(portrait, i / 10, i))
        assert [view.track.id for view in seen.views] == [0]
        np.testing.assert_array_equal(seen.judgements[-1].smoothed, seen.judgements[-1].raw)
        session.restart()


def test_the_card_inside_a_graph_is_offered_too(make_checkpoint, make_onnx, tmp_path):
    onnx = pytest.importorskip("onnx", reason="writing a graph needs the extra 'export'")
    meta = read_meta(make_checkpoint("gru"))
    entry = CardEntry(SmoothingConfig("none"), Measured(0.2, 0.5, 3.0, 0.1, 0.6, 0.6))
    card = SmoothingCard(fingerprint_of(meta), meta.labels.names, "training", 0.35, (entry,), 0)
    source = tmp_path / "source.safetensors"
    write_card(card, card_path(source))
    graph = onnx.load(make_onnx())
    onnx.helper.set_model_props(
        graph, read_entries(make_onnx().read_bytes()) | pack_card(source, meta)
    )
    path = tmp_path / "alone.onnx"
    path.write_bytes(graph.SerializeToString())
    house = House(LoadedModel(FakeEngine(meta.labels), meta, path, "onnx"), CONFIG)
    assert "auto" in [control["name"] for control in house.about()["controls"]]
    house.close()
