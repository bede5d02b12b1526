"""Two processes train as one does, where batch normalisation stands still."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.small_sets import draw_affectnet


def _train(root: Path, out: Path, *options: str) -> dict[str, np.ndarray]:
    command = [
        sys.executable, "-m", "emotemporal.cli", "pretrain", "--dataset", "affectnet",
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


def test_two_processes_with_a_frozen_encoder_equal_one_after_twenty_steps(root, tmp_path):
    one = _train(root, tmp_path / "one", *FROZEN)
    two = _train(root, tmp_path / "two", *FROZEN, "--run.devices", "2")
    assert _difference(one, two) <= 1e-6
    other_seed = _train(root, tmp_path / "seed", *FROZEN, "--seed", "1")
    assert _difference(one, other_seed) > 1e-3, "this comparison cannot fail"
