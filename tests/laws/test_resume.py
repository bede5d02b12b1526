"""Law 5: the same seed gives the same bits, also across a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from emotemporal.storage import read_jsonl
from tests.small_sets import draw_affectnet

PRETRAIN = (
    "--preprocess.size_px", "32", "--crop.size_px", "32", "--optim.epochs", "3",
    "--optim.batch_size", "8", "--validation_share", "0.2", "--mix.mixup_alpha", "0.4",
    "--model.dropout", "0.3", "--optim.ema_decay", "0.9", "--run.tracking.wandb", "off",
)  # fmt: skip


def _start(out: Path, root: Path) -> subprocess.Popen[str]:
    command = [
        sys.executable, "-m", "emotemporal.cli", "pretrain", "--dataset", "affectnet",
        "--root", str(root), "--run.out", str(out), *PRETRAIN,
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _finish(process: subprocess.Popen[str], code: int = 0) -> str:
    text, _ = process.communicate(timeout=300)
    assert process.returncode == code, text
    return text


def _wait_for_epoch(out: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 200
    while not (out / "state.safetensors").exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return draw_affectnet(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def whole(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "run"
    _finish(_start(out, root))
    return out


def assert_same_results(one: Path, other: Path) -> None:
    for name in ("best.safetensors", "state.safetensors"):
        expected, found = load_file(one / name), load_file(other / name)
        assert expected.keys() == found.keys()
        for key, value in expected.items():
            assert np.array_equal(value, found[key], equal_nan=True), f"{name}: {key}"
    assert read_jsonl(one / "log.jsonl") == read_jsonl(other / "log.jsonl")
    assert json.loads((one / "summary.json").read_text()) == json.loads(
        (other / "summary.json").read_text()
    )


@pytest.mark.parametrize("delay_s", [0.0, 0.15])
def test_a_run_killed_outright_and_started_again_ends_with_the_same_bits(
    whole, root, tmp_path, delay_s
):
    out = tmp_path / "run"
    process = _start(out, root)
    _wait_for_epoch(out, process)
    time.sleep(delay_s)  # somewhere in the next epoch, or in the middle of a write
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (out / "summary.json").exists(), "killed too late: nothing was left to resume"
    _finish(_start(out, root))
    assert_same_results(whole, out)


def test_a_run_asked_to_stop_saves_leaves_with_its_own_code_and_goes_on(whole, root, tmp_path):
    out = tmp_path / "run"
    process = _start(out, root)
    _wait_for_epoch(out, process)
    process.terminate()
    told = _finish(process, code=75)
    assert "the same command goes on" in told
    assert "resuming" in _finish(_start(out, root))
    assert_same_results(whole, out)


def test_another_config_on_the_folder_is_refused_and_told_apart(whole, root):
    command = [
        sys.executable, "-m", "emotemporal.cli", "pretrain", "--dataset", "affectnet",
        "--root", str(root), "--run.out", str(whole), *PRETRAIN, "--optim.learning_rate", "0.5",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "optim.learning_rate: there 0.001, here 0.5" in done.stderr


def test_the_comparison_can_fail(whole, root, tmp_path):
    command = [
        sys.executable, "-m", "emotemporal.cli", "pretrain", "--dataset", "affectnet",
        "--root", str(root), "--run.out", str(tmp_path / "run"), *PRETRAIN, "--seed", "1",
    ]  # fmt: skip
    subprocess.run(command, capture_output=True, check=True)
    with pytest.raises(AssertionError):
        assert_same_results(whole, tmp_path / "run")
