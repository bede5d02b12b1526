"""How every page looks that a study writes."""

from __future__ import annotations

from importlib.resources import files


def page_style() -> str:
    """Return the style sheet of every page: light and dark, plots, tables, print."""
    return files(__package__).joinpath("page.css").read_text(encoding="utf-8")
