"""Law 1, from outside: `live`, `predict` and the Python interface say the same of a video."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from emotemporal.faces.detect import DetectorConfig
from emotemporal.live import RecogniseConfig, recognise
from emotemporal.live.predict import PredictConfig, predict
from emotemporal.live.runner import LiveConfig, run_live

HAAR = DetectorConfig("haar")
ROUNDED = 1e-6  # of probabilities in tables


def table_of(path):
    reader = {".csv": pd.read_csv, ".parquet": pd.read_parquet}.get(path.suffix)
    table = pd.read_json(path, lines=True, dtype=False) if reader is None else reader(path)
    return table.drop(columns=["source"], errors="ignore")


@pytest.fixture(params=["gru", "frame"])
def by_python(request, make_checkpoint, tiny_scene):
    checkpoint = make_checkpoint(request.param)
    config = RecogniseConfig(str(checkpoint), detector=HAAR)
    frame = recognise(tiny_scene, config).to_frame()
    assert frame["track_id"].nunique() >= 2
    return checkpoint, config, frame


def shown_of(table):
    return [name if isinstance(name, str) else "" for name in table["shown"]]


def assert_same(table, frame):
    assert list(table.columns) == list(frame.columns)
    assert shown_of(table) == shown_of(frame)
    numbers = [name for name in frame.columns if name != "shown"]
    np.testing.assert_allclose(
        table[numbers].astype(float), frame[numbers].astype(float), rtol=0, atol=ROUNDED
    )


def test_live_says_what_python_says(by_python, tiny_scene, tmp_path):
    checkpoint, _, frame = by_python
    files = {kind: str(tmp_path / f"live.{kind}") for kind in ("csv", "jsonl", "parquet")}
    labelled = str(tmp_path / "live.mp4")
    run_live(
        LiveConfig(
            str(tiny_scene), str(checkpoint), output=labelled, detector=HAAR, window="no", **files
        )
    )
    for kind in files:
        assert_same(table_of(tmp_path / f"live.{kind}"), frame)


def test_predict_says_what_python_says(by_python, tiny_scene, tmp_path):
    checkpoint, _, frame = by_python
    shared = {"paths": [str(tiny_scene)], "checkpoint": str(checkpoint), "detector": HAAR}
    predict(PredictConfig(**shared, csv=str(tmp_path / "one.csv")))
    assert_same(table_of(tmp_path / "one.csv"), frame)
    out = tmp_path / "out"
    predict(PredictConfig(**shared, out=str(out), formats="csv,jsonl,parquet", workers=0))
    for kind in ("csv", "jsonl", "parquet"):
        assert_same(table_of(out / "tables" / f"{tiny_scene.name}.{kind}"), frame)


def test_another_prior_would_be_noticed(by_python, tiny_scene):
    _, config, frame = by_python
    other = recognise(tiny_scene, replace(config, prior="uniform")).to_frame()
    with pytest.raises(AssertionError):
        assert_same(other, frame)


@cache
def _shared_fields():
    return [name for name in RecogniseConfig.__dataclass_fields__ if name != "max_faces"]


@pytest.mark.parametrize("kind", [LiveConfig, PredictConfig])
def test_what_decides_the_numbers_has_one_default(kind):
    for name in _shared_fields():
        ours, theirs = RecogniseConfig.__dataclass_fields__[name], kind.__dataclass_fields__[name]
        assert ours.default == theirs.default
        assert ours.default_factory == theirs.default_factory
