"""Colours of the overlay, of pages and of plots, RGB; one emotion has one colour everywhere.

Told apart with any of the common colour blindnesses, and never alone: a name or initials stand
beside them.
"""

from __future__ import annotations

from collections.abc import Mapping

from emotemporal.labels import Emotion

Colour = tuple[int, int, int]

# Okabe and Ito 2008, Color Universal Design, figure 16; their black, unreadable on a dark plate,
# is a light grey here. Warm colours for what is aroused, cool ones for what is not.
COLOURS: Mapping[Emotion, Colour] = {
    Emotion.NEUTRAL: (190, 190, 190),
    Emotion.HAPPINESS: (240, 228, 66),
    Emotion.SADNESS: (0, 114, 178),
    Emotion.SURPRISE: (230, 159, 0),
    Emotion.FEAR: (204, 121, 167),
    Emotion.DISGUST: (0, 158, 115),
    Emotion.ANGER: (213, 94, 0),
    Emotion.CONTEMPT: (86, 180, 233),
}
INITIALS: Mapping[Emotion, str] = {
    Emotion.NEUTRAL: "N",
    Emotion.HAPPINESS: "H",
    Emotion.SADNESS: "Sa",
    Emotion.SURPRISE: "Su",
    Emotion.FEAR: "F",
    Emotion.DISGUST: "D",
    Emotion.ANGER: "A",
    Emotion.CONTEMPT: "C",
}
"""Stand with the colours where a name has no room: nothing is told by colour alone."""
PLATE: Colour = (18, 20, 24)
TRACK: Colour = (62, 66, 74)
"""The part of a bar or a timeline that is empty."""
INK: Colour = (245, 246, 248)
FAINT_INK: Colour = (170, 176, 186)
ALERT: Colour = (255, 200, 87)
"""Of warnings, which have a sign of their own too."""
RECORDING: Colour = (255, 92, 92)
