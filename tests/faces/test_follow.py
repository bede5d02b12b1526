from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from emotemporal.faces.crop import CropConfig
from emotemporal.faces.follow import (
    FollowConfig,
    Follower,
    NoFaceError,
    follow,
    gather_clips,
    gather_tracks,
    main_track,
    without_tail,
)
from emotemporal.faces.track import TrackerConfig
from emotemporal.types import Frame
from tests.faces.blobs import BlobDetector, draw, frames

CONFIG = FollowConfig(crop=CropConfig(size_px=32))


def follower(detector=None, **tracker) -> Follower:
    config = FollowConfig(tracker=TrackerConfig(**tracker), crop=CropConfig(size_px=32))
    return Follower(config, detector or BlobDetector())


def swaying(t: float) -> tuple[float, float]:
    return 160 + 50 * np.sin(2.5 * t), 120 + 20 * np.cos(1.7 * t)


def views_of(times_s, places, **tracker):
    return [v for _, v in follow(frames(times_s, places), follower(**tracker))]


def centre(view) -> np.ndarray:
    box = view.track.box
    return np.array([(box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2])


def test_a_moving_face_is_one_track_and_its_box_stays_on_it():
    times_s = np.arange(90) / 30
    views = views_of(times_s, {10: swaying})
    assert [len(v) for v in views] == [1] * 90
    assert {v[0].track.id for v in views} == {0}
    errors = [
        np.linalg.norm(centre(v[0]) - swaying(t)) for v, t in zip(views, times_s, strict=True)
    ]
    assert max(errors) < 0.1 * 40
    assert views[-1][0].track.age_s == pytest.approx(times_s[-1])
    assert views[-1][0].crop.shape == (32, 32, 3)


def test_without_the_image_the_motion_alone_still_holds_the_face():
    times_s = np.arange(90) / 30
    views = views_of(times_s, {10: swaying}, follow_image=False)
    assert {v[0].track.id for v in views} == {0}
    errors = [
        np.linalg.norm(centre(v[0]) - swaying(t)) for v, t in zip(views, times_s, strict=True)
    ]
    assert np.percentile(errors, 95) < 0.6 * 40


def test_the_detector_looks_once_a_period_whatever_the_frame_rate():
    for rate_hz in (15, 25, 29.97, 60):
        detector = BlobDetector()
        list(follow(frames(np.arange(0, 2.0, 1 / rate_hz), {10: swaying}), follower(detector)))
        assert detector.num_looks == 10


@pytest.mark.parametrize("rate_hz", [15, 25, 29.97])
def test_a_retimed_video_gives_the_same_boxes(rate_hz):
    """Law 2, for boxes: compared at moments that both have a frame close to."""

    def at(rate: float) -> tuple[np.ndarray, np.ndarray]:
        times_s = np.arange(0, 3.0, 1 / rate)
        views = [v for _, v in follow(frames(times_s, {10: swaying}), follower(BlobDetector(1.5)))]
        rows = [[*centre(v[0]), v[0].track.box.height_px] for v in views]
        return times_s, np.array(rows)

    slow_s, slow = at(rate_hz)
    fast_s, fast = at(60)
    for column in range(3):
        resampled = np.interp(slow_s, fast_s, fast[:, column])
        assert np.percentile(np.abs(resampled - slow[:, column]), 95) < 0.05 * 40


def test_a_shaking_detector_does_not_shake_the_crop():
    times_s = np.arange(90) / 30
    still = {10: lambda t: (160 + 4 * t, 120 + 3 * t)}
    steady = [v for _, v in follow(frames(times_s, still), follower(BlobDetector(2.0)))]
    raw = [BlobDetector(2.0)(frame.image)[0] for frame in frames(times_s, still)]
    shake = np.diff([centre(v[0])[0] for v in steady], n=2).std()
    raw_shake = np.diff([(box.x1 + box.x2) / 2 for box in raw], n=2).std()
    assert shake < 0.5 * raw_shake


def test_faces_that_pass_each_other_keep_their_ids():
    places = {
        10: lambda t: (60 + 60 * t, 90),
        100: lambda t: (240 - 60 * t, 150),
    }
    views = views_of(np.arange(90) / 30, places)
    for v in views:
        assert [view.track.id for view in v] == [0, 1]
    first, last = views[0], views[-1]
    hue = [[np.argmax(v.crop.mean((0, 1))) for v in pair] for pair in (first, last)]
    assert hue[0] == hue[1]


@pytest.mark.parametrize(("away_s", "ids"), [(0.3, {0}), (1.0, {0}), (1.8, {0, 1})])
def test_a_face_away_for_longer_than_the_gap_comes_back_as_somebody_new(away_s, ids):
    def place(t: float):
        return None if 1.0 < t < 1.0 + away_s else (160.0, 120.0)

    views = views_of(np.arange(105) / 30, {10: place})
    assert {view.track.id for v in views for view in v} == ids


def test_a_face_out_of_sight_for_a_while_keeps_its_id_and_makes_two_clips():
    def place(t: float):
        return None if 1.0 < t < 2.3 else (160.0, 120.0)

    tracks = gather_tracks(frames(np.arange(90) / 30, {10: place}), follower())
    assert [{view.track.id for view in track} for track in tracks] == [{0}, {0}]
    assert all(b.time_s - a.time_s < 0.05 for track in tracks for a, b in pairwise(track))


def test_a_face_that_has_gone_is_carried_for_the_gap_and_marked():
    def place(t: float):
        return (160.0, 120.0) if t < 1.0 else None

    views = views_of(np.arange(60) / 30, {10: place})
    carried = [v[0] for v in views if v and not v[0].track.is_detected]
    assert carried
    assert 1.0 <= carried[0].time_s <= 1.21
    assert max(view.time_s for v in views for view in v) <= 0.8 + 0.5 + 0.2  # max_unseen_s
    (track,) = gather_tracks(frames(np.arange(60) / 30, {10: place}), follower())
    assert without_tail(track)[-1].time_s <= 1.2
    assert without_tail(track)[-1].track.is_detected


def test_what_was_seen_but_once_is_dropped_at_the_next_look():
    def place(t: float):
        return (160.0, 120.0) if t < 0.1 else None

    views = views_of(np.arange(30) / 30, {10: place})
    assert max(view.time_s for v in views for view in v) < 0.2


@pytest.mark.parametrize(("first_score", "ids"), [(0.9, {0}), (0.6, set())])
def test_a_weak_box_goes_on_with_a_face_but_begins_none(first_score, ids):
    class Weakening:
        name = "annotation"
        looks = 0

        def __call__(self, image):
            (box,) = BlobDetector()(image)
            self.looks += 1
            return [replace(box, score=first_score if self.looks == 1 else 0.6)]

    video = frames(np.arange(60) / 30, {10: swaying})
    views = [v for _, v in follow(video, follower(Weakening()))]
    assert {view.track.id for v in views for view in v} == ids
    assert all(view.track.is_detected for v in views for view in v)


def test_a_scene_cut_ends_every_track():
    before = frames(np.arange(31) / 30, {10: lambda t: (160, 120)})
    picture = draw({100: (160, 120)})
    picture[:, :, :] = np.where(picture == 60, 200, picture)
    picture[120:] = np.minimum(picture[120:], 20)
    cv_cut = [Frame(picture, 31 / 30 + i / 30, 31 + i) for i in range(20)]

    class Both:
        name = "annotation"

        def __call__(self, image):
            return BlobDetector()(draw({10: (160, 120)}))

    views = [v for _, v in follow(before + cv_cut, follower(Both()))]
    assert {view.track.id for v in views[:31] for view in v} == {0}
    assert {view.track.id for v in views[31:] for view in v} == {1}
    assert views[31][0].track.age_s == 0


def test_a_change_of_light_is_no_cut():
    lit = [
        Frame(
            np.clip(f.image * (1.0 if f.index < 15 else 0.6), 0, 255).astype(np.uint8),
            f.time_s,
            f.index,
        )
        for f in frames(np.arange(30) / 30, {10: lambda t: (160, 120)})
    ]

    class Still:
        name = "annotation"

        def __call__(self, image):
            return BlobDetector()(draw({10: (160, 120)}))

    views = [v for _, v in follow(lit, follower(Still()))]
    assert {view.track.id for v in views for view in v} == {0}


def test_step_by_step_gives_what_gathering_gives():
    """Law 1, for faces: there is one path."""
    video = frames(np.arange(60) / 30, {10: swaying, 100: lambda t: (40, 40 + 20 * t)})
    clips = gather_clips(video, follower(), "video", "somebody")
    live, one = {}, follower()
    for frame in video:
        for view in one.step(frame):
            live.setdefault(view.track.id, []).append(view)
    assert len(clips) == len(live) == 2
    for clip, views in zip(clips, live.values(), strict=True):
        np.testing.assert_array_equal(clip.crops, [view.crop for view in views])
        np.testing.assert_array_equal(clip.times_s, [view.time_s for view in views])
        assert (clip.source, clip.subject) == ("video", "somebody")


def test_the_past_does_not_depend_on_the_future():
    video = frames(np.arange(40) / 30, {10: swaying})
    whole = [v for _, v in follow(video, follower())]
    part = [v for _, v in follow(video[:25], follower())]
    for a, b in zip(whole, part, strict=False):
        np.testing.assert_array_equal(a[0].crop, b[0].crop)


def test_the_main_face_is_large_and_there_for_long():
    video = frames(np.arange(45) / 30, {10: lambda t: (160, 120)})
    video += frames(1.5 + np.arange(15) / 30, {10: lambda t: (160, 120), 100: lambda t: (40, 40)})
    tracks = gather_tracks(video, follower())
    assert len(tracks) == 2
    assert main_track(tracks) is tracks[0]
    with pytest.raises(NoFaceError):
        main_track([])


def test_time_must_grow():
    one = follower()
    one.step(frames(np.array([0.5]), {})[0])
    with pytest.raises(ValueError, match="after one at"):
        one.step(frames(np.array([0.5]), {})[0])


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="longer than detect_every_s"):
        TrackerConfig(detect_every_s=0.5, max_unseen_s=0.5)
    with pytest.raises(ValueError, match="no shorter than that"):
        TrackerConfig(max_unseen_s=0.5, max_gap_s=0.4)
    with pytest.raises(ValueError, match="at least 0"):
        TrackerConfig(detect_every_s=-1)


def test_a_real_shot_cut_ends_the_tracks(test_data):
    from emotemporal.faces.cuts import glance, is_cut
    from emotemporal.video.file import VideoFile

    with VideoFile(test_data / "clips" / "stage_many_faces.mp4") as video:
        glances = [glance(frame.image) for frame in video]
    cuts = [i for i in range(1, len(glances)) if is_cut(glances[i - 1], glances[i])]
    assert cuts == [20, 82, 211]
