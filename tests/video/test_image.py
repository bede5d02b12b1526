from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from emotemporal.video import image as image_module
from emotemporal.video.image import ImageError, decode_jpeg, read_image


def test_every_mode_comes_as_rgb(tmp_path):
    grey = (np.arange(100, dtype=np.uint8) * 2).reshape(10, 10)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png"), np.stack([grey] * 3, -1))
    Image.fromarray(grey).convert("P").save(tmp_path / "palette.png")
    assert read_image(tmp_path / "palette.png").shape == (10, 10, 3)
    Image.fromarray(grey.astype(np.uint16) << 8).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(read_image(tmp_path / "deep.png")[..., 0], grey)


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_what_has_no_white_is_refused_and_not_clipped(tmp_path, kind):
    Image.fromarray(np.full((4, 4), 0.5 if kind is np.float32 else 70_000, kind)).save(
        tmp_path / "a.tif"
    )
    with pytest.raises(ImageError, match=r"a\.tif: 32 bits a pixel"):
        read_image(tmp_path / "a.tif")


def test_what_is_transparent_is_black(tmp_path):
    rgba = np.full((4, 4, 4), 200, dtype=np.uint8)
    rgba[:2, :, 3] = 0
    rgba[2:, :, 3] = 255
    Image.fromarray(rgba).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image[:2].max() == 0
    assert (image[2:] == 200).all()


def test_exif_rotation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((10, 20, 3), np.uint8)).save(tmp_path / "a.jpg", exif=exif)
    assert read_image(tmp_path / "a.jpg").shape == (20, 10, 3)


def test_a_truncated_jpeg_is_no_image(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    path = tmp_path / "a.jpg"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(ImageError, match=r"a\.jpg: corrupt or truncated"):
        read_image(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\xd8\xff\xe0"])
def test_what_is_no_image_is_told(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(ImageError, match=r"a\.jpg"):
        read_image(tmp_path / "a.jpg")


def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch):
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(tmp_path / "a.png")
    monkeypatch.setattr(image_module, "MAX_PIXELS", 100)
    with pytest.raises(ImageError, match="20 x 20"):
        read_image(tmp_path / "a.png")


def test_a_missing_image_is_told(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path / "a.png")


def as_bytes(kind, size=(40, 30)):
    out = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(out, kind)
    return out.getvalue()


def test_a_jpeg_is_read_from_memory():
    image = decode_jpeg(as_bytes("JPEG"), "frame 3", 1200)
    assert image.shape == (30, 40, 3)
    assert image[0, 0, 0] > 150 > image[0, 0, 1]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "frame 3: not JPEG"),
        (b"no picture", "frame 3: not JPEG"),
        (as_bytes("PNG"), "frame 3: not JPEG"),
        (as_bytes("JPEG")[:-40], "frame 3: corrupt or truncated"),
        (as_bytes("JPEG", (41, 30)), "41 x 30 pixels; at most 1200"),
    ],
)
def test_what_is_no_small_jpeg_is_refused_from_memory(data, message):
    with pytest.raises(ImageError, match=message):
        decode_jpeg(data, "frame 3", 1200)
