"""`--max_lag` in live and predict: a setting from the card beside the checkpoint."""

from __future__ import annotations

import csv
import io
import logging
import math

import pytest

from emotemporal.config import ConfigError, parse_config
from emotemporal.faces.detect import DetectorConfig
from emotemporal.inference.card import (
    CardEntry,
    CardError,
    Measured,
    SmoothingCard,
    card_path,
    fingerprint_of,
    write_card,
)
from emotemporal.inference.label_rule import Hysteresis
from emotemporal.inference.smoothing import ExponentialSmoother, MajorityVote, SmoothingConfig
from emotemporal.live.predict import PredictConfig, predict
from emotemporal.live.runner import LiveConfig, run_live
from emotemporal.models.meta import read_meta

HAAR = DetectorConfig("haar")
PROMPT = SmoothingConfig("ema", ema=ExponentialSmoother(0.05), hysteresis=Hysteresis(0.0, 0.0))
STEADY = SmoothingConfig("majority", majority=MajorityVote(1.0))


@pytest.fixture
def checkpoint(tiny_checkpoint, tmp_path):
    """A checkpoint with a card: a prompt setting, and a steady one, which is the default."""
    path = tmp_path / "gru.safetensors"
    path.write_bytes(tiny_checkpoint.read_bytes())
    meta = read_meta(path)
    entries = [
        CardEntry(smoothing, Measured(lag_s, math.inf, spurious, 0.1, 0.8, 0.8))
        for smoothing, lag_s, spurious in ((PROMPT, 0.1, 20.0), (STEADY, 0.7, 2.0))
    ]
    card = SmoothingCard(
        fingerprint_of(meta), meta.labels.names, "training", 0.35, tuple(entries), default=1
    )
    write_card(card, card_path(path))
    return path


def rows_of(checkpoint, scene, **changes):
    out = io.StringIO()
    predict(PredictConfig([str(scene)], str(checkpoint), detector=HAAR, **changes), out)
    return list(csv.DictReader(out.getvalue().splitlines()))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        pytest.param({"max_lag": 0.5}, PROMPT, id="within-half-a-second"),
        pytest.param({"max_lag": 1.0}, STEADY, id="within-a-second"),
        pytest.param({}, STEADY, id="default"),
    ],
)
def test_what_is_picked_is_what_naming_it_gives(checkpoint, tiny_scene, changes, named, caplog):
    with caplog.at_level(logging.INFO):
        picked = rows_of(checkpoint, tiny_scene, **changes)
    assert picked == rows_of(checkpoint, tiny_scene, smoothing=named)
    assert sum(message.startswith("smoothing: ") for message in caplog.messages) == 1


def test_live_picks_as_predict_does(checkpoint, tiny_scene, tmp_path):
    table = tmp_path / "live.csv"
    more = {"csv": str(table), "detector": HAAR, "window": "no", "max_lag": 0.5}
    run_live(LiveConfig(str(tiny_scene), str(checkpoint), **more))
    rows = rows_of(checkpoint, tiny_scene, max_lag=0.5)
    for row in rows:
        row.pop("source")
    assert rows == list(csv.DictReader(table.read_text().splitlines()))


def test_nothing_as_fast_stops_before_any_output(checkpoint, tiny_scene, tmp_path):
    table = tmp_path / "live.csv"
    more = {"csv": str(table), "detector": HAAR, "window": "no", "max_lag": 0.05}
    with pytest.raises(CardError, match=r"the fastest has 0.1 s"):
        run_live(LiveConfig(str(tiny_scene), str(checkpoint), **more))
    assert not table.exists()


def test_a_checkpoint_without_a_card_is_told(tiny_checkpoint, tiny_scene):
    with pytest.raises(FileNotFoundError, match="'emotemporal smoothing' measures one"):
        rows_of(tiny_checkpoint, tiny_scene, max_lag=0.5)


@pytest.mark.parametrize(
    ("kind", "words"), [(LiveConfig, ["--source", "a.mp4"]), (PredictConfig, ["--paths+=a.mp4"])]
)
def test_the_option_is_read_and_refused_beside_a_named_smoothing(kind, words):
    config = parse_config(kind, [*words, "--max_lag", "0.5"], "emotemporal")
    assert config.max_lag == 0.5
    with pytest.raises(ConfigError, match=r"--max_lag 0.5 picks the smoothing"):
        parse_config(kind, [*words, "--max_lag", "0.5", "--smoothing.name", "ema"], "emotemporal")
    dwell = "--smoothing.hysteresis.dwell_s"
    with pytest.raises(ConfigError, match=r"--max_lag 0.5 picks the smoothing"):
        parse_config(kind, [*words, "--max_lag", "0.5", dwell, "1"], "emotemporal")
