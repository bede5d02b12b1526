"""How many images or clips the data sets' authors, or counts of the official files, give."""

from __future__ import annotations

from collections.abc import Mapping

from emotemporal.labels import AFFECTNET_8, CREMAD_CODES, RAVDESS_CODES, SAVEE_7, Emotion

AFFECTNET_TRAIN: Mapping[Emotion, int] = dict(
    zip(
        AFFECTNET_8.emotions,
        (74874, 134415, 25459, 14090, 6378, 3803, 24882, 3750),
        strict=True,
    )
)
_SAVEE = {e: 120 if e is Emotion.NEUTRAL else 60 for e in SAVEE_7.emotions}
_RAVDESS_SPEECH = {e: 96 if e is Emotion.NEUTRAL else 192 for e in RAVDESS_CODES.values()}
_CREMAD = {e: 1087 if e is Emotion.NEUTRAL else 1271 for e in CREMAD_CODES.values()}
_FERPLUS_TEST_STRICT = {
    Emotion.NEUTRAL: 936,
    Emotion.HAPPINESS: 872,
    Emotion.SADNESS: 295,
    Emotion.SURPRISE: 341,
    Emotion.FEAR: 50,
    Emotion.DISGUST: 7,
    Emotion.ANGER: 219,
    Emotion.CONTEMPT: 9,
}

_COUNTS: Mapping[str, Mapping[str, Mapping[Emotion, int]]] = {
    "affectnet": {
        "train": AFFECTNET_TRAIN,
        "validation": dict.fromkeys(AFFECTNET_8.emotions, 500),
    },
    "savee": {"all": _SAVEE},
    "ravdess": {"all": _RAVDESS_SPEECH},
    "cremad": {"all": _CREMAD},
    "ferplus": {"test": _FERPLUS_TEST_STRICT},
}
_SUBJECTS: Mapping[str, int] = {"savee": 4, "ravdess": 24, "cremad": 91}


def published_counts(dataset: str) -> Mapping[str, Mapping[Emotion, int]]:
    """Return the known counts of each split ("all" where there are none); empty if not known.

    AffectNet's are the 2021 release's (its validation set lacks one image of these 4,000), FER+'s
    the test images with a strict majority, RAVDESS's its speech without calm.
    """
    return _COUNTS.get(dataset, {})


def published_subjects(dataset: str) -> int | None:
    """Return how many people the data set shows, where that is published."""
    return _SUBJECTS.get(dataset)
