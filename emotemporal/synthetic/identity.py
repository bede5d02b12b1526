"""Who is drawn: everything about a face that does not change while it is filmed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

Item = TypeVar("Item")
Colour = tuple[int, int, int]
HairStyle = Literal["crop", "side", "fringe", "long", "curly", "bun", "bald"]

_SKINS: tuple[Colour, ...] = (
    (247, 214, 190),
    (240, 198, 166),
    (229, 180, 143),
    (209, 156, 117),
    (184, 130, 92),
    (156, 106, 74),
    (128, 86, 62),
)
_HAIRS: tuple[Colour, ...] = (
    (38, 30, 30),
    (62, 42, 32),
    (96, 62, 38),
    (140, 92, 52),
    (196, 152, 88),
    (150, 70, 40),
    (150, 146, 146),
)
_FIRST_DARK = 4  # from this skin on, hair and eyes are dark, as they mostly are
_DARK_HAIRS = (*_HAIRS[:3], _HAIRS[0], _HAIRS[6])
_EYES: tuple[Colour, ...] = (
    (84, 54, 34),
    (104, 74, 40),
    (70, 104, 70),
    (78, 118, 156),
    (60, 84, 120),
)
_CLOTHES: tuple[Colour, ...] = (
    (62, 84, 120),
    (120, 62, 68),
    (70, 104, 88),
    (90, 82, 110),
    (200, 196, 186),
    (52, 54, 62),
    (190, 140, 74),
    (98, 132, 150),
)
_STYLES: tuple[HairStyle, ...] = ("crop", "side", "fringe", "long", "curly", "bun", "bald")
_STYLE_SHARES = (0.22, 0.2, 0.14, 0.18, 0.12, 0.1, 0.04)


@dataclass(frozen=True)
class Identity:
    """One person. Lengths are in face units: 1 is half the width of an average face."""

    skin: Colour
    hair: Colour
    iris: Colour
    clothes: Colour
    hair_style: HairStyle
    hair_part: float
    """Where the hair is parted, -1 (viewer's left) to 1."""
    width: float
    jaw: float
    """Width of the jaw against that of the cheeks."""
    chin: float
    eye_spacing: float
    eye_size: float
    eye_tilt: float
    brow_height: float
    brow_weight: float
    nose_width: float
    nose_length: float
    mouth_width: float
    lip: float
    stubble: float
    """How dark the shaved beard shows, 0 to 1."""
    glasses: Literal["none", "round", "square"]

    @property
    def darkness(self) -> float:
        """Of the skin: 0 for light, 1 for the darkest drawn."""
        return float(np.clip((215 - np.mean(self.skin)) / 120, 0, 1))


def sample_identity(generator: np.random.Generator) -> Identity:
    """Invent a person."""
    uniform = generator.uniform
    style = _STYLES[int(generator.choice(len(_STYLES), p=_STYLE_SHARES))]
    skin = int(generator.integers(len(_SKINS)))
    is_bearded = style not in ("long", "bun") and uniform() < 0.35
    return Identity(
        skin=_shade(_SKINS[skin], generator, 6),
        hair=_shade(_pick(_HAIRS if skin < _FIRST_DARK else _DARK_HAIRS, generator), generator, 6),
        iris=_shade(_pick(_EYES if skin < _FIRST_DARK else _EYES[:2], generator), generator, 8),
        clothes=_shade(_pick(_CLOTHES, generator), generator, 16),
        hair_style=style,
        hair_part=float(uniform(-0.6, 0.6)),
        width=float(uniform(0.93, 1.06)),
        jaw=float(uniform(0.9, 1.08)),
        chin=float(uniform(1.2, 1.34)),
        eye_spacing=float(uniform(0.385, 0.455)),
        eye_size=float(uniform(0.92, 1.12)),
        eye_tilt=float(uniform(-0.03, 0.04)),
        brow_height=float(uniform(0.27, 0.33)),
        brow_weight=float(uniform(0.75, 1.3)),
        nose_width=float(uniform(0.85, 1.2)),
        nose_length=float(uniform(0.92, 1.08)),
        mouth_width=float(uniform(0.33, 0.41)),
        lip=float(uniform(0.8, 1.3)),
        stubble=float(uniform(0.2, 0.6)) if is_bearded else 0.0,
        glasses=_pick(
            ("none", "none", "none", "none", "none", "none", "round", "square"), generator
        ),
    )


def scale_colour(colour: Colour, factor: float) -> Colour:
    """Return a darker (below 1) or lighter (above 1) colour of the same hue."""
    red, green, blue = (min(255, max(0, round(channel * factor))) for channel in colour)
    return red, green, blue


def mix_colours(first: Colour, second: Colour, share: float) -> Colour:
    """Return `first` with `share` of `second` in it."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def _pick(items: tuple[Item, ...], generator: np.random.Generator) -> Item:
    return items[int(generator.integers(len(items)))]


def _shade(colour: Colour, generator: np.random.Generator, spread: int) -> Colour:
    red, green, blue = (
        int(np.clip(channel + generator.integers(-spread, spread + 1), 0, 255))
        for channel in colour
    )
    return red, green, blue
