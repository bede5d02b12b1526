"""What ships: the list in setup.cfg, and what a program finds of it."""

from __future__ import annotations

import configparser
from fnmatch import fnmatch
from importlib.resources import files
from pathlib import Path

import pytest

import emotemporal
from emotemporal import weights

SETUP_CFG = Path(emotemporal.__file__).parents[1] / "setup.cfg"
MAX_BYTES = 40e6


@pytest.fixture
def patterns() -> list[str]:
    if not SETUP_CFG.is_file():
        pytest.skip("the list is in the checkout's setup.cfg; this package is installed")
    setup = configparser.ConfigParser(comment_prefixes=("#",))
    setup.read(SETUP_CFG, encoding="utf-8")
    return setup["options.package_data"]["emotemporal.weights"].split()


def beside_the_code() -> list[Path]:
    folder = Path(weights.__file__).parent
    return [path for path in sorted(folder.iterdir()) if path.is_file() and path.suffix != ".py"]


@pytest.mark.parametrize(
    "name",
    [
        weights.SHIPPED_NAME,
        weights.SHIPPED_INT8_NAME,
        weights.SHIPPED_SMOOTHING_NAME,
        weights.MODEL_CARD_NAME,
    ],
)
def test_a_wheel_takes_what_the_program_looks_for(patterns, name):
    assert any(fnmatch(name, pattern) for pattern in patterns)


def test_a_wheel_takes_all_that_lies_beside_the_code(patterns):
    left_out = [
        path.name
        for path in beside_the_code()
        if not any(fnmatch(path.name, pattern) for pattern in patterns)
    ]
    assert left_out == []


def test_the_program_finds_all_that_ships():
    found = {entry.name for entry in files("emotemporal.weights").iterdir()}
    assert {path.name for path in beside_the_code()} <= found
    assert all(weights.shipped_file(path.name) == path for path in beside_the_code())


def test_all_that_ships_stays_small():
    assert sum(path.stat().st_size for path in beside_the_code()) <= MAX_BYTES


def test_what_ships_is_one_network():
    shipped = [weights.shipped_file(weights.SHIPPED_NAME)]
    shipped.append(weights.shipped_file(weights.SHIPPED_INT8_NAME))
    if not all(path.is_file() for path in shipped):
        pytest.skip("no checkpoint ships with this version")
    pytest.importorskip("onnxruntime", reason="the int8 network runs in ONNX Runtime")
    from emotemporal.inference.load import load_model

    network, rounded = (load_model(path) for path in shipped)
    assert network.meta == rounded.meta
    assert rounded.engine_name == "onnx-int8"
