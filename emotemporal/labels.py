"""Emotions, and the ordered sets of them that models speak. Every mapping is by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Emotion(StrEnum):
    """What a face can be said to show. The value is the name that files and tables carry."""

    NEUTRAL = "neutral"
    HAPPINESS = "happiness"
    SADNESS = "sadness"
    SURPRISE = "surprise"
    FEAR = "fear"
    DISGUST = "disgust"
    ANGER = "anger"
    CONTEMPT = "contempt"


@dataclass(frozen=True)
class LabelSpace:
    """The emotions that a model tells apart, in the order of its logits.

    An index means something only inside one label space; between two, go by name.

    Raises:
        ValueError: Fewer than two emotions, or one of them twice.
    """

    emotions: tuple[Emotion, ...]

    def __post_init__(self) -> None:
        if len(self.emotions) < 2 or len(set(self.emotions)) != len(self.emotions):
            raise ValueError(
                f"a label space is two or more different emotions, not {list(self.emotions)}"
            )

    def __len__(self) -> int:
        return len(self.emotions)

    def __contains__(self, emotion: object) -> bool:
        return emotion in self.emotions

    @property
    def names(self) -> tuple[str, ...]:
        """The emotions' names, in the order of the logits."""
        return tuple(emotion.value for emotion in self.emotions)

    def index(self, emotion: Emotion) -> int:
        """Return the position of `emotion` among the logits.

        Raises:
            ValueError: The emotion is not in this space.
        """
        if emotion not in self.emotions:
            raise ValueError(f"{emotion} is not one of {', '.join(self.names)}")
        return self.emotions.index(emotion)

    def indices_in(self, wider: LabelSpace) -> list[int]:
        """Return where each emotion of this space stands in `wider`.

        Raises:
            ValueError: `wider` lacks some of them; they are named.
        """
        missing = [emotion.value for emotion in self.emotions if emotion not in wider]
        if missing:
            raise ValueError(
                f"the model does not know {', '.join(missing)}; it knows {', '.join(wider.names)}"
            )
        return [wider.index(emotion) for emotion in self.emotions]

    @classmethod
    def from_names(cls, names: Iterable[str]) -> LabelSpace:
        """Build a label space from names such as those a checkpoint keeps.

        Raises:
            ValueError: A name is unknown, or occurs twice.
        """
        return cls(tuple(parse_emotion(name) for name in names))


AFFECTNET_8 = LabelSpace(tuple(Emotion))
"""AffectNet's eight, in the order of its annotation files (0 neutral ... 7 contempt)."""

SAVEE_7 = LabelSpace(tuple(e for e in Emotion if e is not Emotion.CONTEMPT))
"""SAVEE's seven: AffectNet's order without contempt."""

LABEL_SPACES: Mapping[str, LabelSpace] = {"affectnet8": AFFECTNET_8, "savee7": SAVEE_7}

SAVEE_CODES: Mapping[str, Emotion] = {
    "a": Emotion.ANGER,
    "d": Emotion.DISGUST,
    "f": Emotion.FEAR,
    "h": Emotion.HAPPINESS,
    "n": Emotion.NEUTRAL,
    "sa": Emotion.SADNESS,
    "su": Emotion.SURPRISE,
}
RAVDESS_CODES: Mapping[str, Emotion] = {
    "01": Emotion.NEUTRAL,
    "03": Emotion.HAPPINESS,
    "04": Emotion.SADNESS,
    "05": Emotion.ANGER,
    "06": Emotion.FEAR,
    "07": Emotion.DISGUST,
    "08": Emotion.SURPRISE,
}
"""The third field of a RAVDESS file name. 02, calm, is none of our emotions: its reader decides."""
CREMAD_CODES: Mapping[str, Emotion] = {
    "ANG": Emotion.ANGER,
    "DIS": Emotion.DISGUST,
    "FEA": Emotion.FEAR,
    "HAP": Emotion.HAPPINESS,
    "NEU": Emotion.NEUTRAL,
    "SAD": Emotion.SADNESS,
}

_SYNONYMS: Mapping[str, Emotion] = {
    "happy": Emotion.HAPPINESS,
    "happiness": Emotion.HAPPINESS,
    "joy": Emotion.HAPPINESS,
    "sad": Emotion.SADNESS,
    "surprised": Emotion.SURPRISE,
    "afraid": Emotion.FEAR,
    "fearful": Emotion.FEAR,
    "disgusted": Emotion.DISGUST,
    "angry": Emotion.ANGER,
    "contemptuous": Emotion.CONTEMPT,
}


def parse_emotion(name: str) -> Emotion:
    """Return the emotion that a folder, a column or an option names ("Happy", "sadness", "fear").

    Case, surrounding space and a leading number with a separator ("3_surprise") do not matter.

    Raises:
        ValueError: No emotion has that name.
    """
    key = re.sub(r"^\d+[\s_.-]+", "", name.strip().lower())
    if key in _SYNONYMS:
        return _SYNONYMS[key]
    try:
        return Emotion(key)
    except ValueError:
        raise ValueError(
            f"{name!r} is not an emotion; known are {', '.join(AFFECTNET_8.names)} "
            f"and the words {', '.join(sorted(_SYNONYMS))}"
        ) from None


def parse_emotions(names: str) -> tuple[Emotion, ...]:
    """Return the emotions of a list with commas; none of an empty one.

    Raises:
        ValueError: A name is no emotion's.
    """
    return tuple(parse_emotion(name) for name in names.split(",")) if names else ()


def parse_label_space(text: str) -> LabelSpace:
    """Return the label space of a preset ("affectnet8", "savee7") or of a list with commas.

    Raises:
        ValueError: Neither a preset nor a list of emotions.
    """
    if text in LABEL_SPACES:
        return LABEL_SPACES[text]
    return LabelSpace.from_names(text.split(","))
