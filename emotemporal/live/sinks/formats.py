"""The kinds of file that judgements can go to, by name."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from emotemporal.live.sinks.eaf import eaf_file
from emotemporal.live.sinks.page import PageAbout, page_file
from emotemporal.live.sinks.tables import Table, csv_file, json_lines_file, parquet_file

TableFormat = Literal["csv", "jsonl", "parquet", "eaf", "html"]
"""`csv`, `jsonl` and `parquet` have one schema; `eaf` is for ELAN, `html` a page with the video."""


def open_tables(
    paths: Mapping[TableFormat, Path], about: PageAbout, stack: ExitStack
) -> list[Table]:
    """Open files to which judgements are written as they come; `stack` finishes them.

    Raises:
        FileNotFoundError: A folder is missing.
    """
    return [_open(name, path, about, stack) for name, path in paths.items()]


def _open(name: TableFormat, path: Path, about: PageAbout, stack: ExitStack) -> Table:
    if name == "csv":
        return stack.enter_context(csv_file(path, about.labels))
    if name == "jsonl":
        return stack.enter_context(json_lines_file(path, about.labels))
    if name == "parquet":
        return stack.enter_context(parquet_file(path, about.labels))
    if name == "eaf":
        return stack.enter_context(eaf_file(path, about.labels, about.period_s, about.video))
    return stack.enter_context(page_file(path, about))
