from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from emotemporal.inference.caution import Caution
from emotemporal.inference.predictor import Judgement
from emotemporal.labels import AFFECTNET_8, Emotion
from emotemporal.live.overlay import canvas, cards, strip
from emotemporal.live.overlay.canvas import Area
from emotemporal.live.overlay.draw import Overlay, OverlayConfig, text_size_px
from emotemporal.live.overlay.notices import put_status
from emotemporal.live.overlay.palette import COLOURS, FAINT_INK, INK, PLATE, TRACK
from emotemporal.live.overlay.scene import FaceCard, Scene
from emotemporal.live.overlay.status import Status
from emotemporal.live.window import HELP
from emotemporal.types import Box, FaceView, Track

SHARES = np.array([0.05, 0.6, 0.15, 0.1, 0.04, 0.03, 0.02, 0.01])
HAPPY = Judgement(
    9.9, 0, Box(0, 0, 1, 1, 1), SHARES, SHARES, Emotion.HAPPINESS, False, False, AFFECTNET_8
)
WARMING = replace(HAPPY, shown=None, is_warm_up=True)


def card(box, judgement=HAPPY, track_id=0):
    return FaceCard(track_id, box, () if judgement is None else (judgement,))


def grey(height, width, level=128):
    return np.full((height, width, 3), level, np.uint8)


