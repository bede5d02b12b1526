"""CSV files as tables with columns of numbers, read or refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from emotemporal.reading import UnreadableError


def read_frame(path: Path, **options: Any) -> pd.DataFrame:
    """Read a CSV into a DataFrame; `options` are those of `pandas.read_csv`.

    Raises:
        FileNotFoundError: There is no such file.
        UnreadableError: It is no CSV, or a column holds what it cannot.
    """
    try:
        return pd.read_csv(path, **options)
    except (ValueError, OverflowError) as error:  # pandas' own parse errors among them
        raise UnreadableError(f"{path} is not a table that can be read ({error})") from error
