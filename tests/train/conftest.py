"""One small drawn data set of each kind for the whole run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.train.small_sets import draw_affectnet, prepare_savee


@pytest.fixture(scope="session")
def affectnet_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_affectnet(tmp_path_factory.mktemp("affectnet"))


@pytest.fixture(scope="session")
def prepared_savee(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_savee(tmp_path_factory.mktemp("savee"))
