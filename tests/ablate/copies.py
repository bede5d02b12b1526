"""Prepared folders with another table: what a data set could have been."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from emotemporal.storage import digest


def copy_prepared(
    folder: Path, target: Path, change: Callable[[pd.DataFrame], pd.DataFrame]
) -> str:
    """Copy a prepared folder, its rows changed."""
    shutil.copytree(folder, target)
    rows = pd.read_csv(target / "clips.csv", dtype=str, keep_default_na=False)
    text = change(rows).to_csv(index=False, lineterminator="\n").encode()
    (target / "clips.csv").write_bytes(text)
    record = json.loads((target / "prepare.json").read_text())
    record["clips_digest"] = digest(text)
    (target / "prepare.json").write_text(json.dumps(record))
    return str(target)
