from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from emotemporal.inference import load_engine
from emotemporal.inference.engine import require_causal
from emotemporal.labels import SAVEE_7
from emotemporal.models.meta import CheckpointError, read_meta
from emotemporal.preprocess import preprocess
from tests.fakes import with_head


@pytest.fixture
def crops(tiny_checkpoint, tiny_clip):
    return preprocess(tiny_clip.crops[:6], read_meta(tiny_checkpoint).preprocess)


def test_engine_says_the_checkpoints_labels(tiny_checkpoint):
    engine, meta = load_engine(tiny_checkpoint)
    assert engine.labels == meta.labels == SAVEE_7


@pytest.mark.parametrize("head", ["gru", "frame"])
def test_steps_give_what_one_run_gives(make_checkpoint, crops, head):
    engine, _ = load_engine(make_checkpoint(head))
    state, rows = None, []
    for crop in crops:
        logits, (state,) = engine.step(crop[None], [state])
        rows.append(logits[0])
    np.testing.assert_allclose(np.stack(rows), engine.run(crops), rtol=0, atol=1e-4)


def test_a_long_clip_in_parts_gives_what_it_gives_whole(tiny_checkpoint, crops, monkeypatch):
    engine, _ = load_engine(tiny_checkpoint)
    whole = engine.run(crops)
    monkeypatch.setattr("emotemporal.inference.torch_engine._CHUNK", 4)
    np.testing.assert_allclose(engine.run(crops), whole, rtol=0, atol=1e-4)


def test_streams_in_one_batch_do_not_touch_each_other(tiny_checkpoint, crops):
    engine, _ = load_engine(tiny_checkpoint)
    _, (running,) = engine.step(crops[:1], [None])
    together, states = engine.step(crops[1:3], [running, None])
    alone, _ = engine.step(crops[1:2], [running])
    new, _ = engine.step(crops[2:3], [None])
    assert len(states) == 2
    np.testing.assert_allclose(together, np.concatenate([alone, new]), rtol=0, atol=1e-4)


def test_engine_asks_one_state_a_crop(tiny_checkpoint, crops):
    engine, _ = load_engine(tiny_checkpoint)
    with pytest.raises(ValueError, match="2 crops for 1 streams"):
        engine.step(crops[:2], [None])


def test_a_device_that_is_not_there_is_told(tiny_checkpoint):
    with pytest.raises(ValueError, match=r"device 'abacus' cannot be used.*Try 'cpu'"):
        load_engine(tiny_checkpoint, "abacus")


def test_a_missing_checkpoint_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        load_engine(tmp_path / "none.safetensors")


@pytest.mark.parametrize("head", ["bigru", "mamba"])
def test_a_head_that_may_look_ahead_is_refused_by_name(tiny_checkpoint, head):
    meta = with_head(read_meta(tiny_checkpoint), head)
    with pytest.raises(CheckpointError, match=f"head '{head}' cannot run on a stream"):
        require_causal(meta)


def test_importing_the_room_does_not_import_torch():
    code = "import sys, emotemporal.inference; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
