"""Acceptance: people keep their ids through crossings, a second out of sight, and exits."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from emotemporal.faces.crop import CropConfig
from emotemporal.faces.cuts import glance, is_cut
from emotemporal.faces.detect import DetectorConfig, build_detector, find_yunet
from emotemporal.faces.follow import FollowConfig, Follower, follow
from emotemporal.faces.track import TrackerConfig
from emotemporal.synthetic.crossing import CrossingConfig, crossing_truth
from emotemporal.video.file import VideoFile
from tests.faces.identities import NoisyDetector, judge, play

GAP_S = 1.4  # whoever is not seen for longer may come back as somebody new


SMALL = CrossingConfig(2, frame_rate_hz=10.0, width_px=320, height_px=180)


def follower_with(detector, **tracker) -> Follower:
    config = FollowConfig(tracker=TrackerConfig(**tracker), crop=CropConfig(32))
    return Follower(config, detector)


def scene(num_people, seed, rate_hz=12.5) -> CrossingConfig:
    width = {2: 480, 4: 720}[num_people]
    return CrossingConfig(num_people, rate_hz, width_px=width, height_px=270, seed=seed)


@pytest.fixture(scope="module")
def two_people():
    return play(SMALL)


@pytest.fixture(scope="module")
def four_people():
    return play(replace(SMALL, num_people=4, width_px=440))


@pytest.mark.parametrize("people", ["two_people", "four_people"])
def test_people_keep_their_ids(people, request):
    frames, truth = request.getfixturevalue(people)
    found = judge(frames, truth, follower_with(NoisyDetector(frames, truth, 0)), GAP_S)
    assert found.switches == []
    assert found.share_followed > 0.9


def test_people_keep_their_ids_with_haar(two_people):
    detector = build_detector(DetectorConfig("haar"))
    found = judge(*two_people, follower_with(detector), GAP_S)
    assert found.switches == []
    assert found.share_followed > 0.7


def test_without_looking_at_people_they_are_mistaken(two_people):
    frames, truth = two_people
    detector = NoisyDetector(frames, truth, 0)
    found = judge(frames, truth, follower_with(detector, max_gap_s=0.5), GAP_S)
    assert found.switches  # a second out of sight makes somebody new


def test_the_truth_has_what_it_says():
    truth = crossing_truth(SMALL)
    for person in (0, 1):
        shares = [
            next((seen.visible for seen in frame if seen.person == person), 0.0) for frame in truth
        ]
        assert max(shares) == 1.0
    hidden = [all(seen.visible > 0.7 for seen in frame) and len(frame) == 2 for frame in truth]
    assert 0.2 < 1 - sum(hidden) / len(hidden) < 0.8
    assert min(len(frame) for frame in truth) == 1  # somebody leaves


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("num_people", [2, 4])
def test_people_keep_their_ids_whoever_they_are(num_people, seed):
    frames, truth = play(scene(num_people, seed))
    found = judge(frames, truth, follower_with(NoisyDetector(frames, truth, seed)), GAP_S)
    assert found.switches == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("num_people", [2, 4])
@pytest.mark.parametrize("name", ["haar", "yunet"])
def test_people_keep_their_ids_with_a_real_detector(name, num_people, seed):
    config = DetectorConfig(name)
    if name == "yunet" and find_yunet(config) is None:
        pytest.skip("no YuNet file at hand")
    frames, truth = play(scene(num_people, seed))
    found = judge(frames, truth, follower_with(build_detector(config)), GAP_S)
    assert found.switches == []
    assert found.share_followed > 0.7


def test_no_track_survives_a_real_shot_cut(test_data):
    detector = build_detector(DetectorConfig("auto"))
    before, tracks, num_cuts = None, set(), 0
    with VideoFile(test_data / "clips" / "stage_many_faces.mp4") as video:
        for frame, views in follow(video, follower_with(detector)):
            now = glance(frame.image)
            ids = {view.track.id for view in views}
            if before is not None and is_cut(before, now):
                num_cuts += 1
                assert not ids & tracks, f"{ids & tracks} go on at {frame.time_s:.2f} s"
            before, tracks = now, tracks | ids
    assert num_cuts == 3
    assert tracks, f"nobody found by {detector.name}, {os.environ.get('EMOTEMPORAL_YUNET')}"
