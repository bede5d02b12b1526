"""Imports run downwards, and a few libraries have one door each (DESIGN section 2)."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import emotemporal

PACKAGE = Path(emotemporal.__file__).parent
SETUP_CFG = PACKAGE.parent / "setup.cfg"

DOORS = {
    "decord": ("video/file.py",),
    "torchcodec": ("video/file.py",),
    "wandb": ("train/log.py",),
    "pytorchvideo": ("baselines/", "data/pytorchvideo_sampler.py"),
    "av": (),  # importing it freezes OpenCV's windows
}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the contract of `folder`'s setup.cfg on the package beside it."""
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    options = ["--config", "setup.cfg", "--no-cache"]
    return subprocess.run(
        [sys.executable, "-c", command, *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copied_house(tmp_path: Path) -> Path:
    if not SETUP_CFG.is_file():
        pytest.skip("the contract is in the checkout's setup.cfg; this package is installed")
    code_alone = shutil.ignore_patterns("__pycache__", "*.safetensors", "*.onnx")
    shutil.copytree(PACKAGE, tmp_path / "emotemporal", ignore=code_alone)
    shutil.copy(SETUP_CFG, tmp_path)
    return tmp_path


def test_imports_run_downwards(copied_house):
    done = lint_imports(copied_house)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "line", "expected"),
    [
        ("faces/planted.py", "import emotemporal.train", "emotemporal.faces.planted"),
        ("train/planted.py", "import emotemporal.live", "emotemporal.train.planted"),
        ("models/planted.py", "import emotemporal.data", "emotemporal.models.planted"),
        ("cellar.py", "", "cellar"),
        (
            "data/streams/planted.py",
            "import emotemporal.data.doctor.streams",
            ".streams -> .doctor (1 import)",
        ),
    ],
    ids=[
        "upwards",
        "sideways",
        "sideways-below",
        "a-room-that-the-contract-does-not-know",
        "round-in-circles-inside-a-room",
    ],
)
def test_a_planted_violation_is_found(copied_house, file, line, expected):
    (copied_house / "emotemporal" / file).write_text(f"{line}\n")
    done = lint_imports(copied_house)
    assert done.returncode != 0
    assert expected in done.stdout + done.stderr


def libraries_imported(source: str) -> set[str]:
    """Return the top names of all imports, those inside functions and by string included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
        elif isinstance(node, ast.Call) and "import" in ast.unparse(node.func):
            constants = [argument for argument in node.args if isinstance(argument, ast.Constant)]
            names |= {str(constant.value) for constant in constants}
    return {name.split(".")[0] for name in names}


def wrong_doors(package: Path) -> list[str]:
    """Return "file: library" for each import that stands elsewhere than DOORS allows."""
    wrong = []
    for path in sorted(package.rglob("*.py")):
        file = path.relative_to(package).as_posix()
        for library in libraries_imported(path.read_text(encoding="utf-8")) & DOORS.keys():
            if not file.startswith(DOORS[library] or ("nowhere",)):
                wrong.append(f"{file}: {library}")
    return wrong


def test_each_guarded_library_has_one_door():
    assert wrong_doors(PACKAGE) == []


@pytest.mark.parametrize("library", DOORS)
@pytest.mark.parametrize(
    "line",
    [
        "import {0}",
        "def later():\n    from {0}.data import thing",
        "import importlib\nimportlib.import_module('{0}.data')",
    ],
    ids=["plain", "inside-a-function", "by-string"],
)
def test_a_guarded_library_elsewhere_is_found(tmp_path, library, line):
    room = tmp_path / "live"
    room.mkdir()
    (room / "planted.py").write_text(line.format(library) + "\n")
    assert wrong_doors(tmp_path) == [f"live/planted.py: {library}"]
