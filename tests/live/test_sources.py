from __future__ import annotations

from contextlib import ExitStack

import numpy as np
import pytest
from PIL import Image

from emotemporal.live.runner import LiveConfig, run_live
from emotemporal.live.sources import open_recorded, require_recorded
from emotemporal.video.folder import ImageFolderConfig
from emotemporal.video.source import VideoError


def open_source(path):
    require_recorded(path)
    with ExitStack() as stack:
        return open_recorded(str(path), ImageFolderConfig(), stack)


def test_a_source_that_is_not_there_is_told_with_what_a_source_can_be(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"film\.mp4: there is no such file.*camera.*URL"):
        open_source(tmp_path / "film.mp4")


def test_a_single_image_is_sent_to_predict(tmp_path):
    file = tmp_path / "face.jpg"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(file)
    with pytest.raises(VideoError, match=r"is an image.*'emotemporal predict .*face\.jpg' judges"):
        open_source(file)


def test_a_folder_of_videos_is_told_to_name_one(tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"")
    with pytest.raises(VideoError, match=r"no images in it.*Of a folder of videos, name one"):
        open_source(tmp_path)


def test_what_cannot_be_seen_or_shown_is_told_before_the_network_is_loaded(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr("emotemporal.live.runner.has_display", lambda: False)
    film, none = tmp_path / "film.mp4", str(tmp_path / "none.safetensors")
    with pytest.raises(FileNotFoundError, match="A source is"):
        run_live(LiveConfig(str(film), none))
    film.write_bytes(b"")
    with pytest.raises(ValueError, match="there is no display here"):
        run_live(LiveConfig(str(film), none, window="yes"))
    caplog.set_level("INFO", logger="emotemporal")
    with pytest.raises(FileNotFoundError, match="there is no checkpoint"):
        run_live(LiveConfig(str(film), none))
    assert "only a summary will be told" in caplog.text
