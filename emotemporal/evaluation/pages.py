"""The pages that studies write: one look, and no other file or network needed."""

from __future__ import annotations

from importlib.resources import files

from emotemporal.evaluation.plots import with_minus_signs


def fill_page(room: str, template: str, /, **values: object) -> str:
    """Return a page: a Jinja template of a room, filled; `style` is given to every one.

    Args:
        room: The package that the template lies in.
        template: Its file name there.
        values: What the template names.
    """
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["minus"] = with_minus_signs
    text = files(room).joinpath(template).read_text(encoding="utf-8")
    return environment.from_string(text).render(style=_style(), **values)


def _style() -> str:
    """Return the style sheet of every page: light and dark, plots, tables, print."""
    return files(__package__).joinpath("page.css").read_text(encoding="utf-8")
