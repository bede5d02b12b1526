from __future__ import annotations

import json
import logging
import math
from dataclasses import replace

import pytest

from emotemporal.inference.card import (
    CardEntry,
    CardError,
    Measured,
    SmoothingCard,
    card_path,
    fingerprint_of,
    read_card,
    write_card,
)
from emotemporal.inference.pick import pick_smoothing, refuse_both
from emotemporal.inference.predictor import StreamConfig
from emotemporal.inference.smoothing import (
    ExponentialSmoother,
    HiddenMarkovFilter,
    Hysteresis,
    SmoothingConfig,
)
from emotemporal.models.meta import read_meta

PROMPT = SmoothingConfig("ema", ema=ExponentialSmoother(0.1), hysteresis=Hysteresis(0.1, 0.0))
STEADY = SmoothingConfig("hidden_markov", hidden_markov=HiddenMarkovFilter(3.0, 0.4))


def entry(smoothing, lag_s, spurious, tested=None):
    figures = Measured(lag_s, math.inf, spurious, 0.1, 0.8, 0.7)
    return CardEntry(smoothing, figures, tested)


@pytest.fixture
def meta(tiny_checkpoint):
    return read_meta(tiny_checkpoint)


@pytest.fixture
def checkpoint(tiny_checkpoint, tmp_path):
    path = tmp_path / "gru.safetensors"
    path.write_bytes(tiny_checkpoint.read_bytes())
    return path


@pytest.fixture
def card(meta):
    tested = Measured(0.45, 2.0, 3.5, 0.12, 0.78, math.nan)
    return SmoothingCard(
        fingerprint=fingerprint_of(meta),
        labels=("neutral", "fear"),
        prior="training",
        min_probability=0.35,
        entries=(entry(PROMPT, 0.2, 9.0), entry(STEADY, 0.6, 3.0, tested)),
        default=1,
        origin={"commit": "abc"},
    )


def test_a_card_reads_as_it_was_written(card, checkpoint, meta):
    write_card(card, card_path(checkpoint))
    found = read_card(card_path(checkpoint), meta)
    assert found.to_json() == card.to_json()
    assert found.entries[0] == card.entries[0]
    assert found.entries[1].smoothing == STEADY
    assert "Infinity" not in card_path(checkpoint).read_text()


@pytest.mark.parametrize("name", ["gru.safetensors", "gru.onnx", "gru.int8.onnx"])
def test_exports_share_the_card_of_their_checkpoint(name, tmp_path):
    assert card_path(tmp_path / name) == tmp_path / "gru.smoothing.json"


@pytest.mark.parametrize(
    ("max_lag_s", "expected"), [(0.25, PROMPT), (0.5999, PROMPT), (0.6, STEADY), (9.0, STEADY)]
)
def test_the_steadiest_within_the_lag_is_picked(
    card, checkpoint, meta, max_lag_s, expected, caplog
):
    write_card(card, card_path(checkpoint))
    with caplog.at_level(logging.INFO):
        picked = pick_smoothing(StreamConfig(), max_lag_s, checkpoint, meta)
    assert picked == StreamConfig(smoothing=expected)
    (record,) = caplog.records
    assert f"steadiest within {max_lag_s:g} s" in record.message
    assert "\n" not in record.message


def test_what_was_picked_is_told_with_its_test_figures(card, checkpoint, meta, caplog):
    write_card(card, card_path(checkpoint))
    with caplog.at_level(logging.INFO):
        pick_smoothing(StreamConfig(prior="uniform"), 1.0, checkpoint, meta)
    assert caplog.messages == [
        "smoothing: hidden_markov 3 s / 0.4 s, margin 0.05, dwell 0.15 s (steadiest within 1 s: "
        "median lag 0.60 s where tuned, 0.45 s on other streams, 3.5 spurious switches a minute, "
        "12 % of changes missed, measured under prior training)"
    ]


