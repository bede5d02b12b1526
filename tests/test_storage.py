from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from emotemporal.storage import (
    JsonlLog,
    digest,
    file_digest,
    read_jsonl,
    write_atomically,
    write_json,
)

OLD, NEW = b"old" * 1000, b"new" * 2000

# Stops for good where the kill shall come: after half of the bytes, or with all of them written
# but not yet under their name.
WRITE_UNTIL_KILLED = """
import os, signal, sys
from pathlib import Path
from emotemporal import storage

def stop_here(*unused):
    print("here", flush=True)
    signal.pause()

class HalfFile:
    def __init__(self, handle):
        self._handle = handle
    def __enter__(self):
        return self
    def __exit__(self, *unused):
        pass
    def write(self, data):
        os.write(self._handle, data[: len(data) // 2])
        stop_here()

if sys.argv[2] == "half":
    os.fdopen = lambda handle, mode: HalfFile(handle)
else:
    Path.replace = stop_here
storage.write_atomically(Path(sys.argv[1]), b"new" * 2000)
"""


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "result.bin"
    path.write_bytes(OLD)
    return path


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def read_only_folder() -> Iterator[Path]:
    # Not under tmp_path, which only its owner may enter: root can write everywhere, so root
    # becomes nobody here.
    if not hasattr(os, "seteuid"):
        pytest.skip("needs a system with users and modes")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "result.bin").write_bytes(OLD)
        folder.chmod(0o555)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            os.seteuid(user)
            folder.chmod(0o755)


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)


def test_new_bytes_replace_old_ones_and_nothing_else_is_left(target):
    write_atomically(target, NEW)
    assert target.read_bytes() == NEW
    assert files_in(target.parent) == ["result.bin"]


def test_missing_folders_are_made(tmp_path):
    write_atomically(tmp_path / "a" / "b" / "result.bin", NEW)
    assert (tmp_path / "a" / "b" / "result.bin").read_bytes() == NEW


def test_others_may_read_a_result(tmp_path):
    write_atomically(tmp_path / "result.bin", NEW)
    assert (tmp_path / "result.bin").stat().st_mode & 0o777 == 0o644


def test_a_read_only_folder_is_told_and_keeps_what_it_has(read_only_folder):
    with pytest.raises(PermissionError):
        write_atomically(read_only_folder / "result.bin", NEW)
    assert (read_only_folder / "result.bin").read_bytes() == OLD
    assert files_in(read_only_folder) == ["result.bin"]


def test_a_full_disk_is_told_and_the_old_bytes_stay(target, full_disk):
    with pytest.raises(OSError, match="No space left"):
        write_atomically(target, NEW)
    assert target.read_bytes() == OLD
    assert files_in(target.parent) == ["result.bin"]


