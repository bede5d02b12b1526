from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emotemporal.data.doctor.examine import DoctorConfig, doctor
from emotemporal.data.doctor.show import network_view, show_batch
from emotemporal.data.readers import DatasetConfig, read_dataset
from emotemporal.faces.crop import CropConfig
from emotemporal.preprocess import PreprocessConfig
from emotemporal.video.image import read_image
from tests.data.tiny_sets import (
    cut_off,
    declare_frames,
    picture,
    write_affectnet_csv,
    write_csv,
    write_folders,
    write_image,
    write_savee,
    write_video,
)


def look_over(name: str, root: Path, **options):
    data = {k: options.pop(k) for k in ("digit_order", "exclude", "has_header") if k in options}
    config = DatasetConfig(name=name, root=str(root), **data)
    return doctor(DoctorConfig(data=config, show_progress=False, **options))


@pytest.fixture
def images(tmp_path):
    """Two splits of pictures that all differ."""
    root = tmp_path / "images"
    for seed in range(6):
        split = "train" if seed < 4 else "test"
        write_image(root / split / ("happy" if seed % 2 else "fear") / f"{seed}.png", seed)
    return root


@pytest.fixture
def clips(tmp_path):
    return write_savee(tmp_path / "savee")


def test_a_sound_folder_of_images_is_usable(images):
    report = look_over("folder", images)
    assert report.is_usable
    assert "Verdict: usable" in str(report)


def test_a_sound_folder_of_videos_is_usable_and_counted_beside_the_published(clips):
    text = str(look_over("savee", clips))
    assert "Verdict: usable" in text
    assert "2 (published: 4): DC 2, JE 2" in text
    assert ["neutral", "1", "120"] in [line.split() for line in text.splitlines()]


def test_a_header_less_list_is_refused(tmp_path):
    write_affectnet_csv(tmp_path, header=False)
    assert not look_over("affectnet", tmp_path).is_usable
    assert look_over("affectnet", tmp_path, has_header=False).is_usable


def test_digits_without_order_are_refused_and_balanced_ones_are_not_verifiable(tmp_path):
    write_folders(tmp_path, {str(i): 2 for i in range(8)})
    report = look_over("affectnet", tmp_path)
    assert not report.is_usable
    assert "--digit_order" in str(report)
    ordered = look_over("affectnet", tmp_path, digit_order="affectnet")
    assert ordered.is_usable
    assert "not verifiable" in str(ordered)


def test_s1_avi_is_refused(clips):
    write_video(clips / "AudioVisualClip" / "DC" / "s1.avi", 9)
    report = look_over("savee", clips)
    assert not report.is_usable
    assert "DC/s1.avi: cannot tell the emotion" in str(report)


def test_a_corrupt_jpeg_is_refused_by_name_and_can_be_left_out(tmp_path):
    write_affectnet_csv(tmp_path / "data")
    cut_off(tmp_path / "data" / "Manually_Annotated_Images" / "1" / "b.jpg")
    report = look_over("affectnet", tmp_path / "data", exclude_file=str(tmp_path / "out.csv"))
    assert not report.is_usable
    assert report.num_unreadable == 1
    assert "Manually_Annotated_Images/1/b.jpg: " in str(report)
    assert "--exclude" in str(report)
    assert look_over("affectnet", tmp_path / "data", exclude=str(tmp_path / "out.csv")).is_usable


def test_a_truncated_video_is_refused_by_name(clips):
    cut_off(clips / "AudioVisualClip" / "DC" / "sa2.avi", 0.6)
    report = look_over("savee", clips)
    assert not report.is_usable
    assert "AudioVisualClip/DC/sa2.avi: " in str(report)


@pytest.mark.parametrize("declared", [5, 12])
def test_a_container_that_lies_about_its_length_is_refused(clips, declared):
    declare_frames(clips / "AudioVisualClip" / "JE" / "n4.avi", declared)
    report = look_over("savee", clips)
    assert not report.is_usable
    assert "AudioVisualClip/JE/n4.avi: " in str(report)


def test_a_sample_of_videos_is_decoded_and_the_rest_only_hashed(clips):
    names = sorted((clips / "AudioVisualClip").rglob("*.avi"))
    declare_frames(names[0], 99)
    declare_frames(names[1], 99)
    report = look_over("savee", clips, videos="sample", num_sampled=1)
    assert report.num_unreadable == 1


