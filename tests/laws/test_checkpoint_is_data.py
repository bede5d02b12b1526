"""Law 6: a checkpoint is data, saved whole or not at all, and read without running anything."""

from __future__ import annotations

import ast
import errno
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import emotemporal
from emotemporal.models.checkpoint import load_checkpoint, save_checkpoint
from emotemporal.models.emotion_net import EmotionNet
from emotemporal.models.encoder import build_encoder, initialise
from emotemporal.models.meta import CheckpointError
from emotemporal.storage import write_atomically
from emotemporal.train.state import FolderKeeper, Progress, TrainingState

UNPICKLERS = {"pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
NEEDED = {  # which argument makes a reader safe
    "torch.load": ("weights_only", True),
    "np.load": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
}
NEVER = {
    *("torch.save", "torch.jit.load", "yaml.load", "yaml.unsafe_load", "yaml.full_load"),
    *("pd.read_pickle", "pandas.read_pickle", "eval", "exec"),
}
Save = Callable[[Path], None]


def called(call: ast.Call) -> str:
    return ast.unparse(call.func)


def is_unsafe(call: ast.Call) -> bool:
    if called(call) in NEVER or called(call).endswith(".to_pickle"):
        return True
    if called(call) not in NEEDED:
        return False
    name, value = NEEDED[called(call)]
    given = {k.arg: k.value for k in call.keywords}
    return not (name in given and ast.unparse(given[name]) == str(value))


def pickles(source: str) -> list[str]:
    """Return what in a module could read or write a pickle, or run what a file says."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.split(".")[0] in UNPICKLERS]
        elif isinstance(node, ast.ImportFrom) and node.module in UNPICKLERS | {"torch"}:
            bad = {"load", "save"} if node.module == "torch" else {a.name for a in node.names}
            found += [f"{node.module}.{a.name}" for a in node.names if a.name in bad]
        elif isinstance(node, ast.Call) and is_unsafe(node):
            found.append(ast.unparse(node))
    return found


def test_no_module_unpickles_or_runs_a_file():
    package = Path(emotemporal.__file__).parent
    found = {
        path.relative_to(package).as_posix(): pickles(path.read_text(encoding="utf-8"))
        for path in package.rglob("*.py")
    }
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from pickle import load",
        "import joblib.numpy_pickle",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=is_safe)",
        "torch.save(net, path)",
        "from torch import load",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "frame.to_pickle(path)",
        "yaml.load(text, Loader=yaml.Loader)",
        "eval(text)",
    ],
)
def test_a_planted_line_is_found(line):
    assert pickles(line)


@pytest.mark.parametrize(
    "line",
    ["torch.load(p, weights_only=True)", "np.load(p, allow_pickle=False)", "net.eval()", "load(p)"],
)
def test_a_harmless_line_is_not(line):
    assert not pickles(line)


class RunsWhenRead:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self):
        return Path.touch, (self._path,)


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """What a pickle makes when it is run."""
    return tmp_path / "it_ran"


def read_checkpoint(path: Path) -> None:
    load_checkpoint(path)


def read_state(path: Path) -> None:
    path.rename(path.parent / "state.safetensors")
    FolderKeeper(path.parent, lambda net, row: None).load()


def read_foreign_weights(path: Path) -> None:
    initialise(build_encoder("resnet18")[0], "resnet18", str(path))


READERS = [read_checkpoint, read_state, read_foreign_weights]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("write", [torch.save, lambda x, p: p.write_bytes(pickle.dumps(x))])
def test_a_pickle_under_any_name_is_refused_and_not_run(tmp_path, trap, read, suffix, write):
    path = tmp_path / f"best{suffix}"
    write({"state_dict": RunsWhenRead(trap)}, path)
    with pytest.raises(CheckpointError, match=r"best|state\.safetensors"):
        read(path)
    assert not trap.exists()


def test_who_trusts_that_pickle_runs_it(tmp_path, trap):
    torch.save({"state_dict": RunsWhenRead(trap)}, tmp_path / "best.pth")
    torch.load(tmp_path / "best.pth", weights_only=False)
    assert trap.exists()


def test_an_array_of_objects_among_prepared_clips_is_refused_and_not_run(tmp_path, trap):
    np.savez(tmp_path / "clip.npz", crops=np.array([RunsWhenRead(trap)], dtype=object))
    with (
        np.load(tmp_path / "clip.npz", allow_pickle=False) as arrays,
        pytest.raises(ValueError, match="pickle"),
    ):
        arrays["crops"]
    assert not trap.exists()


@pytest.fixture(scope="module")
def saves(tiny_checkpoint) -> dict[str, Save]:
    net, meta = load_checkpoint(tiny_checkpoint)
    state = TrainingState(Progress(), {"net.weight": torch.ones(3)})

    def checkpoint(folder: Path) -> None:
        save_checkpoint(folder / "best.safetensors", net, meta)

    def training_state(folder: Path) -> None:
        FolderKeeper(folder, lambda net, row: None).save(state)

    def carelessly(folder: Path) -> None:
        (folder / "best.safetensors").write_bytes(b"weights")

    def without_syncing_the_folder(folder: Path) -> None:
        with (folder / "best.part").open("wb") as file:
            file.write(b"weights")
            os.fsync(file.fileno())
        (folder / "best.part").replace(folder / "best.safetensors")

    return {
        f.__name__: f for f in (checkpoint, training_state, carelessly, without_syncing_the_folder)
    }


def steps_of(save: Save, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return in which order a save syncs and renames."""
    steps = []
    really_sync, really_replace = os.fsync, Path.replace

    def sync(descriptor: int) -> None:
        is_folder = Path(f"/proc/self/fd/{descriptor}").readlink() == folder
        steps.append("sync the folder" if is_folder else "sync the file")
        really_sync(descriptor)

    def replace(path: Path, to: Path) -> Path:
        steps.append("rename")
        return really_replace(path, to)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", sync)
        patched.setattr(Path, "replace", replace)
        save(folder)
    return steps


ONE_AFTER_THE_OTHER = ["sync the file", "rename", "sync the folder"]
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="asks Linux which file is synced"
)