def luminance(colour):
    """Relative luminance. Source: WCAG 2.2, definition."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in np.asarray(colour) / 255
    ]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def contrast(one, two):
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    ("size_hw", "box"),
    [
        pytest.param((240, 320), Box(120, 70, 200, 170, 1), id="small"),
        pytest.param((720, 1280), Box(400, 200, 560, 400, 1), id="720p"),
        pytest.param((2160, 3840), Box(1200, 600, 1680, 1200, 1), id="4k"),
        pytest.param((1280, 720), Box(200, 200, 500, 600, 1), id="upright"),
        pytest.param((240, 320), Box(-40, -30, 60, 90, 1), id="face-half-outside"),
        pytest.param((240, 320), Box(0, 0, 320, 240, 1), id="face-fills-the-picture"),
        pytest.param((240, 320), Box(300, 220, 310, 232, 1), id="tiny-face-in-a-corner"),
        pytest.param((40, 60), Box(10, 5, 40, 35, 1), id="picture-smaller-than-a-card"),
    ],
)
@pytest.mark.parametrize("judgement", [HAPPY, WARMING, None], ids=["shown", "warming", "new"])
def test_a_face_is_labelled_on_any_picture(size_hw, box, judgement):
    image = grey(*size_hw)
    picture = Overlay(AFFECTNET_8).draw(image, [card(box, judgement)], 10.0, Status(("00:10.0",)))
    assert picture.shape == image.shape
    assert picture.dtype == np.uint8
    assert np.any(picture != image)
    assert np.all(image == 128), "the picture given is left as it is"


@pytest.mark.parametrize("level", [0, 128, 255], ids=["dark", "grey", "light"])
def test_text_contrasts_with_its_plate_on_any_ground(level):
    plate = Overlay(AFFECTNET_8).draw(
        grey(720, 1280, level), [card(Box(400, 200, 560, 400, 1))], 10.0, Status()
    )
    corner = plate[215, 560 + 40]  # inside the card, right of the face
    assert contrast(INK, corner) > 7  # WCAG AAA
    assert contrast(FAINT_INK, corner) > 4.5  # WCAG AA


def test_every_emotion_has_a_colour_of_its_own_that_shows_on_plate_and_track():
    assert set(COLOURS) == set(Emotion)
    assert len(set(COLOURS.values())) == len(Emotion)
    for colour in COLOURS.values():
        assert contrast(colour, PLATE) > 3  # WCAG, graphical objects


def test_text_grows_with_the_picture_and_is_never_too_small():
    sizes = [text_size_px(grey(h, w)) for h, w in [(90, 160), (240, 320), (1080, 1920)]]
    assert sizes == [12, 12, 26]


@pytest.mark.parametrize(
    ("judgement", "expected"),
    [
        pytest.param(None, ("warming up", "", FAINT_INK), id="new"),
        pytest.param(WARMING, ("warming up", "", FAINT_INK), id="warming-up"),
        pytest.param(HAPPY, ("happiness", "60 %", INK), id="certain"),
        pytest.param(
            replace(HAPPY, is_uncertain=True),
            ("happiness", "uncertain", FAINT_INK),
            id="uncertain-holds-the-label",
        ),
        pytest.param(
            replace(HAPPY, is_uncertain=True, shown=None),
            ("uncertain", "", FAINT_INK),
            id="uncertain-from-the-start",
        ),
    ],
)
def test_words_tell_the_state(judgement, expected):
    assert cards.words(judgement, Caution()) == expected


def test_a_weak_emotion_is_named_with_a_mark():
    caution = Caution(weak=frozenset({Emotion.HAPPINESS}))
    assert cards.words(HAPPY, caution) == ("happiness*", "60 %", INK)
    assert cards.words(replace(HAPPY, is_uncertain=True), caution)[0] == "happiness*"
    assert cards.words(HAPPY, Caution(weak=frozenset({Emotion.FEAR})))[0] == "happiness"


@pytest.mark.parametrize("box", [Box(400, 200, 560, 400, 1), Box(400, 200, 420, 220, 1)])
def test_the_mark_of_a_weak_emotion_is_seen_on_card_and_tag(box):
    def draw(caution):
        overlay = Overlay(AFFECTNET_8, OverlayConfig(show_legend=False), caution)
        return overlay.draw(grey(720, 1280), [card(box)], 10.0, Status())

    assert np.any(draw(Caution(weak=frozenset({Emotion.HAPPINESS}))) != draw(None))
    assert np.array_equal(draw(Caution(weak=frozenset({Emotion.CONTEMPT}))), draw(None))


def test_names_with_a_mark_stay_clear_of_the_bars():
    for height in (240, 720, 2160):
        unit = text_size_px(grey(height, height * 16 // 9))
        overlap = max(canvas.text_width(f"{emotion}*", cards.small_px(unit)) for emotion in Emotion)
        assert overlap < cards.NAME_WIDTH * unit


def test_a_hidden_emotion_has_no_bar_and_no_place_in_the_legend():
    shares = np.array([0.1, 0.2, 0.0, 0.0, 0.0, 0.0, 0.0, 0.7])
    contempt = replace(HAPPY, smoothed=shares, shown=None, is_uncertain=True)
    face = card(Box(400, 200, 560, 400, 1), contempt)

    def draw(hidden):
        overlay = Overlay(AFFECTNET_8, caution=Caution(hidden=frozenset(hidden)))
        return overlay.draw(grey(720, 1280), [face], 10.0, Status())

    def has_colour(picture, emotion):
        return bool(np.all(picture == COLOURS[emotion], axis=2).any())

    assert has_colour(draw([]), Emotion.CONTEMPT)
    assert not has_colour(draw([Emotion.CONTEMPT]), Emotion.CONTEMPT)
    assert has_colour(draw([Emotion.CONTEMPT]), Emotion.HAPPINESS)


def test_there_are_no_more_bars_than_emotions_shown():
    hidden = frozenset(set(Emotion) - {Emotion.HAPPINESS})
    overlay = Overlay(AFFECTNET_8, OverlayConfig(num_bars=8), Caution(hidden=hidden))
    place = placed(overlay, [card(Box(200, 100, 300, 220, 1))])[0]
    assert place.area.height == cards.card_size_px(1, 12)[1]


def test_the_timeline_scrolls_and_tells_states_apart():
    history = (
        replace(WARMING, time_s=4.0),
        replace(HAPPY, time_s=6.0),
        replace(HAPPY, time_s=8.0, shown=Emotion.ANGER),
        replace(HAPPY, time_s=9.0, shown=Emotion.ANGER, is_uncertain=True),
    )
    face = FaceCard(0, Box(0, 0, 1, 1, 1), history)
    columns = [tuple(c) for c in strip.timeline(face, 10.0, 8).tolist()]  # one a second
    assert columns[:4] == [TRACK] * 4, "before the face came, and while it warmed up"
    assert columns[4:7] == [COLOURS[Emotion.HAPPINESS]] * 2 + [COLOURS[Emotion.ANGER]]
    assert columns[7] not in (TRACK, COLOURS[Emotion.ANGER])
    later = [tuple(c) for c in strip.timeline(face, 12.0, 8).tolist()]
    assert later[:5] == columns[2:7]


def placed(overlay, faces, size_hw=(360, 640)):
    overlay.draw(grey(*size_hw), faces, 10.0, Status())
    return {face.track_id: overlay.places[face.track_id] for face in faces}


def test_a_card_stands_beside_its_face_and_inside_the_picture():
    place = placed(Overlay(AFFECTNET_8), [card(Box(200, 100, 300, 220, 1))])[0]
    assert place.is_card
    assert place.area.is_inside(640, 360)
    assert not place.area.overlaps(Area(200, 100, 100, 120))


def test_cards_cover_neither_faces_nor_each_other():
    faces = [
        card(Box(40 + 150 * i, 100 + 10 * i, 130 + 150 * i, 210 + 10 * i, 1), track_id=i)
        for i in range(4)
    ]
    areas = [place.area for place in placed(Overlay(AFFECTNET_8), faces).values()]
    boxes = [Area(40 + 150 * i, 100 + 10 * i, 90, 110) for i in range(4)]
    for i, area in enumerate(areas):
        assert not any(area.overlaps(other) for other in areas[:i] + boxes)


def test_a_small_face_gets_a_tag_for_a_card_would_hide_the_picture():
    assert not placed(Overlay(AFFECTNET_8), [card(Box(200, 100, 220, 124, 1))])[0].is_card


def test_a_card_stays_on_its_side_when_the_first_choice_is_free_again():
    overlay = Overlay(AFFECTNET_8)
    at_edge, free = card(Box(520, 100, 620, 220, 1)), card(Box(350, 100, 450, 220, 1))
    assert placed(overlay, [at_edge])[0].side == "left"
    assert placed(overlay, [free])[0].side == "left"
    assert placed(Overlay(AFFECTNET_8), [free])[0].side == "right"


def test_no_bars_means_tags_alone():
    overlay = Overlay(AFFECTNET_8, OverlayConfig(num_bars=0))
    assert not placed(overlay, [card(Box(200, 100, 300, 220, 1))])[0].is_card


def test_the_legend_is_left_out_where_it_does_not_fit():
    def bottom(width, show):
        overlay = Overlay(AFFECTNET_8, OverlayConfig(show_legend=show))
        return overlay.draw(grey(240, width), [], 0.0, Status())[200:]

    assert np.any(bottom(640, True) != 128)
    assert np.all(bottom(640, False) == 128)
    assert np.all(bottom(320, True) == 128)


def test_a_wrong_number_of_bars_is_refused():
    with pytest.raises(ValueError, match="num_bars is 9"):
        OverlayConfig(num_bars=9)


def view(track_id, box):
    return FaceView(Track(track_id, box, 0.0), grey(48, 48), 0.0)


def test_a_scene_keeps_the_faces_in_view_largest_first():
    scene = Scene()
    small, large = Box(0, 0, 10, 10, 1), Box(0, 0, 30, 30, 1)
    views = [view(1, small), view(2, large)]
    faces = scene.step(views, [replace(HAPPY, track_id=1), replace(HAPPY, track_id=7)], 10.0)
    assert [(face.track_id, len(face.history)) for face in faces] == [(2, 0), (1, 1)]
    assert scene.step([view(2, large)], [], 10.1)[0].track_id == 2
    assert scene.step([view(1, small)], [], 10.2)[0].latest is None, "its history went with it"


def test_a_scenes_memory_is_bounded():
    scene, box = Scene(), Box(0, 0, 10, 10, 1)
    for i in range(1000):
        (face,) = scene.step([view(0, box)], [replace(HAPPY, time_s=i / 10)], i / 10)
    assert 80 <= len(face.history) <= 82


def test_a_face_too_small_to_judge_is_grey_and_says_so():
    face = FaceCard(4, Box(200, 100, 230, 130, 1), (HAPPY,), is_usable=False)
    assert cards.card_words(face, Caution()) == ("too small", "", FAINT_INK)
    overlay = Overlay(AFFECTNET_8, OverlayConfig(show_legend=False))
    picture = overlay.draw(grey(480, 640), [face], 10.0, Status())
    assert not np.all(picture == COLOURS[Emotion.HAPPINESS], axis=2).any()
    assert not overlay.places[4].is_card


def test_while_a_neutral_look_is_learned_it_is_asked_for():
    learning = replace(WARMING, is_learning=True)
    assert cards.words(learning, Caution())[0] == "look neutral"


def test_the_strip_is_as_high_as_the_probability_and_named_by_initials():
    low = replace(HAPPY, smoothed=np.full(8, 1 / 8), time_s=6.0)
    face = FaceCard(0, Box(0, 0, 1, 1, 1), (low, replace(HAPPY, time_s=9.0)))
    picture = grey(60, 120)
    strip.put_strip(picture, face, Area(10, 10, 80, 20), 10.0, text_px=14)
    is_yellow = np.all(picture == COLOURS[Emotion.HAPPINESS], axis=2).sum(axis=0)
    assert is_yellow[10:40].sum() == 0, "before the first judgement"
    assert 0 < is_yellow[60] < is_yellow[85] <= 20
    assert np.any(picture[30:] != 128), "an initial below"


@pytest.mark.parametrize("width", [200, 640])
def test_status_words_are_broken_into_lines_and_stay_inside(width):
    words = ("00:10.0", "2 faces", "30 fps", "lag 0.12 s", "+ 0.5 s smoothing")
    picture = grey(240, width)
    areas = put_status(picture, Status(words, "no picture for 3 s"), 12)
    assert len(areas) == 2, "the status, and the alert below"
    assert areas[1].y >= areas[0].bottom
    assert all(area.right <= width for area in areas)
    assert (areas[0].height > 30) == (width == 200)


@pytest.mark.parametrize("size_hw", [(240, 320), (720, 1280)])
def test_notes_are_drawn_on_a_copy(size_hw):
    overlay, picture = Overlay(AFFECTNET_8), grey(*size_hw)
    for notes in (["paused", "recording"], "wrote x.png", ()), ([], "", HELP):
        assert np.any(overlay.draw_notes(picture, *notes) != 128)
    assert np.all(picture == 128)
