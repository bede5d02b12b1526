from __future__ import annotations

from dataclasses import replace

import pytest

from emotemporal.inference.card import (
    CardEntry,
    CardError,
    Measured,
    SmoothingCard,
    card_path,
    fingerprint_of,
    write_card,
)
from emotemporal.inference.card_inside import find_card, pack_card
from emotemporal.inference.graph_file import read_entries
from emotemporal.inference.smoothing import SmoothingConfig
from emotemporal.models.meta import read_meta

pytest.importorskip("onnx", reason="writing a graph needs the extra 'export'")


@pytest.fixture
def card(make_checkpoint):
    meta = read_meta(make_checkpoint("gru"))
    entry = CardEntry(SmoothingConfig("none"), Measured(0.2, 0.5, 3.0, 0.1, 0.6, 0.6))
    return SmoothingCard(fingerprint_of(meta), meta.labels.names, "training", 0.35, (entry,), 0)


@pytest.fixture
def graph(make_checkpoint, make_onnx, card, tmp_path):
    """A graph that was exported from beside its card, and lies alone."""
    import onnx

    source = tmp_path / "source" / "gru.safetensors"
    source.parent.mkdir()
    source.write_bytes(make_checkpoint("gru").read_bytes())
    write_card(card, card_path(source))
    whole = onnx.load(make_onnx())
    entries = read_entries(make_onnx().read_bytes()) | pack_card(source, read_meta(source))
    onnx.helper.set_model_props(whole, entries)
    path = tmp_path / "alone.onnx"
    path.write_bytes(whole.SerializeToString())
    return path


def test_a_graph_that_lies_alone_has_its_card(graph, card, make_checkpoint):
    meta = read_meta(make_checkpoint("gru"))
    assert find_card(graph, meta) == card
    assert find_card(make_checkpoint("gru"), meta) is None


def test_a_card_beside_a_graph_goes_before_the_one_inside(graph, card, make_checkpoint):
    newer = replace(card, prior="uniform")
    write_card(newer, card_path(graph))
    assert find_card(graph, read_meta(make_checkpoint("gru"))) == newer


def test_anothers_card_inside_is_refused(graph, make_checkpoint):
    other = replace(read_meta(make_checkpoint("gru")), temperature=3.0)
    with pytest.raises(CardError, match="measured on another checkpoint"):
        find_card(graph, other)


def test_without_a_card_nothing_is_packed(make_checkpoint):
    path = make_checkpoint("frame")
    assert pack_card(path, read_meta(path)) == {}
