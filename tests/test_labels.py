from __future__ import annotations

import pytest

from emotemporal.labels import (
    AFFECTNET_8,
    CREMAD_CODES,
    LABEL_SPACES,
    RAVDESS_CODES,
    SAVEE_7,
    SAVEE_CODES,
    Emotion,
    LabelSpace,
    parse_emotion,
    parse_label_space,
)


def test_affectnet_has_the_order_of_its_annotation_files():
    assert AFFECTNET_8.names == (
        "neutral",
        "happiness",
        "sadness",
        "surprise",
        "fear",
        "disgust",
        "anger",
        "contempt",
    )


def test_savee_is_affectnet_without_contempt():
    assert SAVEE_7.names == AFFECTNET_8.names[:-1]
    assert SAVEE_7.indices_in(AFFECTNET_8) == list(range(7))


@pytest.mark.parametrize("space", LABEL_SPACES.values())
def test_an_index_leads_back_to_its_emotion(space):
    assert [space.index(emotion) for emotion in space.emotions] == list(range(len(space)))


def test_spaces_of_different_order_meet_by_name():
    reverse = LabelSpace(SAVEE_7.emotions[::-1])
    assert reverse.indices_in(AFFECTNET_8) == [6, 5, 4, 3, 2, 1, 0]
    assert reverse != SAVEE_7


@pytest.mark.parametrize(
    "emotions",
    [(), (Emotion.FEAR,), (Emotion.FEAR, Emotion.ANGER, Emotion.FEAR)],
    ids=["none", "one", "twice"],
)
def test_a_space_is_two_or_more_different_emotions(emotions):
    with pytest.raises(ValueError, match="two or more different emotions"):
        LabelSpace(emotions)


def test_an_emotion_outside_the_space_is_refused_with_those_inside():
    assert Emotion.CONTEMPT not in SAVEE_7
    with pytest.raises(ValueError, match="contempt is not one of neutral, happiness"):
        SAVEE_7.index(Emotion.CONTEMPT)


def test_what_a_model_lacks_is_named():
    with pytest.raises(ValueError, match="does not know contempt; it knows neutral"):
        AFFECTNET_8.indices_in(SAVEE_7)


@pytest.mark.parametrize(
    ("name", "emotion"),
    [
        ("happiness", Emotion.HAPPINESS),
        ("Happy", Emotion.HAPPINESS),
        (" SAD\n", Emotion.SADNESS),
        ("3_surprise", Emotion.SURPRISE),
        ("03 - Surprised", Emotion.SURPRISE),
        ("7.contempt", Emotion.CONTEMPT),
        ("Angry", Emotion.ANGER),
        ("fearful", Emotion.FEAR),
    ],
)
def test_the_words_that_folders_use_are_understood(name, emotion):
    assert parse_emotion(name) is emotion


@pytest.mark.parametrize("name", ["", "3", "3_", "calm", "happyish", "None", "uncertain"])
def test_other_words_are_refused_never_guessed(name):
    with pytest.raises(ValueError, match="is not an emotion; known are neutral"):
        parse_emotion(name)


@pytest.mark.parametrize(
    ("text", "space"),
    [
        ("affectnet8", AFFECTNET_8),
        ("savee7", SAVEE_7),
        ("happy, sad", LabelSpace((Emotion.HAPPINESS, Emotion.SADNESS))),
    ],
)
def test_a_label_space_is_a_preset_or_a_list(text, space):
    assert parse_label_space(text) == space


@pytest.mark.parametrize("text", ["", "happy", "happy,,sad", "happy,joy", "rafd8"])
def test_a_list_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="emotion"):
        parse_label_space(text)


@pytest.mark.parametrize("space", LABEL_SPACES.values())
def test_names_are_enough_to_build_a_space(space):
    assert LabelSpace.from_names(space.names) == space


@pytest.mark.parametrize(
    ("codes", "num_emotions"), [(SAVEE_CODES, 7), (RAVDESS_CODES, 7), (CREMAD_CODES, 6)]
)
def test_data_set_codes_name_as_many_emotions_as_the_data_set_has(codes, num_emotions):
    assert len(codes) == len(set(codes.values())) == num_emotions
    assert Emotion.CONTEMPT not in codes.values()


def test_ravdess_codes_skip_calm():
    assert sorted(RAVDESS_CODES) == ["01", "03", "04", "05", "06", "07", "08"]
