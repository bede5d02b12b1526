"""Every room imports alone; the light rooms stay light; importing the package costs nothing."""

from __future__ import annotations

import json
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

import emotemporal

HEAVY = {"wandb", "sklearn", "pytorchvideo", "av", "emotemporal.train", "emotemporal.data"}
LIGHT_ROOMS = ("live", "inference", "models")
TORCH_FREE = (
    "emotemporal.inference.card",
    "emotemporal.inference.engine",
    "emotemporal.inference.load",
    "emotemporal.inference.onnx_engine",
    "emotemporal.inference.pick",
    "emotemporal.inference.predictor",
    "emotemporal.inference.prior",
    "emotemporal.inference.smoothing",
    "emotemporal.models.meta",
    "emotemporal.faces.follow",
    "emotemporal.live.predict",
    "emotemporal.live.runner",
    "emotemporal.video.file",
    "emotemporal.preprocess",
)

REPORT_PULLED = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted(sys.modules)))
"""

# Third-party libraries are loaded once, in a process that never meets ours; each module is then
# imported in a fork of it. So each is the first of this package, at a hundredth of the price.
REPORT_FAILING_ALONE = """
import importlib, json, os, sys, traceback
for library in sys.argv[1].split():
    importlib.import_module(library)
failing = {}
for name in sys.argv[2:]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            importlib.import_module(name)
        except BaseException:
            os.write(writing, traceback.format_exc()[-2000:].encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        reason = pipe.read().decode()
    status = os.waitpid(child, 0)[1]
    if reason or status:
        failing[name] = reason or f"ended with status {status}"
print(json.dumps(failing))
"""


def run_fresh(script: str, names: Iterable[str], folder: Path | None = None):
    """Run `script` in a new interpreter that knows nothing of this one but its path."""
    path = [str(folder)] if folder else []
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([*path, os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, "-c", script, *names], capture_output=True, text=True, env=env, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def modules_pulled(*names: str) -> set[str]:
    return set(run_fresh(REPORT_PULLED, names))


def modules_of(package_path: Iterable[str], package: str) -> list[str]:
    found = pkgutil.walk_packages(package_path, prefix=f"{package}.")
    return [package, *(module.name for module in found)]


OURS = modules_of(emotemporal.__path__, "emotemporal")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks a process for each module")
@pytest.mark.parametrize(
    "names",
    [pytest.param(OURS[::8], id="some"), pytest.param(OURS, id="all", marks=pytest.mark.slow)],
)
def test_every_module_of_every_room_imports_alone(names):
    # Loaded once, before the forks: none of ours has to come before or after one of them.
    libraries = (
        "numpy cv2 torch torchvision pandas scipy.stats scipy.optimize lightning_fabric "
        "jsonargparse sklearn.metrics statsmodels.stats.contingency_tables onnxruntime "
        "matplotlib.pyplot pyarrow.parquet safetensors.torch torch.optim.swa_utils"
    )
    failing = run_fresh(REPORT_FAILING_ALONE, [libraries, *names])
    reasons = [f"{name}: {reason.splitlines()[-1]}" for name, reason in failing.items()]
    assert not reasons, "\n".join(reasons)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks a process for each module")
def test_a_module_that_needs_another_to_come_first_is_named(tmp_path):
    house = tmp_path / "house"
    house.mkdir()
    (house / "__init__.py").write_text("")
    (house / "hall.py").write_text("from house.stairs import STEPS\nDOORS = 2\n")
    (house / "stairs.py").write_text("from house.hall import DOORS\nSTEPS = 9\n")
    (house / "roof.py").write_text("TILES = 1\n")
    names = modules_of([str(house)], "house")
    failing = run_fresh(REPORT_FAILING_ALONE, ["", *names], tmp_path)
    assert sorted(failing) == ["house.hall", "house.stairs"]
    assert "circular import" in failing["house.hall"]


@pytest.mark.parametrize("room", LIGHT_ROOMS)
def test_the_light_rooms_pull_nothing_heavy(room):
    names = [name for name in OURS if name.startswith(f"emotemporal.{room}")]
    assert len(names) > 1
    assert modules_pulled(*names) & HEAVY == set()


def test_a_heavy_import_is_noticed():
    assert modules_pulled("emotemporal.data", "sklearn") & HEAVY == {"emotemporal.data", "sklearn"}


def test_the_way_from_camera_to_emotion_is_free_of_torch():
    assert "torch" not in modules_pulled(*TORCH_FREE)


def test_torch_is_noticed():
    assert "torch" in modules_pulled("emotemporal.inference.torch_engine")


def test_importing_the_package_costs_nothing():
    assert modules_pulled("emotemporal") & {"torch", "numpy", "cv2"} == set()


def test_what_it_would_cost_is_noticed():
    assert {"numpy", "cv2"} <= modules_pulled("emotemporal.preprocess")
