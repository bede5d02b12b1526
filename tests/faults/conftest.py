"""Where faults are tried: in memory, if there is a place, for files are synced by the hundred."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_IN_MEMORY = Path("/dev/shm")
_ENOUGH = 3 << 30


@pytest.fixture(scope="session")
def memory_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder on no disk where there is one: a kill does not ask what a file lies on."""
    if not _IN_MEMORY.is_dir() or shutil.disk_usage(_IN_MEMORY).free < _ENOUGH:
        yield tmp_path_factory.mktemp("faults")
        return
    with tempfile.TemporaryDirectory(dir=_IN_MEMORY, prefix="emotemporal-") as name:
        yield Path(name)
