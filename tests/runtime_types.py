"""The checker that `make check` puts on every annotated function of the package while tests run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, beartype
from beartype.roar import BeartypeDecorHintPep673Exception

_CONFIG = BeartypeConf(is_pep484_tower=True)  # an int is a float, as type checkers have it


def check(function: Callable[..., Any]) -> Callable[..., Any]:
    """Check arguments and results at run time; of methods that return `Self`, nothing."""
    try:
        return beartype(conf=_CONFIG)(function)
    except BeartypeDecorHintPep673Exception:  # `Self` means nothing to a lone function
        return function
