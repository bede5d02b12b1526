"""Every writer on a disk that is full, read-only or refuses: it says so, and breaks nothing."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from emotemporal import storage
from emotemporal.data.prepared import write_clip
from emotemporal.data.split_file import write_split_file
from emotemporal.data.table import make_table
from emotemporal.evaluation.predictions import write_predictions
from emotemporal.labels import SAVEE_7, Emotion
from emotemporal.models.checkpoint import load_checkpoint, save_checkpoint
from emotemporal.run_folder import RunFolder
from emotemporal.storage import JsonlLog, replacing, write_atomically, write_json
from emotemporal.synthetic.video import write_intra_avi
from emotemporal.train.history import EpochRow, draw_curves
from emotemporal.train.state import FolderKeeper, Progress, TrainingState
from emotemporal.types import ClipPrediction, FaceClip
from emotemporal.video.image import write_image
from emotemporal.video.write import VideoWriter

Write = Callable[[Path], None]
ROW = EpochRow(1, 10, 1.0, 0.5, 1.1, 0.4, 0.3, 0.3)
PICTURE = np.zeros((48, 64, 3), np.uint8)
ERRORS = (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO)


def _video(path: Path) -> None:
    with VideoWriter(path, 25.0) as writer:
        for _ in range(5):
            writer.write(PICTURE)


def _text(path: Path) -> None:
    with replacing(path) as part, part.open("w") as file:
        file.write("row\n")


def _log(path: Path) -> None:
    with JsonlLog(path, keep_up_to_step=0) as log:
        log.append({"step": 1})


@pytest.fixture(scope="module")
def writers(tiny_checkpoint) -> Mapping[str, Write]:
    import torch

    net, meta = load_checkpoint(tiny_checkpoint)
    state = TrainingState(Progress(), {"net.weight": torch.ones(3)})
    clip = FaceClip(np.zeros((2, 8, 8, 3), np.uint8), np.arange(2) / 25, (), "s", "a")
    answer = ClipPrediction("a", "s", Emotion.ANGER, np.full(7, 1 / 7), SAVEE_7)
    table = make_table("mine", Path("x"), "images", [{"path": "a.jpg", "emotion": "anger"}])
    return {
        "best.safetensors": lambda path: save_checkpoint(path, net, meta),
        "state.safetensors": lambda path: FolderKeeper(path.parent, lambda *_: None).save(state),
        "log.jsonl": _log,
        "clip.npz": lambda path: void(write_clip(path.parent, path.name, clip, False)),
        "predictions.csv": lambda path: write_predictions(path, [answer]),
        "splits.csv": lambda path: write_split_file(table, path),
        "card.json": lambda path: write_json(path, {"a": 1}),
        "curves.png": lambda path: draw_curves([ROW], path, "run"),
        "sheet.jpg": lambda path: write_image(path, PICTURE),
        "labelled.mp4": _video,
        "drawn.avi": lambda path: write_intra_avi(path, [PICTURE] * 3, 25.0),
        "table.csv": _text,
        "net.onnx": lambda path: write_atomically(path, bytes(1000)),
    }


def void(_: object) -> None:
    """Return nothing."""


NAMES = (
    "best.safetensors", "state.safetensors", "log.jsonl", "clip.npz", "predictions.csv",
    "splits.csv", "card.json", "curves.png", "sheet.jpg", "labelled.mp4", "drawn.avi", "table.csv",
    "net.onnx",
)  # fmt: skip


def refuse_at(monkeypatch: pytest.MonkeyPatch, place: str, code: int) -> None:
    """Let one of the calls that a write consists of fail, as the system would."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError(code, os.strerror(code))

    where: Mapping[str, tuple[object, str]] = {
        "open": (storage.tempfile, "mkstemp"),
        "sync": (os, "fsync"),
        "rename": (Path, "replace"),
    }
    owner, name = where[place]
    monkeypatch.setattr(owner, name, refuse)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", ["open", "sync", "rename"])
@pytest.mark.parametrize("is_there", [False, True])
def test_a_write_that_fails_is_told_and_leaves_what_was_there(
    writers, tmp_path, monkeypatch, name, place, is_there
):
    write, path = writers[name], tmp_path / name
    if is_there:
        write(path)
    before = contents(tmp_path)
    code = ERRORS[(NAMES.index(name) + len(place)) % len(ERRORS)]
    with monkeypatch.context() as broken:
        refuse_at(broken, place, code)
        with pytest.raises(OSError, match=os.strerror(code)):
            write(path)
    assert contents(tmp_path) == before
    write(path)
    assert path.is_file()
    assert not list(tmp_path.glob(".*"))


def test_every_writer_is_tried(writers):
    assert set(writers) == set(NAMES)


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A disk of a megabyte, where one may be mounted."""
    where = tmp_path / "disk"
    where.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(where)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except OSError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip("no disk may be mounted here")
    try:
        yield where
    finally:
        subprocess.run(["umount", str(where)], check=True)


def fill(disk: Path, write: Write, name: str) -> None:
    for number in range(3):  # some of the files are smaller than what is left
        write(disk / f"{number}{name}")
        (disk / f"more{number}").write_bytes(bytes(1 << 12))


@pytest.mark.parametrize("name", NAMES)
def test_a_disk_that_is_really_full_is_told(writers, small_disk, name):
    (small_disk / "ballast").write_bytes(bytes((1 << 20) - (1 << 13)))
    with pytest.raises((OSError, ValueError, cv2.error), match=r"space|full|written"):
        fill(small_disk, writers[name], name)
    assert not [path for path in small_disk.iterdir() if path.name.startswith(".")]


KILLED_IN_MID_WRITE = """
import os, signal, sys
from pathlib import Path
from emotemporal.storage import replacing
with replacing(Path(sys.argv[1])) as part:
    part.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name == "nt", reason="marks files in use by flock")
def test_what_a_killed_writer_left_is_removed_and_what_another_writes_is_not(tmp_path):
    killed = [sys.executable, "-c", KILLED_IN_MID_WRITE, str(tmp_path / "a.png")]
    subprocess.run(killed, check=False)
    (left,) = tmp_path.iterdir()
    with replacing(tmp_path / "b.png") as part:
        assert not left.exists()
        part.write_bytes(b"b")
        storage._remove_leftovers.cache_clear()
        write_atomically(tmp_path / "c.png", b"c")
        assert part.exists()
    assert contents(tmp_path) == {"b.png": b"b", "c.png": b"c"}


def test_files_of_others_that_look_alike_are_left_alone(tmp_path):
    for name in ("film.part", ".film.part", ".film.mp4.download.part"):
        (tmp_path / name).write_bytes(b"half")
    write_atomically(tmp_path / "a", b"a")
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("code", ERRORS)
def test_a_run_folder_that_cannot_be_written_is_told(tmp_path, monkeypatch, code):
    refuse_at(monkeypatch, "open", code)
    with pytest.raises(OSError, match=os.strerror(code)), RunFolder(tmp_path, "pretrain", {}):
        pass
