from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from emotemporal.data.collate import (
    FeatureSample,
    Sample,
    collate,
    collate_features,
    frame_targets,
)
from emotemporal.labels import SAVEE_7, Emotion
from emotemporal.types import Target

FEAR, SURPRISE = SAVEE_7.index(Emotion.FEAR), SAVEE_7.index(Emotion.SURPRISE)


def make_sample(num_frames: int, size_px: int = 4, num_classes: int = 7, fill: int = 9) -> Sample:
    return Sample(
        frames=np.full((num_frames, size_px, size_px, 3), fill, dtype=np.uint8),
        targets=np.full((num_frames, num_classes), 1 / num_classes, dtype=np.float32),
        target_mask=np.ones(num_frames, dtype=bool),
        subject="DC",
        source=f"a{num_frames}.avi",
    )


@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5))
def test_a_batch_holds_each_clip_and_zeros_after_it(lengths):
    samples = [make_sample(length, fill=i + 1) for i, length in enumerate(lengths)]
    batch = collate(samples)
    assert batch.frames.dtype == torch.uint8
    assert batch.lengths.tolist() == lengths
    assert batch.frames.shape == (len(lengths), max(lengths), 4, 4, 3)
    for i, (sample, length) in enumerate(zip(samples, lengths, strict=True)):
        assert np.array_equal(batch.frames[i, :length], sample.frames)
        assert np.array_equal(batch.targets[i, :length], sample.targets)
        assert not batch.frames[i, length:].any()
        assert batch.target_mask[i].tolist() == [True] * length + [False] * (max(lengths) - length)
    assert batch.sources == [sample.source for sample in samples]


def test_features_are_padded_like_frames():
    samples = [
        FeatureSample(
            features=np.full((t, 3), t, dtype=np.float32),
            targets=np.ones((t, 1), dtype=np.float32),
            target_mask=np.ones(t, dtype=bool),
            subject="DC",
            source=str(t),
        )
        for t in (1, 2)
    ]
    batch = collate_features(samples)
    assert batch.features.tolist() == [[[1, 1, 1], [0, 0, 0]], [[2, 2, 2], [2, 2, 2]]]
    assert batch.target_mask.tolist() == [[True, False], [True, True]]
    assert len(batch.to("cpu")) == 2


def test_a_batch_moves_with_all_its_tensors():
    batch = collate([make_sample(2)]).to("meta")
    assert {batch.frames.device.type, batch.lengths.device.type, batch.targets.device.type} == {
        "meta"
    }
    assert batch.subjects == ["DC"]


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        pytest.param([], "at least one clip", id="none"),
        pytest.param([make_sample(1), make_sample(2, size_px=5)], "a2.avi: frames", id="size"),
        pytest.param([make_sample(1), make_sample(2, num_classes=8)], "a2.avi: targets", id="k"),
    ],
)
def test_clips_that_do_not_go_together_are_refused_by_name(samples, message):
    with pytest.raises(ValueError, match=message):
        collate(samples)


def test_a_clip_without_frames_is_refused():
    with pytest.raises(ValueError, match=r"a0\.avi: 0 frames, 0 targets"):
        make_sample(0)


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        pytest.param([Target(0.0, 0.3, Emotion.FEAR)], "FFFF", id="ends-with-the-last-frame"),
        pytest.param([Target(0.0, 9.0, Emotion.FEAR)], "FFFF", id="one-label-a-clip"),
        pytest.param([Target(0.1, 0.25, Emotion.FEAR)], "-FF-", id="unknown-around-it"),
        pytest.param(
            [Target(0.0, 0.2, Emotion.FEAR), Target(0.2, 0.3, Emotion.SURPRISE)],
            "FFSS",
            id="the-frame-between-belongs-to-the-next",
        ),
        pytest.param(
            [Target(0.0, 0.2, Emotion.CONTEMPT), Target(0.2, 1.0, Emotion.SURPRISE)],
            "--SS",
            id="an-emotion-outside-the-space-is-masked",
        ),
        pytest.param([], "----", id="nobody-knows"),
    ],
)
def test_frames_get_the_target_of_their_interval(targets, expected):
    values, mask = frame_targets(targets, [0.0, 0.1, 0.2, 0.3], SAVEE_7)
    assert mask.tolist() == [letter != "-" for letter in expected]
    for row, letter in zip(values, expected, strict=True):
        shown = {"F": [FEAR], "S": [SURPRISE], "-": []}[letter]
        assert np.flatnonzero(row).tolist() == shown
        assert row.sum() == len(shown)


def test_overlapping_intervals_share_a_frame():
    both = [Target(0.0, 1.0, Emotion.FEAR), Target(0.0, 1.0, Emotion.SURPRISE)]
    values, mask = frame_targets(both, [0.5], SAVEE_7)
    assert values[0, FEAR] == values[0, SURPRISE] == 0.5
    assert mask.all()