@needs_proc
@pytest.mark.parametrize("name", ["checkpoint", "training_state"])
def test_a_save_syncs_the_file_renames_it_and_syncs_the_folder(saves, name, tmp_path, monkeypatch):
    assert steps_of(saves[name], tmp_path, monkeypatch) == ONE_AFTER_THE_OTHER


@needs_proc
@pytest.mark.parametrize("name", ["carelessly", "without_syncing_the_folder"])
def test_a_careless_save_is_noticed(saves, name, tmp_path, monkeypatch):
    assert steps_of(saves[name], tmp_path, monkeypatch) != ONE_AFTER_THE_OTHER


def is_failure_told(save: Save, folder: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Say whether a save on a full disk raises, with the old bytes under the name after it."""
    save(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        try:
            save(folder)
        except OSError:
            return before == {path.name: path.read_bytes() for path in folder.iterdir()}
    return False


@pytest.mark.parametrize(
    ("name", "expected"),
    [("checkpoint", True), ("training_state", True), ("carelessly", False)],
)
def test_a_failed_save_raises_and_keeps_the_last_good_file(
    saves, name, expected, tmp_path, monkeypatch
):
    assert is_failure_told(saves[name], tmp_path, monkeypatch) == expected


def test_whatever_byte_a_file_ends_at_it_is_whole_or_refused(tiny_checkpoint, tmp_path):
    content = tiny_checkpoint.read_bytes()
    path = tmp_path / "cut.safetensors"
    for end in (0, 7, 8, 500, 5000, len(content) // 2, len(content) - 1):
        write_atomically(path, content[:end])
        with pytest.raises(CheckpointError, match=r"cut\.safetensors"):
            load_checkpoint(path)
    write_atomically(path, content)
    assert isinstance(load_checkpoint(path)[0], EmotionNet)
