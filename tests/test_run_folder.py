from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from emotemporal import run_folder as run_folder_module
from emotemporal.config import parse_config, to_plain
from emotemporal.run_folder import RunFolder, RunFolderError, git_commit
from tests.test_config import DEFAULT, JobConfig, OptimConfig

HOLD_FOLDER = """
import sys
from pathlib import Path
from emotemporal.run_folder import RunFolder

with RunFolder(Path(sys.argv[1]), "job", {"seed": 0}):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_run_folder_holds_its_config_for_people_and_programs(tmp_path):
    with RunFolder(tmp_path / "a" / "run", "job", to_plain(DEFAULT)) as folder:
        text = (folder.path / "config.yaml").read_text()
        assert json.loads((folder.path / "run.json").read_text())["job"] == "job"
    (tmp_path / "copy.yaml").write_text(text)
    assert parse_config(JobConfig, ["--config", str(tmp_path / "copy.yaml")], "x") == DEFAULT


def test_the_same_config_resumes(tmp_path):
    for _ in range(3):
        with RunFolder(tmp_path, "job", to_plain(DEFAULT)):
            pass
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "config.yaml", "run.json"]


def test_another_config_is_refused_with_the_fields_that_differ(tmp_path):
    with RunFolder(tmp_path, "job", to_plain(DEFAULT)):
        pass
    other = replace(DEFAULT, seed=1, optim=OptimConfig(epochs=99))
    before = (tmp_path / "config.yaml").read_text()
    with (
        pytest.raises(RunFolderError) as refused,
        RunFolder(tmp_path, "job", to_plain(other)),
    ):
        pass
    message = str(refused.value)
    assert "config.optim.epochs: there 10, here 99" in message
    assert "config.seed: there 0, here 1" in message
    assert "mode" not in message
    assert str(tmp_path) in message
    assert (tmp_path / "config.yaml").read_text() == before


def test_another_job_is_refused(tmp_path):
    with RunFolder(tmp_path, "pretrain", {}):
        pass
    with (
        pytest.raises(RunFolderError, match="job: there 'pretrain', here 'finetune'"),
        RunFolder(tmp_path, "finetune", {}),
    ):
        pass


def test_a_refused_folder_is_free_again(tmp_path):
    with RunFolder(tmp_path, "job", {"seed": 0}):
        pass
    with pytest.raises(RunFolderError), RunFolder(tmp_path, "job", {"seed": 1}):
        pass
    with RunFolder(tmp_path, "job", {"seed": 0}):
        pass


@pytest.mark.parametrize("text", ["{", "[1]", "3"])
def test_a_folder_whose_note_is_not_ours_is_refused_by_name(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with (
        pytest.raises(RunFolderError, match=r"run\.json is not a run's"),
        RunFolder(tmp_path, "job", {}),
    ):
        pass


def test_a_kill_while_claiming_leaves_a_folder_that_can_be_claimed(tmp_path, monkeypatch):
    def die(path: Path, value: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(run_folder_module, "write_json", die)
        with pytest.raises(KeyboardInterrupt), RunFolder(tmp_path, "job", {"seed": 0}):
            pass
    with RunFolder(tmp_path, "job", {"seed": 1}):
        assert "seed: 1" in (tmp_path / "config.yaml").read_text()


def test_two_processes_at_once_are_locked_out_and_a_killed_one_frees_the_folder(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_FOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        mine = RunFolder(tmp_path, "job", {"seed": 0})
        with pytest.raises(RunFolderError, match="in use by another process"), mine:
            pass
        other.kill()
    with mine:
        pass


def test_two_in_one_process_are_locked_out_too(tmp_path):
    with (
        RunFolder(tmp_path, "job", {}),
        pytest.raises(RunFolderError, match="in use"),
        RunFolder(tmp_path, "job", {}),
    ):
        pass


@pytest.fixture
def package_elsewhere(tmp_path, monkeypatch):
    """Let the package's file stand in a git repository of its own, committed."""

    def git(*words: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        command = ["git", "-C", str(tmp_path), *who, *words]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    (tmp_path / "run_folder.py").write_text("first\n")
    git("init", "-q")
    git("add", "run_folder.py")
    git("commit", "-q", "-m", "first")
    monkeypatch.setattr(run_folder_module, "__file__", str(tmp_path / "run_folder.py"))
    return tmp_path, git


def test_the_commit_is_told(package_elsewhere):
    _, git = package_elsewhere
    assert git_commit() == git("rev-parse", "--short=12", "HEAD")
    assert len(git_commit()) == 12


def test_edited_code_is_told(package_elsewhere):
    folder, git = package_elsewhere
    (folder / "run_folder.py").write_text("second\n")
    assert git_commit() == git("rev-parse", "--short=12", "HEAD") + "+changes"


def test_a_copy_inside_somebody_elses_repository_has_no_commit(package_elsewhere, monkeypatch):
    folder, _ = package_elsewhere
    (folder / "venv").mkdir()
    (folder / "venv" / "run_folder.py").write_text("first\n")
    monkeypatch.setattr(run_folder_module, "__file__", str(folder / "venv" / "run_folder.py"))
    assert git_commit() == "unknown"


def test_without_git_the_commit_is_unknown(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert git_commit() == "unknown"