def test_a_subject_in_two_splits_is_refused(tmp_path):
    rows = []
    for seed, split in enumerate(("train", "test")):
        write_image(tmp_path / f"{seed}.png", seed)
        rows.append({"path": f"{seed}.png", "label": "fear", "subject": "Ann", "split": split})
    write_csv(tmp_path / "manifest.csv", rows)
    report = look_over("manifest", tmp_path)
    assert not report.is_usable
    assert "1 subjects are in more than one split: Ann in test and train" in str(report)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        pytest.param(lambda image: image, "exact", id="same-pixels"),
        pytest.param(lambda image: image[:, ::-1], "near", id="mirror"),
        pytest.param(lambda image: image // 2 + 60, "near", id="paler"),
        pytest.param(lambda image: np.kron(image, np.ones((2, 2, 1))), "near", id="twice-as-large"),
    ],
)
def test_a_twin_across_splits_is_refused_and_can_be_left_out(images, change, kind):
    twin = change(picture(4)).astype(np.uint8)
    Image.fromarray(np.ascontiguousarray(twin)).save(images / "train" / "fear" / "twin.png")
    report = look_over("folder", images, exclude_file=str(images / "out.csv"))
    assert not report.is_usable
    assert f"1 groups of {kind} twins are in more than one split" in str(report)
    assert "train/fear/twin.png" in str(report)
    assert "1 of train have one in validation or test" in str(report)
    assert (images / "out.csv").read_text().splitlines()[1].startswith("train/fear/twin.png")
    assert look_over("folder", images, exclude=str(images / "out.csv")).is_usable


def test_two_videos_with_the_same_pictures_are_twins(tmp_path):
    rows = []
    for name, split in (("a", "train"), ("b", "test"), ("c", "test")):
        write_video(tmp_path / f"{name}.avi", seed=name == "c")
        rows.append({"path": f"{name}.avi", "label": "fear", "subject": "", "split": split})
    write_csv(tmp_path / "manifest.csv", rows)
    report = look_over("manifest", tmp_path)
    assert "1 groups of exact twins are in more than one split: a.avi = b.avi" in str(report)


def test_an_empty_folder_is_refused_in_words(tmp_path):
    report = look_over("affectnet", tmp_path)
    assert not report.is_usable
    assert "nothing to read here" in str(report)


def test_the_report_names_the_files_relative_to_the_root(images):
    cut_off(images / "test" / "fear" / "4.png")
    problems = [str(problem) for problem in look_over("folder", images).problems]
    assert any(text.startswith("test/fear/4.png") for text in problems)


def test_pictures_are_drawn_as_the_network_sees_them(tmp_path):
    root = write_affectnet_csv(tmp_path / "data", [(f"1/{i}.jpg", i % 3) for i in range(9)])
    report = look_over("affectnet", root, show=9, show_file=str(tmp_path / "batch.png"))
    assert "as the network sees them" in str(report)
    drawn = read_image(tmp_path / "batch.png")
    assert drawn.shape == (2 * 140, 8 * 112, 3)


def test_an_annotated_face_is_cropped_and_an_image_without_is_taken_whole(tmp_path, images):
    config, crop = PreprocessConfig(size_px=32), CropConfig(size_px=48)
    whole = read_dataset(DatasetConfig(name="folder", root=str(images)))
    path = images / whole.rows["path"][0]
    assert np.abs(network_view(whole, 0, config, crop).mean() - read_image(path).mean()) < 3
    boxed = read_dataset(
        DatasetConfig(name="affectnet", root=str(write_affectnet_csv(tmp_path / "a")))
    )
    rows = boxed.rows.assign(x1=0.0, y1=0.0, x2=20.0, y2=20.0)
    left = network_view(replace(boxed, rows=rows), 0, config, crop)
    rows = boxed.rows.assign(x1=28.0, y1=28.0, x2=48.0, y2=48.0)
    right = network_view(replace(boxed, rows=rows), 0, config, crop)
    assert np.abs(left.astype(int) - right).mean() > 10


def test_nothing_to_draw_and_an_unknown_ending_are_told(tmp_path, images):
    table = read_dataset(DatasetConfig(name="folder", root=str(images)))
    config, crop = PreprocessConfig(size_px=32), CropConfig(size_px=48)
    with pytest.raises(ValueError, match="no rows to draw"):
        show_batch(table, config, crop, 0, tmp_path / "a.png")
    with pytest.raises(ValueError, match="end it in"):
        show_batch(table, config, crop, 2, tmp_path / "a.xyz")


def test_a_config_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="workers 0"):
        DoctorConfig(data=DatasetConfig(name="savee", root="x"), workers=0)


@pytest.mark.slow
def test_real_ferplus_shares_the_known_number_of_twins(test_data):
    report = look_over("ferplus", test_data / "ferplus")
    assert not report.is_usable
    assert "692 of train have one in validation or test" in str(report)
    assert "46 of validation have one in test" in str(report)
