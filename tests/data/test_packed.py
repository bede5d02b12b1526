from __future__ import annotations

import json
import os
import pickle
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from emotemporal.data import packed
from emotemporal.data.augmentation.augment import AugmentConfig
from emotemporal.data.images import ImageCache, ImageSet
from emotemporal.data.packed import PackError, pack
from emotemporal.data.readers import DatasetConfig, read_dataset
from emotemporal.data.table import DatasetTable
from emotemporal.faces.crop import CropConfig
from emotemporal.preprocess import PreprocessConfig
from emotemporal.train.pretrain import PretrainConfig, pretrain
from emotemporal.train.run import RunConfig
from emotemporal.video.image import ImageError

CROP = CropConfig(size_px=40)


@pytest.fixture
def table(affectnet_root) -> DatasetTable:
    return read_dataset(DatasetConfig(name="affectnet", root=str(affectnet_root)))


def _own_copy(tmp_path, num_images=6) -> DatasetTable:
    """A folder of noise that a test may change."""
    generator = np.random.default_rng(0)
    for i in range(num_images):
        cv2.imwrite(str(tmp_path / f"{i}.png"), generator.integers(0, 256, (50, 50, 3), np.uint8))
    rows = pd.DataFrame({"path": [f"{i}.png" for i in range(num_images)]})
    return _as_table(tmp_path, rows)


def _as_table(root, rows) -> DatasetTable:
    rows = rows.assign(
        emotion="fear", subject="a", take="", split="train", source_row=range(len(rows)),
        valence=np.nan, arousal=np.nan,
    )  # fmt: skip
    return DatasetTable("noise", root, "images", rows.reset_index(drop=True))


def _set(table, crops) -> ImageSet:
    return ImageSet(table, np.zeros((len(table), 2)), PreprocessConfig(), CROP, crops)


def _part(table, rows) -> DatasetTable:
    return replace(table, rows=table.rows.iloc[rows].reset_index(drop=True))


def test_a_packed_crop_is_the_crop_that_would_be_read(table, tmp_path):
    images = _set(table, pack(tmp_path, table, CROP))
    for i in range(len(table)):
        assert np.array_equal(images.crops.get(images, i), images.read_crop(i))
    assert np.array_equal(images.crops.take([3, 1])[1], images.read_crop(1))


def test_augmented_samples_are_the_same_bytes_as_without_packing(table, tmp_path):
    from_files = replace(_set(table, ImageCache(0)), augment=AugmentConfig())
    from_store = replace(from_files, crops=pack(tmp_path, table, CROP))
    for i in range(4):
        one, other = (
            images.sample(i, torch.Generator().manual_seed(i)).frames
            for images in (from_files, from_store)
        )
        assert np.array_equal(one, other)


def test_crops_found_already_are_not_decoded_again(table, tmp_path, monkeypatch):
    pack(tmp_path, _part(table, slice(0, 5)), CROP)
    decoded = []
    real = packed.read_crop

    def counting(of, row, crop):
        decoded.append(of.rows["path"][row])
        return real(of, row, crop)

    monkeypatch.setattr(packed, "read_crop", counting)
    wanted = _part(table, [7, 2, 1])
    images = _set(wanted, pack(tmp_path, wanted, CROP))
    assert decoded == [table.rows["path"][7]]
    assert np.array_equal(images.crops.get(images, 1), images.read_crop(1))


def test_an_image_that_changed_is_decoded_anew(tmp_path):
    table = _own_copy(tmp_path)
    pack(tmp_path / "store", table, CROP)
    cv2.imwrite(str(tmp_path / "2.png"), np.full((50, 50, 3), 7, np.uint8))
    images = _set(table, pack(tmp_path / "store", table, CROP))
    assert (images.crops.get(images, 2) == 7).all()
    assert np.array_equal(images.crops.get(images, 3), images.read_crop(3))


def test_a_kill_between_crops_and_index_loses_no_more_than_the_chunk(tmp_path, monkeypatch):
    table = _own_copy(tmp_path)
    monkeypatch.setattr(packed, "_CHUNK", 2)
    append = packed.JsonlLog.append

    def die(self, row):
        if row["step"] > 2:
            raise KeyboardInterrupt
        append(self, row)

    with monkeypatch.context() as killed:
        killed.setattr(packed.JsonlLog, "append", die)
        with pytest.raises(KeyboardInterrupt):
            pack(tmp_path / "store", table, CROP)
    index = next((tmp_path / "store").glob("*/index.jsonl"))
    index.write_text(index.read_text() + '{"step": 4, "ima')  # cut in mid-row
    images = _set(table, pack(tmp_path / "store", table, CROP))
    for i in range(len(table)):
        assert np.array_equal(images.crops.get(images, i), images.read_crop(i))


def test_what_cannot_be_read_is_named_and_the_rest_is_kept(tmp_path):
    table = _own_copy(tmp_path)
    (tmp_path / "4.png").write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"1 of 6 images .*\n.*4\.png"):
        pack(tmp_path / "store", table, CROP)
    kept = _part(table, [0, 1, 2, 3, 5])
    rows = json.loads(next((tmp_path / "store").glob("*/index.jsonl")).read_text())
    assert len(rows["images"]) == len(kept)


def test_a_box_that_is_far_larger_than_its_image_is_named_before_it_fills_the_memory(tmp_path):
    table = _own_copy(tmp_path, num_images=2)
    boxed = table.rows.assign(x1=0.0, y1=0.0, x2=[50.0, 1e7], y2=[50.0, 1e7])
    with pytest.raises(ImageError, match=r"1 of 2 images .*\n.*1\.png: its face box is 1000"):
        pack(tmp_path / "store", replace(table, rows=boxed), CROP)


def test_a_store_that_was_cut_is_refused(tmp_path):
    table = _own_copy(tmp_path)
    pack(tmp_path / "store", table, CROP)
    file = next((tmp_path / "store").glob("*/crops.bin"))
    os.truncate(file, file.stat().st_size - 1)
    with pytest.raises(PackError, match="holds 5 crops, its index tells of 6"):
        pack(tmp_path / "store", table, CROP)


def test_a_disk_without_room_is_refused_before_anything_is_decoded(tmp_path, monkeypatch):
    table = _own_copy(tmp_path)
    usage = packed.shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(packed.shutil, "disk_usage", lambda _: usage)
    monkeypatch.setattr(packed, "read_crop", None)
    with pytest.raises(PackError, match="GB free; name a folder on a larger disk"):
        pack(tmp_path / "store", table, CROP)


def test_loader_processes_get_a_path_and_not_the_pixels(table, tmp_path):
    crops = pack(tmp_path, table, CROP)
    images = _set(table, crops)
    crops.get(images, 0)
    assert len(pickle.dumps(crops)) < 3000


def test_training_from_a_store_ends_with_the_same_weights(affectnet_root, tmp_path):
    config = PretrainConfig(
        data=DatasetConfig(name="affectnet", root=str(affectnet_root)),
        preprocess=PreprocessConfig(size_px=32),
        crop=CROP,
        run=RunConfig(out=str(tmp_path / "plain")),
    )
    config = replace(config, optim=replace(config.optim, epochs=1, batch_size=8))
    pretrain(config)
    stored = replace(config.run, out=str(tmp_path / "stored"))
    pretrain(replace(config, packed=str(tmp_path / "store"), run=stored))
    one, other = ((tmp_path / name / "log.jsonl").read_text() for name in ("plain", "stored"))
    assert one == other
    # The same run may go on without the store.
    pretrain(replace(config, run=stored))
