from __future__ import annotations

import numpy as np
import pytest

from emotemporal.video.file import VideoFile
from emotemporal.video.source import VideoError
from emotemporal.video.write import VideoWriter
from tests.video.clips import frame_image, index_of


@pytest.mark.parametrize("name", ["out.mp4", "out.webm", "out.avi"])
def test_what_is_written_is_read_again(tmp_path, name):
    with VideoWriter(tmp_path / name, 12.5) as writer:
        for index in range(20):
            writer.write(frame_image(index))
    with VideoFile(tmp_path / name) as video:
        assert [index_of(frame.image) for frame in video] == list(range(20))
        np.testing.assert_allclose(video.times_s, np.arange(20) / 12.5, atol=2e-3)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_red_stays_red(tmp_path):
    image = np.zeros((48, 64, 3), np.uint8)
    image[..., 0] = 200
    with VideoWriter(tmp_path / "out.avi", 25) as writer:
        writer.write(image)
        writer.write(image)
    with VideoFile(tmp_path / "out.avi") as video:
        red, green, blue = next(iter(video)).image.mean(axis=(0, 1))
    assert red > 150
    assert max(green, blue) < 50


def test_an_error_leaves_nothing_under_the_name(tmp_path):
    def fail_in_the_middle() -> None:
        with VideoWriter(tmp_path / "out.mp4", 25) as writer:
            writer.write(frame_image(0))
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        fail_in_the_middle()
    assert list(tmp_path.iterdir()) == []


def test_odd_sizes_lose_a_row_and_a_column(tmp_path):
    with VideoWriter(tmp_path / "out.mp4", 25) as writer:
        writer.write(frame_image(0, 49, 65))
        writer.write(frame_image(1, 49, 65))
    with VideoFile(tmp_path / "out.mp4") as video:
        assert (video.info.width_px, video.info.height_px) == (64, 48)


def test_wrong_use_is_told(tmp_path):
    with pytest.raises(VideoError, match=r"can write \.mp4"):
        VideoWriter(tmp_path / "out.gif", 25)
    with pytest.raises(VideoError, match="takes mjpg"):
        VideoWriter(tmp_path / "out.avi", 25, "vp09")
    with pytest.raises(VideoError, match="frame rate"):
        VideoWriter(tmp_path / "out.mp4", 0)
    with pytest.raises(FileNotFoundError), VideoWriter(tmp_path / "none" / "out.mp4", 25):
        pass
    with VideoWriter(tmp_path / "out.mp4", 25) as writer:
        writer.write(frame_image(0))
        with pytest.raises(VideoError, match="32 x 24"):
            writer.write(frame_image(0, 24, 32))


def test_a_file_that_lost_frames_on_its_way_to_disk_does_not_get_its_name(tmp_path):
    def write_and_lose_one() -> None:
        with VideoWriter(tmp_path / "out.mp4", 25) as writer:
            for index in range(30):
                writer.write(frame_image(index))
            writer.num_frames += 1

    with pytest.raises(VideoError, match="31 images were written"):
        write_and_lose_one()
    assert list(tmp_path.iterdir()) == []
