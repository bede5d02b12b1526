from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from emotemporal.data.augmentation.augment import NO_AUGMENTATION, AugmentConfig
from emotemporal.data.prepare import load_prepared
from emotemporal.models.checkpoint import load_checkpoint
from emotemporal.models.meta import CheckpointError
from emotemporal.preprocess import preprocess
from emotemporal.timing import ClipRate, hold_indices
from emotemporal.train.features import ViewConfig, compute_features, encode_clip

VIEWS = ViewConfig(num_augmented=2)


@pytest.fixture(scope="module")
def frozen(make_checkpoint):
    return load_checkpoint(make_checkpoint("frame", crop_px=96))


@pytest.fixture
def prepared(prepared_savee):
    return load_prepared(prepared_savee)


def test_cached_features_are_what_the_network_gives_uncached(frozen, prepared, tmp_path):
    net, meta = frozen
    for clip_features in compute_features(net, meta, prepared, VIEWS, tmp_path)[:2]:
        row = list(prepared.rows["source"]).index(clip_features.source)
        clip = prepared.load(row)
        crops = clip.crops[hold_indices(clip.times_s, ClipRate(meta.clip_rate_hz))]
        frames = torch.from_numpy(preprocess(crops, meta.preprocess))
        with torch.inference_mode():
            expected = net.encode(frames[None])[0].numpy()
        np.testing.assert_allclose(clip_features.views[0], expected, rtol=0, atol=1e-5)
        assert len(clip_features.times_s) == len(crops)


def test_a_second_call_reads_and_does_not_compute(frozen, prepared, tmp_path, monkeypatch):
    net, meta = frozen
    first = compute_features(net, meta, prepared, VIEWS, tmp_path)
    monkeypatch.setattr(type(net), "encode", None)
    second = compute_features(net, meta, prepared, VIEWS, tmp_path)
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.views, other.views)


@pytest.mark.parametrize("change", ["weights", "preprocess", "clip_rate", "views", "seed"])
def test_another_network_view_or_rate_is_another_entry(frozen, prepared, tmp_path, change):
    net, meta = frozen
    compute_features(net, meta, prepared, VIEWS, tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    config = VIEWS
    if change == "weights":
        net = load_checkpoint_copy(net)
        net.encoder.conv1.weight.data.mul_(1.01)
    elif change == "preprocess":
        meta = replace(meta, preprocess=replace(meta.preprocess, size_px=33))
    elif change == "clip_rate":
        meta = replace(meta, clip_rate_hz=5.0)
    elif change == "views":
        config = replace(VIEWS, augment=AugmentConfig(rotation_deg=1.0))
    else:
        config = replace(VIEWS, seed=1)
    compute_features(net, meta, prepared, config, tmp_path)
    assert len({path.name for path in tmp_path.iterdir()} - before) == len(prepared)


def load_checkpoint_copy(net):
    import copy

    return copy.deepcopy(net)


def test_views_are_seeded_and_differ_from_each_other(frozen, prepared):
    net, meta = frozen
    clip = prepared.load(0)
    one, other = (encode_clip(net, meta, clip, VIEWS) for _ in range(2))
    assert np.array_equal(one, other)
    assert not np.allclose(one[1], one[2])
    plain = encode_clip(net, meta, clip, replace(VIEWS, augment=NO_AUGMENTATION))
    np.testing.assert_array_equal(plain[0], plain[1])


def test_a_damaged_entry_is_computed_again_and_told(frozen, prepared, tmp_path, caplog):
    net, meta = frozen
    first = compute_features(net, meta, prepared, VIEWS, tmp_path)
    victim = sorted(tmp_path.iterdir())[0]
    Path(victim).write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00nonsense")
    second = compute_features(net, meta, prepared, VIEWS, tmp_path)
    assert "damaged" in caplog.text
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.views, other.views)


def test_clips_of_another_crop_are_refused_with_the_fields_that_differ(
    make_checkpoint, prepared, tmp_path
):
    net, meta = load_checkpoint(make_checkpoint("frame", crop_px=48))
    with pytest.raises(CheckpointError, match=r"crop\.size_px: there 96, here 48") as refused:
        compute_features(net, meta, prepared, VIEWS, tmp_path)
    assert "maps" not in str(refused.value), "what is equal is not told"
