"""From plain JSON values to fields, refusing what is of another kind. No torch here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

Config = TypeVar("Config")


def build(kind: type[Config], values: Mapping[str, Any]) -> Config:
    """Build a dataclass of plain fields, and refuse values of other types than the fields'."""
    hints = get_type_hints(kind)
    for name, value in values.items():
        if name in hints and not fits(value, hints[name]):
            raise ValueError(f"{name} is {value!r}, which is not {hints[name]}")
    return kind(**values)


def number(value: object) -> float:
    """Return a number; true and "1" are none."""
    if isinstance(value, int | float) and fits(value, float):
        return float(value)
    raise ValueError(f"{value!r} stands where a number belongs")


def fits(value: object, hint: Any) -> bool:
    """Tell whether a value is of the kind that a field's type says."""
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if isinstance(value, bool):  # Python takes True for 1
        return hint is bool
    if hint is float:
        return isinstance(value, int | float)
    return isinstance(value, get_origin(hint) or hint)


def require_shares(name: str, shares: Sequence[float], count: int) -> None:
    """Refuse what is not a prior over `count` labels.

    Raises:
        ValueError: Another number of shares, a share outside 0 to 1, or a sum other than 1.
    """
    if len(shares) != count:
        raise ValueError(f"{name}: the prior has {len(shares)} shares for {count} labels")
    if not all(0 <= share <= 1 for share in shares):
        raise ValueError(f"{name}: the prior has shares outside 0 to 1: {shares}")
    if not math.isclose(sum(shares), 1.0, abs_tol=1e-4):
        raise ValueError(f"{name}: the prior sums to {sum(shares):.6f}, not to 1")


def without(values: Mapping[str, Any], **usual: object) -> dict[str, Any]:
    """Leave out fields that are as usual: programs that do not know them read all other files."""
    return {k: v for k, v in values.items() if k not in usual or v != usual[k]}
