"""Two processes that train together, killed outright and started again, end with the same bits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from emotemporal.storage import file_digest, read_jsonl

ROOT = Path(__file__).parents[2]
OPTIONS = (
    "--preprocess.size_px", "32", "--crop.size_px", "32", "--validation_share", "0.2",
    "--optim.batch_size", "8", "--optim.epochs", "3", "--run.devices", "2", "--run.out", "run",
    "--run.tracking.wandb", "off",
)  # fmt: skip


def start(root: Path, folder: Path) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    words = ["pretrain", "--dataset", "affectnet", "--root", str(root), *OPTIONS]
    return subprocess.Popen(
        [sys.executable, "-m", "emotemporal.cli", *words],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> None:
    told, _ = process.communicate(timeout=600)
    assert process.returncode == 0, told[-3000:]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="kills by signals")
def test_both_killed_in_the_middle_and_started_again_end_with_the_same_bits(
    affectnet_root, tmp_path
):
    finish(start(affectnet_root, tmp_path / "whole"))
    killed = start(affectnet_root, tmp_path / "killed")
    while not (tmp_path / "killed" / "run" / "state.safetensors").exists():
        assert killed.poll() is None, killed.communicate()[0]
        time.sleep(0.05)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    finish(start(affectnet_root, tmp_path / "killed"))
    one, other = tmp_path / "whole" / "run", tmp_path / "killed" / "run"
    assert file_digest(one / "best.safetensors") == file_digest(other / "best.safetensors")
    assert read_jsonl(one / "log.jsonl") == read_jsonl(other / "log.jsonl")
