from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emotemporal.video.folder import ImageFolder, ImageFolderConfig, natural_key
from emotemporal.video.image import ImageError
from emotemporal.video.source import FrameSource, VideoError


def fill(folder: Path, names) -> Path:
    for number, name in enumerate(names):
        image = np.full((8, 6 + number, 3), 10 * number, np.uint8)
        Image.fromarray(image).save(folder / name)
    return folder


def frames_of(folder, **config):
    with ImageFolder(folder, ImageFolderConfig(**config)) as images:
        assert isinstance(images, FrameSource)
        return list(images), images.frame_rate_hz


def test_images_come_in_natural_order_at_the_given_rate(tmp_path):
    fill(tmp_path, ["f9.png", "f10.png", "f1.png"])
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "._f1.png").write_text("what an archive leaves behind")
    (tmp_path / "more.png").mkdir()
    frames, rate_hz = frames_of(tmp_path, rate_hz=10.0)
    assert [frame.image.shape[1] for frame in frames] == [8, 6, 7]
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.1, 0.2])
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert rate_hz == 10


@pytest.mark.parametrize(
    ("unit", "names"),
    [
        pytest.param("s", ["a_0.5.png", "a_0.54.png", "a_1.5.png"], id="seconds"),
        pytest.param("ms", ["500.png", "540.png", "1500.png"], id="milliseconds"),
        pytest.param(
            "ns",
            ["1403636579500000000.png", "1403636579540000000.png", "1403636580500000000.png"],
            id="nanoseconds-since-1970",
        ),
        pytest.param("s", ["1305031102.175.png", "1305031102.215.png", "1305031103.175.png"]),
    ],
)
def test_names_give_times(tmp_path, unit, names):
    fill(tmp_path, names)
    frames, rate_hz = frames_of(tmp_path, times=unit)
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.04, 1.0], abs=1e-6)
    assert rate_hz == pytest.approx(2.0)


def test_an_image_that_cannot_be_read_is_named(tmp_path):
    fill(tmp_path, ["1.png", "2.png", "3.png"])
    whole = (tmp_path / "2.png").read_bytes()
    (tmp_path / "2.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImageError, match=r"image 2 of 3: .*2\.png"):
        frames_of(tmp_path)


def test_a_folder_without_images_and_no_folder_are_told(tmp_path):
    with pytest.raises(VideoError, match="no images in it"):
        frames_of(tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        frames_of(tmp_path / "missing")


def test_names_that_give_no_times_are_refused(tmp_path):
    fill(tmp_path, ["5.png", "005.jpg"])
    with pytest.raises(VideoError, match="same time"):
        frames_of(tmp_path, times="s")
    fill(tmp_path, ["one.png"])
    with pytest.raises(VideoError, match=r"one\.png: no number in its name"):
        frames_of(tmp_path, times="s")
    with pytest.raises(ValueError, match=r"rate_hz is 0\.0"):
        ImageFolderConfig(rate_hz=0.0)


def test_natural_order_is_that_of_people():
    names = ["b2", "a10", "a9", "a09b", "A1", "a", "10", "9"]
    ordered = sorted(map(Path, names), key=natural_key)
    assert [path.name for path in ordered] == ["9", "10", "a", "A1", "a9", "a09b", "a10", "b2"]