def test_without_options_the_cards_default_is_used(card, checkpoint, meta, caplog):
    write_card(card, card_path(checkpoint))
    with caplog.at_level(logging.INFO):
        assert pick_smoothing(StreamConfig(), None, checkpoint, meta).smoothing == STEADY
    assert "the smoothing card's default" in caplog.text


def test_an_option_goes_before_the_card(card, checkpoint, meta):
    write_card(card, card_path(checkpoint))
    named = StreamConfig(smoothing=SmoothingConfig("none"))
    assert pick_smoothing(named, None, checkpoint, meta) == named
    # `ema` is what there is without a card; to name it is an option all the same.
    named = StreamConfig(smoothing=SmoothingConfig("ema"))
    assert pick_smoothing(named, None, checkpoint, meta) == named


def test_without_a_card_nothing_changes_and_a_lag_cannot_be_had(checkpoint, meta):
    assert pick_smoothing(StreamConfig(), None, checkpoint, meta) == StreamConfig()
    with pytest.raises(FileNotFoundError, match=r"no smoothing card .*gru.smoothing.json"):
        pick_smoothing(StreamConfig(), 0.5, checkpoint, meta)


def test_nothing_as_fast_is_an_error_that_names_the_fastest(card, checkpoint, meta):
    write_card(card, card_path(checkpoint))
    with pytest.raises(CardError, match=r"at most 0.1 s; the fastest has 0.2 s"):
        pick_smoothing(StreamConfig(), 0.1, checkpoint, meta)


def test_the_card_of_another_checkpoint_is_refused_where_asked_for_and_else_left_alone(
    card, checkpoint, meta, caplog
):
    write_card(card, card_path(checkpoint))
    warmer = replace(meta, temperature=2.0)
    with pytest.raises(CardError, match="measured on another checkpoint, or before"):
        pick_smoothing(StreamConfig(), 0.5, checkpoint, warmer)
    assert pick_smoothing(StreamConfig(), None, checkpoint, warmer) == StreamConfig()
    assert "Going on with ema 0.3 s" in caplog.text


def test_what_is_only_told_of_a_checkpoint_keeps_its_card(meta):
    assert fingerprint_of(replace(meta, metrics={"uar": 0.5})) == fingerprint_of(meta)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"format_version": 2}, "format_version is 2", id="later-version"),
        pytest.param({"entries": []}, "default is entry 1 of 0", id="nothing-in-it"),
        pytest.param({"default": 2}, "default is entry 2 of 2", id="no-such-default"),
        pytest.param({"entries": [{}]}, "lacks or misnames", id="no-entry"),
        pytest.param({"min_probability": "a"}, "stands where a number belongs", id="no-number"),
    ],
)
def test_a_damaged_card_is_refused(card, checkpoint, meta, changes, message):
    path = card_path(checkpoint)
    path.write_text(json.dumps({**card.to_json(), **changes}))
    with pytest.raises(CardError, match=message):
        read_card(path, meta)


def test_a_file_that_is_no_card_is_refused(checkpoint, meta):
    card_path(checkpoint).write_text("[1, 2")
    with pytest.raises(CardError, match="cannot be used"):
        read_card(card_path(checkpoint), meta)


def test_an_unknown_smoother_in_a_card_is_refused(card, checkpoint, meta):
    plain = card.to_json()
    plain["entries"][0]["smoothing"]["name"] = "kalman"
    card_path(checkpoint).write_text(json.dumps(plain))
    with pytest.raises(CardError, match="kalman"):
        read_card(card_path(checkpoint), meta)


def test_a_lag_beside_a_named_smoothing_is_refused():
    refuse_both(SmoothingConfig(), 0.5)
    refuse_both(SmoothingConfig("none"), None)
    with pytest.raises(ValueError, match=r"--max_lag 0.5 picks the smoothing"):
        refuse_both(SmoothingConfig("none"), 0.5)
    for lag in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="in seconds, and above 0"):
            refuse_both(SmoothingConfig(), lag)
