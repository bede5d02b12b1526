from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotemporal.live.serve.messages import (
    Choice,
    MessageError,
    Restart,
    pack_frame,
    parse_frame,
    parse_words,
)


@given(st.floats(0, 1e7), st.binary(min_size=1))
def test_a_frame_comes_as_it_was_sent(time_s, jpeg):
    frame = parse_frame(pack_frame(time_s, jpeg))
    assert (frame.time_s, frame.jpeg) == (time_s, jpeg)


@given(st.binary())
def test_no_bytes_do_more_than_be_refused(data):
    with suppress(MessageError):
        parse_frame(data)


@given(st.text())
def test_no_words_do_more_than_be_refused(text):
    with pytest.raises(MessageError):
        parse_words(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"type": "restart"}', Restart()),
        ('{"type": "smoothing", "name": "ema", "value": 1}', Choice("ema", 1.0)),
    ],
)
def test_words_are_understood(text, said):
    assert parse_words(text) == said


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[" * 100_000,
        "null",
        "[]",
        '{"type": ["restart"]}',
        '{"type": "smoothing", "name": "ema"}',
        '{"type": "smoothing", "name": 3, "value": 1}',
        '{"type": "smoothing", "name": "ema", "value": true}',
        '{"type": "smoothing", "name": "ema", "value": NaN}',
        '{"type": "smoothing", "name": "ema", "value": 1e999}',
        '{"type": "smoothing", "name": "ema", "value": 1' + 400 * "0" + "}",
    ],
)
def test_words_that_are_none_are_refused(text):
    with pytest.raises(MessageError):
        parse_words(text)


@pytest.mark.parametrize("time_s", [-1.0, 2e7, float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused(time_s):
    with pytest.raises(MessageError, match="time"):
        parse_frame(pack_frame(time_s, b"jpeg"))
