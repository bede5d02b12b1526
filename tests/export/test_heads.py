"""Each causal head as a graph of one step: as good as in torch, or refused by name."""

from __future__ import annotations

import numpy as np
import pytest

from emotemporal.export.check import largest_difference
from emotemporal.export.faces import drawn_crops, random_crops
from emotemporal.export.job import ExportConfig, export
from emotemporal.inference.load import load_engine
from emotemporal.models.meta import CheckpointError

HEADS = [
    pytest.param("window_gru", {"window_frames": 4}, id="window-gru"),
    pytest.param("transformer", {"window_frames": 4, "num_layers": 2}, id="transformer"),
    pytest.param("attention", {}, id="attention", marks=pytest.mark.slow),
    pytest.param("lstm", {"num_layers": 2}, id="lstm", marks=pytest.mark.slow),
    pytest.param("tcn", {"num_layers": 3}, id="tcn", marks=pytest.mark.slow),
    pytest.param("change_filter", {"hidden_dim": 40}, id="change-filter", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("head", "model"), HEADS)
def test_a_graph_gives_the_probabilities_of_the_head(make_checkpoint, make_onnx, head, model):
    trained, meta = load_engine(make_checkpoint(head, **model))
    exported, told = load_engine(make_onnx(head, **model))
    assert told == meta
    # A stream longer than any window, and streams that begin beside others that run.
    seen = np.concatenate([drawn_crops(meta, 9), random_crops(meta, 4)])
    assert largest_difference(trained, exported, meta, seen) < 1e-5


def test_a_head_that_looks_ahead_is_not_exported_and_the_reason_told(make_checkpoint, tmp_path):
    out = tmp_path / "bigru.onnx"
    with pytest.raises(CheckpointError, match=r"'bigru' cannot run on a stream.*end of the video"):
        export(ExportConfig(str(out), str(make_checkpoint("bigru"))))
    assert not out.exists()
