"""Law 7: what `doctor` refuses does not pass silently through a job that trains or prepares."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from emotemporal.data.augmentation.augment import NO_AUGMENTATION
from emotemporal.data.prepare import PrepareConfig, PrepareJobConfig, prepare_dataset
from emotemporal.data.readers import DatasetConfig
from emotemporal.faces.crop import CropConfig
from emotemporal.faces.detect import DetectorConfig
from emotemporal.faces.follow import FollowConfig
from emotemporal.preprocess import PreprocessConfig
from emotemporal.train.log import TrackingConfig
from emotemporal.train.optim import OptimConfig
from emotemporal.train.pretrain import PretrainConfig, pretrain
from emotemporal.train.run import RunConfig
from tests.data.tiny_sets import (
    cut_off,
    declare_frames,
    write_csv,
    write_folders,
    write_image,
    write_video,
)

Break = Callable[[Path], DatasetConfig]


def _pretrain_config(data: DatasetConfig, out: Path) -> PretrainConfig:
    return PretrainConfig(
        data=data,
        validation_share=0.2,
        preprocess=PreprocessConfig(size_px=32),
        crop=CropConfig(size_px=32),
        augment=NO_AUGMENTATION,
        optim=OptimConfig(epochs=1, batch_size=2),
        run=RunConfig(out=str(out), tracking=TrackingConfig(wandb="off")),
    )


def _write_manifest(root: Path, suffix: str, subjects: tuple[str, ...]) -> DatasetConfig:
    write = write_image if suffix == ".png" else write_video
    rows = []
    for seed, subject in enumerate(subjects):
        write(root / f"{seed}{suffix}", seed)
        split = "train" if seed < len(subjects) - 2 else "validation"
        label = "fear" if seed % 2 else "anger"
        rows.append({"path": f"{seed}{suffix}", "label": label, "subject": subject, "split": split})
    write_csv(root / "manifest.csv", rows)
    return DatasetConfig(name="manifest", root=str(root))


@pytest.fixture
def drawn(affectnet_root, tmp_path) -> Path:
    """A drawn AffectNet of its own, to be broken."""
    return Path(shutil.copytree(affectnet_root, tmp_path / "affectnet"))


def _images(root: Path) -> DatasetConfig:
    return DatasetConfig(name="affectnet", root=str(root))


def _corrupt_jpeg(root: Path) -> DatasetConfig:
    table = root / "training.csv"
    lines = table.read_text()
    listed = lines.splitlines()[6].split(",")[0]
    victim = root / "Manually_Annotated_Images" / listed
    cut_off(victim.rename(victim.with_name("victim.jpg")))
    table.write_text(lines.replace(listed, f"{listed.rpartition('/')[0]}/victim.jpg"))
    return _images(root)


def _missing_image(root: Path) -> DatasetConfig:
    config = _corrupt_jpeg(root)
    next(root.rglob("victim.jpg")).unlink()
    return config


def _no_header(root: Path) -> DatasetConfig:
    table = root / "training.csv"
    table.write_text(table.read_text().split("\n", 1)[1])
    return _images(root)


def _digits_without_order(root: Path) -> DatasetConfig:
    return _images(write_folders(root / "digits", {str(i): 2 for i in range(8)}))


def _subject_in_two_splits(root: Path) -> DatasetConfig:
    return _write_manifest(root / "own", ".png", ("Ann", "Bob", "Cid", "Dan", "Ann"))


def _twin_across_splits(root: Path) -> DatasetConfig:
    config = _write_manifest(root / "own", ".png", ("Ann", "Bob", "Cid", "Dan", "Eve"))
    shutil.copy(root / "own" / "0.png", root / "own" / "4.png")
    return config


def test_a_sound_set_is_trained_on(drawn, tmp_path):
    assert pretrain(_pretrain_config(_images(drawn), tmp_path / "run")).epoch == 1


def test_sound_images_of_ones_own_are_trained_on(tmp_path):
    names = ("Ann", "Bob", "Cid", "Dan", "Eve", "Fay", "Gus", "Hal")
    config = _pretrain_config(_write_manifest(tmp_path / "own", ".png", names), tmp_path / "run")
    assert pretrain(replace(config, labels="fear,anger")).epoch == 1


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        pytest.param(_corrupt_jpeg, r"victim\.jpg", id="corrupt-jpeg"),
        pytest.param(_missing_image, r"victim\.jpg", id="missing-image"),
        pytest.param(_no_header, r"training\.csv", id="list-without-header"),
        pytest.param(_digits_without_order, "digit_order", id="digits-without-order"),
        pytest.param(_subject_in_two_splits, "Ann in train and validation", id="shared-subject"),
        pytest.param(_twin_across_splits, r"0\.png = 4\.png", id="twin-across-splits"),
    ],
)
def test_pretrain_refuses_by_name(spoil: Break, named, drawn, tmp_path):
    with pytest.raises(ValueError, match=named):
        pretrain(_pretrain_config(spoil(drawn), tmp_path / "run"))
    assert not (tmp_path / "run" / "best.safetensors").exists()


@pytest.fixture
def savee(prepared_savee, tmp_path) -> Path:
    """A drawn SAVEE of its own, to be broken."""
    return Path(shutil.copytree(prepared_savee.parent / "savee", tmp_path / "savee"))


def _videos(root: Path) -> DatasetConfig:
    return DatasetConfig(name="savee", root=str(root))


def _prepare_config(data: DatasetConfig, out: Path, max_bad_share: float = 0.0) -> PrepareJobConfig:
    follow = FollowConfig(detector=DetectorConfig(name="haar"))
    clips = PrepareConfig(
        follow=follow, boxes="steady", min_detected_share=0.1, max_bad_share=max_bad_share
    )
    return PrepareJobConfig(data=data, out=str(out), clips=clips)


def _truncated(root: Path) -> DatasetConfig:
    cut_off(root / "AudioVisualClip" / "JE" / "su1.avi", 0.6)
    return _videos(root)


def _says_it_is_longer(root: Path) -> DatasetConfig:
    declare_frames(root / "AudioVisualClip" / "JE" / "su1.avi", 99)
    return _videos(root)


def _says_it_is_shorter(root: Path) -> DatasetConfig:
    declare_frames(root / "AudioVisualClip" / "JE" / "su1.avi", 5)
    return _videos(root)


def _no_video(root: Path) -> DatasetConfig:
    (root / "AudioVisualClip" / "JE" / "su1.avi").write_bytes(b"")
    return _videos(root)


def _without_emotion(root: Path) -> DatasetConfig:
    write_video(root / "AudioVisualClip" / "DC" / "s1.avi", 9)
    return _videos(root)


def _person_in_two_splits(root: Path) -> DatasetConfig:
    return _write_manifest(root / "own", ".avi", ("Ann", "Bob", "Ann"))


def _video_twice(root: Path) -> DatasetConfig:
    config = _write_manifest(root / "own", ".avi", ("Ann", "Bob", "Cid"))
    shutil.copy(root / "own" / "0.avi", root / "own" / "2.avi")
    return config


def test_a_sound_set_is_prepared(savee, tmp_path):
    report = prepare_dataset(_prepare_config(_videos(savee), tmp_path / "out"))
    assert (report.num_clips, report.num_videos, list(report.failures)) == (8, 8, [])


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        pytest.param(_truncated, r"JE/su1\.avi", id="truncated-video"),
        pytest.param(_says_it_is_longer, r"JE/su1\.avi", id="says-it-is-longer"),
        pytest.param(_says_it_is_shorter, r"JE/su1\.avi", id="says-it-is-shorter"),
        pytest.param(_no_video, r"JE/su1\.avi", id="no-video"),
        pytest.param(_without_emotion, r"DC/s1\.avi", id="name-without-emotion"),
        pytest.param(_person_in_two_splits, "Ann in train and validation", id="shared-subject"),
        pytest.param(_video_twice, r"0\.avi = 2\.avi", id="twin-across-splits"),
    ],
)
def test_prepare_refuses_by_name(spoil: Break, named, savee, tmp_path):
    with pytest.raises(ValueError, match=named):
        prepare_dataset(_prepare_config(spoil(savee), tmp_path / "out"))


def test_what_a_bounded_share_may_lose_is_listed_with_its_reason(savee, tmp_path):
    config = _prepare_config(_truncated(savee), tmp_path / "out", max_bad_share=0.2)
    report = prepare_dataset(config)
    (path, reason), *others = report.failures
    assert path == "AudioVisualClip/JE/su1.avi"
    assert reason
    assert not others
    assert path in str(report)
    told = json.loads((tmp_path / "out" / "prepare.json").read_text())["failures"]
    assert told == [{"path": path, "reason": reason}]
