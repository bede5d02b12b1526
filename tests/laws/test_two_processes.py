"""Two processes train as one does, where batch normalisation stands still."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.small_sets import draw_affectnet

TORCHRUN = (
    sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m",
)  # fmt: skip
"""What the command `torchrun` is, whether or not it is on the path."""


def _train(
    root: Path, out: Path, *options: str, start: tuple[str, ...] = (sys.executable, "-m")
) -> dict[str, np.ndarray]:
    command = [
        *start, "emotemporal.cli", "pretrain", "--dataset", "affectnet",
        "--root", str(root), "--run.out", str(out), "--run.tracking.wandb", "off",
        "--preprocess.size_px", "32", "--crop.size_px", "32", "--validation_share", "0.2",
        "--optim.batch_size", "8", "--optim.epochs", "5", "--optim.learning_rate", "0.01",
        *options,
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return load_file(out / "best.safetensors")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return draw_affectnet(tmp_path_factory.mktemp("images"))


FROZEN = ("--freeze_encoder", "true", "--select_on", "validation")


def _difference(one, other) -> float:
    return max(float(np.abs(one[name] - other[name]).max()) for name in one if "head" in name)


@pytest.fixture(scope="module")
def two(root, tmp_path_factory):
    return _train(root, tmp_path_factory.mktemp("runs") / "two", *FROZEN, "--run.devices", "2")


def test_two_processes_with_a_frozen_encoder_equal_one_after_twenty_steps(root, two, tmp_path):
    one = _train(root, tmp_path / "one", *FROZEN)
    assert _difference(one, two) <= 1e-6
    other_seed = _train(root, tmp_path / "seed", *FROZEN, "--seed", "1")
    assert _difference(one, other_seed) > 1e-3, "this comparison cannot fail"


@pytest.mark.slow
def test_torchrun_s_two_processes_train_together_as_two_of_our_own_do(root, two, tmp_path):
    theirs = _train(root, tmp_path / "theirs", *FROZEN, start=TORCHRUN)
    assert two.keys() == theirs.keys()
    assert all(np.array_equal(two[name], theirs[name], equal_nan=True) for name in two)