def test_a_full_disk_leaves_no_new_name(tmp_path, full_disk):
    with pytest.raises(OSError, match="No space left"):
        write_atomically(tmp_path / "result.bin", NEW)
    assert files_in(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_write_that_fails_by_itself_is_told(target, monkeypatch):
    full = os.open("/dev/full", os.O_WRONLY)
    made: list[int] = []

    def open_full(handle: int, mode: str):
        made.append(handle)
        return open(full, mode, closefd=True)  # noqa: PTH123 (a descriptor has no path)

    monkeypatch.setattr(os, "fdopen", open_full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(target, NEW)
    os.close(*made)
    assert target.read_bytes() == OLD
    assert files_in(target.parent) == ["result.bin"]


def test_a_folder_in_the_place_of_the_file_is_told(tmp_path):
    (tmp_path / "result.bin").mkdir()
    with pytest.raises(OSError, match=r"result\.bin"):
        write_atomically(tmp_path / "result.bin", NEW)
    assert files_in(tmp_path) == ["result.bin"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="asks Linux which file is synced")
def test_file_and_folder_are_synced_and_the_rename_comes_between(target, monkeypatch):
    done = []
    really_sync, really_replace = os.fsync, Path.replace

    def sync(descriptor: int) -> None:
        done.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        really_sync(descriptor)

    def replace(path: Path, to: Path) -> Path:
        done.append("rename")
        return really_replace(path, to)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", replace)
    write_atomically(target, NEW)
    part, renamed, folder = done
    assert part.endswith(".part")
    assert renamed == "rename"
    assert folder == str(target.parent)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("moment", ["half", "before-the-rename"])
def test_a_kill_in_mid_write_leaves_the_old_bytes_under_the_name(target, moment):
    command = [sys.executable, "-c", WRITE_UNTIL_KILLED, str(target), moment]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "here\n"
        writer.kill()
    assert writer.returncode == -signal.SIGKILL
    assert target.read_bytes() == OLD
    assert all(name.endswith(".part") for name in files_in(target.parent) if name != "result.bin")
    write_atomically(target, NEW)
    assert target.read_bytes() == NEW


def test_json_is_readable_by_people_and_programs(tmp_path):
    write_json(tmp_path / "x.json", {"b": 1, "a": "é"})
    text = (tmp_path / "x.json").read_text(encoding="utf-8")
    assert text == '{\n  "b": 1,\n  "a": "é"\n}\n'


def test_a_value_that_json_lacks_leaves_the_old_file(tmp_path):
    write_json(tmp_path / "x.json", [1])
    with pytest.raises(TypeError):
        write_json(tmp_path / "x.json", {1, 2})
    assert json.loads((tmp_path / "x.json").read_text()) == [1]


def test_a_file_has_the_digest_of_its_bytes(target):
    assert file_digest(target) == digest(OLD) != digest(NEW)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.jsonl"
    with JsonlLog(path, keep_up_to_step=0) as rows:
        for step in (10, 20, 30):
            rows.append({"step": step, "loss": step / 7})
    return path


def steps_in(path: Path) -> list[int]:
    return [row["step"] for row in read_jsonl(path)]


def test_rows_come_back_as_they_went_in(log):
    assert read_jsonl(log) == [{"step": s, "loss": s / 7} for s in (10, 20, 30)]


def test_no_file_has_no_rows(tmp_path):
    assert read_jsonl(tmp_path / "log.jsonl") == []


def test_a_row_is_on_disk_when_append_returns(tmp_path, monkeypatch):
    synced = []
    with JsonlLog(tmp_path / "log.jsonl", 0) as rows:
        monkeypatch.setattr(os, "fsync", lambda _: synced.append(steps_in(tmp_path / "log.jsonl")))
        rows.append({"step": 1})
    assert synced == [[1]]


@pytest.mark.parametrize(
    ("step", "kept"),
    [
        pytest.param(0, [], id="nothing"),
        pytest.param(9, [], id="before-the-first"),
        pytest.param(20, [10, 20], id="on-a-row"),
        pytest.param(29, [10, 20], id="between-rows"),
        pytest.param(99, [10, 20, 30], id="all"),
    ],
)
def test_a_log_is_cut_back_to_the_step_that_resumes(log, step, kept):
    with JsonlLog(log, keep_up_to_step=step) as rows:
        rows.append({"step": 50})
    assert steps_in(log) == [*kept, 50]


def test_a_half_last_row_is_dropped_wherever_the_kill_came(log):
    whole = log.read_bytes()
    last_row = whole.rindex(b"\n", 0, -1) + 1
    for end in range(last_row, len(whole) - 1):
        log.write_bytes(whole[:end])
        assert steps_in(log) == [10, 20]


def test_only_the_line_end_missing_keeps_the_row_and_the_next_stands_alone(log):
    log.write_bytes(log.read_bytes()[:-1])
    with JsonlLog(log, keep_up_to_step=30) as rows:
        rows.append({"step": 40})
    assert steps_in(log) == [10, 20, 30, 40]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param('{"step": 1}\n{"ste\n{"step": 3}\n', "line 2 is not JSON", id="middle-row"),
        pytest.param('{"step": 1}\n\n{"step": 3}\n', "line 2 is not JSON", id="empty-line"),
        pytest.param('{"step": 1}\n{"ste\n', "line 2 is not JSON", id="a-last-row-with-its-end"),
        pytest.param('{"loss": 1}\n', "rows with a step", id="no-step"),
        pytest.param("[1]\n", "line 1 is not a row", id="no-row"),
        pytest.param('{"step": "1"}\n', "rows with a step", id="a-step-that-is-no-number"),
    ],
)
def test_a_log_that_no_kill_explains_is_refused_by_name(tmp_path, text, said):
    path = tmp_path / "log.jsonl"
    path.write_text(text)
    with pytest.raises(ValueError, match=said) as refused:
        JsonlLog(path, keep_up_to_step=9)
    assert str(path) in str(refused.value)
    assert path.read_text() == text


def test_a_line_separator_inside_a_row_does_not_end_it(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1, "note": "a\u2028b"}\n', encoding="utf-8")
    assert read_jsonl(path) == [{"step": 1, "note": "a\u2028b"}]


def test_the_log_is_closed_when_the_block_raises(tmp_path):
    log = JsonlLog(tmp_path / "log.jsonl", 0)
    with pytest.raises(RuntimeError, match="in the middle"), log:
        raise RuntimeError("in the middle")
    with pytest.raises(ValueError, match="closed"):
        log.append({"step": 1})
