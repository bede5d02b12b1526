from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.stats import binomtest, ks_2samp, mannwhitneyu

from emotemporal.data.doctor.examine import DoctorConfig, doctor
from emotemporal.data.prepared import load_prepared
from emotemporal.data.readers import DatasetConfig, read_dataset
from emotemporal.data.streams.camera import STILL_CAMERA, CameraConfig, frame_times
from emotemporal.data.streams.draw import draw_stream
from emotemporal.data.streams.make import StreamsConfig, make_streams
from emotemporal.data.streams.plan import PlanConfig, plan_stream
from emotemporal.data.streams.stills import StillsConfig, choose_stills
from emotemporal.data.streams.table import read_segments
from emotemporal.faces.crop import CropConfig
from emotemporal.labels import Emotion, LabelSpace
from tests.data.tiny_sets import picture, write_image

EMOTIONS = (Emotion.NEUTRAL, Emotion.HAPPINESS, Emotion.FEAR)
LABELS = LabelSpace(EMOTIONS)
NUM_STILLS = 12  # an emotion and split
ROWS = {emotion: np.arange(20) + 20 * i for i, emotion in enumerate(EMOTIONS)}
GROUPS = np.arange(60)


@pytest.fixture(scope="module")
def stills(tmp_path_factory) -> Path:
    """Pictures of three emotions in two splits, with twins: exact, darker, mirrored, cropped."""
    root = tmp_path_factory.mktemp("stills")
    seed = 0
    for split in ("train", "test"):
        for emotion in EMOTIONS:
            for number in range(NUM_STILLS):
                seed += 1
                write_image(root / split / emotion / f"{number:02d}.png", seed)
    source, target = root / "test" / "fear", root / "train" / "neutral"
    shutil.copy(source / "00.png", target / "exact.png")
    image = cv2.imread(str(source / "01.png"))
    cv2.imwrite(str(target / "dark.jpg"), (0.8 * image).astype(np.uint8))
    cv2.imwrite(str(target / "mirror.png"), image_of(source / "02.png")[:, ::-1])
    within = root / "test" / "happiness"
    shutil.copy(within / "03.png", within / "twin.png")
    return root


def image_of(path: Path) -> np.ndarray:
    image = cv2.imread(str(path))
    assert image is not None
    return image


def _data(root: Path, **more: object) -> DatasetConfig:
    return DatasetConfig(name="folder", root=str(root), **more)


def _config(root: Path, out: Path, **changes: object) -> StreamsConfig:
    config = StreamsConfig(
        data=_data(root),
        output=str(out),
        num_streams=3,
        labels=",".join(LABELS.names),
        stills=StillsConfig(split="test"),
        plan=PlanConfig(stream_s=(3.0, 4.0), segment_s=(0.5, 2.0)),
        crop=CropConfig(size_px=32),
    )
    return replace(config, **changes)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


@pytest.fixture(scope="module")
def made(stills, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("made") / "streams"
    make_streams(_config(stills, out))
    return out


# --- stills ---


def test_a_still_has_no_twin_in_another_split_exact_near_or_mirrored(stills):
    chosen = choose_stills(_data(stills), StillsConfig(split="test"), LABELS)
    paths = set(chosen.table.rows["path"])
    assert not paths & {f"test/fear/0{i}.png" for i in range(3)}
    assert len(paths) == 3 * NUM_STILLS + 1 - 3
    assert any("3 pictures with a twin in train or validation" in told for told in chosen.told)
    tolerant = StillsConfig(split="test", twin_free_of="validation")
    assert len(choose_stills(_data(stills), tolerant, LABELS).table) == 3 * NUM_STILLS + 1


def test_a_twin_that_training_left_out_still_counts(stills, tmp_path):
    exclude = tmp_path / "twins.csv"
    lines = [f"train/neutral/{name}" for name in ("exact.png", "dark.jpg", "mirror.png")]
    exclude.write_text("\n".join(["path", *lines]) + "\n")
    data = _data(stills, exclude=str(exclude))
    assert len(read_dataset(data).rows) == len(read_dataset(_data(stills)).rows) - 3
    chosen = choose_stills(data, StillsConfig(split="test"), LABELS)
    assert "test/fear/00.png" not in set(chosen.table.rows["path"])


def test_what_is_excluded_is_not_shown(stills, tmp_path):
    exclude = tmp_path / "bad.csv"
    exclude.write_text("path\ntest/neutral/05.png\n")
    data = _data(stills, exclude=str(exclude))
    chosen = choose_stills(data, StillsConfig(split="test"), LABELS)
    assert "test/neutral/05.png" not in set(chosen.table.rows["path"])


def test_parts_share_no_still_and_no_twin_and_have_as_many_of_each_emotion(stills):
    parts = [
        choose_stills(_data(stills), StillsConfig("test", part, twin_free_of="none"), LABELS)
        for part in ("1/2", "2/2")
    ]
    first, second = (set(part.table.rows["path"]) for part in parts)
    assert not first & second
    assert len(first | second) == 3 * NUM_STILLS + 1
    assert not set(parts[0].groups) & set(parts[1].groups)
    twins = {"test/happiness/03.png", "test/happiness/twin.png"}
    assert twins <= first or twins <= second
    for emotion in (Emotion.NEUTRAL, Emotion.FEAR):
        assert [len(part.rows_of(LABELS)[emotion]) for part in parts] == [NUM_STILLS // 2] * 2


def test_a_part_does_not_depend_on_other_options(stills, tmp_path):
    exclude = tmp_path / "bad.csv"
    exclude.write_text("path\ntest/neutral/05.png\n")
    some = choose_stills(
        _data(stills, exclude=str(exclude)), StillsConfig("test", "1/2"), LabelSpace(EMOTIONS[:2])
    )
    whole = choose_stills(_data(stills), StillsConfig("test", "1/2", twin_free_of="none"), LABELS)
    assert set(some.table.rows["path"]) <= set(whole.table.rows["path"])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"part": "3/2"}, "there are 1 to 2"),
        ({"part": "half"}, "write 1/2"),
        ({"split": "test", "twin_free_of": "test"}, "twin_free_of"),
        ({"twin_free_of": "others,none"}, "twin_free_of"),
    ],
)
def test_stills_that_cannot_be_are_refused(changes, told):
    with pytest.raises(ValueError, match=told):
        StillsConfig(**changes)


# --- what a cut says ---


def _plans(num: int = 150, **changes: object):
    return [plan_stream(ROWS, GROUPS, PlanConfig(**changes), 5, i) for i in range(num)]


def _cuts(plans):
    return [cut for plan in plans for cut in pairwise(plan)]


def _is_change(cut) -> bool:
    return cut[0].emotion != cut[1].emotion


def test_a_cut_leads_to_another_emotion_in_half_of_the_cases():
    cuts = _cuts(_plans())
    num = sum(map(_is_change, cuts))
    assert len(cuts) > 1000
    assert 0.5 in _interval(num, len(cuts))
    for kind in ("cut", "blend"):
        some = [cut for cut in cuts if cut[1].transition == kind]
        assert 0.5 in _interval(sum(map(_is_change, some)), len(some)), kind


def _interval(num: int, count: int):
    found = binomtest(num, count).proportion_ci(0.99, "wilson")

    class Interval:
        def __contains__(self, value: float) -> bool:
            return found.low <= value <= found.high

    return Interval()


def test_cuts_that_tell_would_be_noticed():
    cuts = _cuts(_plans(same_share=0.3))
    assert 0.5 not in _interval(sum(map(_is_change, cuts)), len(cuts))


def test_transitions_and_durations_are_alike_with_a_change_and_without():
    cuts = _cuts(_plans())
    changes = [cut for cut in cuts if _is_change(cut)]
    others = [cut for cut in cuts if not _is_change(cut)]
    for measure in (
        lambda cut: cut[1].blend_s,
        lambda cut: cut[0].lasts_s,
        lambda cut: cut[1].lasts_s,
        lambda cut: len(cut[1].stills),
    ):
        found = ks_2samp([measure(cut) for cut in changes], [measure(cut) for cut in others])
        assert found.pvalue > 0.01


def test_a_detector_of_cuts_cannot_tell_a_change_from_the_pixels():
    """How much a picture jumps at a cut ranks changes no higher than other cuts."""
    jumps: dict[bool, list[float]] = {True: [], False: []}
    faces = [picture(i, 16) for i in range(60)]  # nothing in these depends on the emotion
    for index, plan in enumerate(_plans(40, hard_share=1.0)):
        clip = draw_stream(plan, faces.__getitem__, CameraConfig(), 5, index, "s")
        for cut in pairwise(plan):
            after = int(np.searchsorted(clip.times_s, cut[1].start_s))
            if after < len(clip.times_s):
                both = clip.crops[after - 1 : after + 1].astype(float)
                jumps[_is_change(cut)].append(float(np.abs(both[1] - both[0]).mean()))
    assert min(map(len, jumps.values())) > 100
    assert mannwhitneyu(jumps[True], jumps[False]).pvalue > 0.01


def test_emotions_are_shown_equally_often():
    plans = _plans(300)
    starts = [plan[0].emotion for plan in plans]
    assert {starts.count(emotion) for emotion in EMOTIONS} == {100}
    shown = [segment.emotion for plan in plans for segment in plan]
    for emotion in EMOTIONS:
        assert shown.count(emotion) / len(shown) == pytest.approx(1 / 3, abs=0.03)


def test_segments_last_what_they_may_and_no_still_follows_itself():
    for plan in _plans(50):
        assert plan[0].start_s == 0
        assert 20 <= plan[-1].end_s < 35
        for segment in plan:
            assert 0.5 <= round(segment.lasts_s, 6) <= 5
            assert sum(shown.weight for shown in segment.stills) == pytest.approx(1)
            assert all(shown.row in ROWS[segment.emotion] for shown in segment.stills)
        for before, segment in pairwise(plan):
            assert segment.start_s == before.end_s
            # Two blends in one segment do not meet.
            assert before.blend_s / 2 + segment.blend_s / 2 < before.lasts_s
            rows = [shown.row for shown in (*before.stills, *segment.stills)]
            assert len(set(rows)) == len(rows)


def test_twins_do_not_follow_one_another():
    groups = GROUPS // 2
    for i in range(50):
        plan = plan_stream(ROWS, groups, PlanConfig(), 0, i)
        for before, segment in pairwise(plan):
            shown = [groups[s.row] for s in (*before.stills, *segment.stills)]
            assert len(set(shown)) == len(shown)


def test_too_few_stills_are_told():
    few = {**ROWS, Emotion.FEAR: np.array([40, 41, 42, 43])}
    with pytest.raises(ValueError, match="needs 4 stills that are no twins; there are fear 3"):
        plan_stream(few, np.minimum(GROUPS, 42), PlanConfig(), 0, 0)


# --- what is drawn, when ---


def _levels(row: int) -> np.ndarray:
    """A face that says which emotion it shows by its grey, whatever the still."""
    return np.full((16, 16, 3), 40 + 80 * (row // 20), dtype=np.uint8)


def test_what_is_true_is_what_is_drawn_at_every_frame():
    for index in range(5):
        plan = plan_stream(ROWS, GROUPS, PlanConfig(), 1, index)
        clip = draw_stream(plan, _levels, STILL_CAMERA, 1, index, "s")
        assert [t.emotion for t in clip.targets] == [segment.emotion for segment in plan]
        bounds = np.array([segment.start_s for segment in plan[1:]])
        for crop, time_s in zip(clip.crops, clip.times_s, strict=True):
            k = int(np.searchsorted(bounds, time_s, side="right"))
            level, target = float(crop.mean()), clip.targets[k]
            assert target.start_s <= time_s < target.end_s
            grey = 40 + 80 * EMOTIONS.index(target.emotion)
            near = [(b, s.blend_s) for b, s in zip(bounds, plan[1:], strict=True)]
            in_blend = [abs(time_s - b) < d / 2 for b, d in near]
            if not any(in_blend):
                assert level == grey
                continue
            # At most half of the other one shows: what is true has the larger part.
            other = plan[k - 1 if in_blend[k - 1] and k > 0 else k + 1]
            gap = abs(grey - 40 - 80 * EMOTIONS.index(other.emotion))
            assert abs(level - grey) <= gap / 2 + 1


def test_a_blend_is_half_done_where_the_truth_changes():
    plans = _plans(20, hard_share=0.0, pair_share=0.0)
    cut = next(c for p in plans for c in pairwise(p) if _is_change(c) and c[1].blend_s > 0.2)
    plan = next(p for p in plans if cut[1] in p)
    clip = draw_stream(plan, _levels, replace(STILL_CAMERA, frame_rate_hz=120.0), 1, 0, "s")
    at = np.abs(clip.times_s - cut[1].start_s).argmin()
    half = 40 + 40 * sum(EMOTIONS.index(segment.emotion) for segment in cut)
    assert float(clip.crops[at].mean()) == pytest.approx(half, abs=80 * 0.01 / 0.2 + 1)


def test_missing_frames_are_absent_while_time_goes_on():
    camera = CameraConfig(missing_hz=1.0, missing_share=0.1)
    for index in range(10):
        times_s = frame_times(25.0, camera, 3, index)
        gaps = np.diff(times_s)
        assert times_s[0] == 0
        assert times_s[-1] < 25
        assert np.all(gaps > 0)
        assert 0.15 < gaps.max() < 0.5, "lost for a while, never so long that a track would end"
        assert len(times_s) < 0.95 * 25 * camera.frame_rate_hz
    whole = frame_times(25.0, STILL_CAMERA, 3, 0)
    np.testing.assert_allclose(whole, np.arange(375) / 15, atol=1e-6)


def test_one_effect_switched_off_leaves_the_others_as_they_were():
    plan = plan_stream(ROWS, GROUPS, PlanConfig(stream_s=(2.0, 2.5)), 1, 0)
    faces = [picture(i, 16) for i in range(60)]
    only_motion = replace(STILL_CAMERA, roll_deg=20.0, shift=0.2)
    with_more = replace(only_motion, light_steps_hz=1.0, occlusion_hz=0.0, missing_hz=0.0)
    first, second = (
        draw_stream(plan, faces.__getitem__, camera, 1, 0, "s")
        for camera in (only_motion, with_more)
    )
    np.testing.assert_array_equal(first.times_s, second.times_s)
    assert np.array_equal(first.crops[0], second.crops[0]), "before any lamp goes on"


@pytest.mark.parametrize(
    "changes", [{"missing_s": 0.6}, {"small": 0.0}, {"noise": -1.0}, {"frame_rate_hz": 0.0}]
)
def test_a_camera_that_cannot_be_is_refused(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        CameraConfig(**changes)


def test_blends_that_would_meet_are_refused():
    with pytest.raises(ValueError, match="two blends would meet"):
        PlanConfig(segment_s=(0.4, 5.0))


# --- the folder ---


def test_streams_are_a_prepared_data_set_with_truth_over_time(made):
    prepared = load_prepared(made)
    truth = read_segments(made)
    assert (len(prepared), prepared.kind, prepared.crop.size_px) == (3, "streams", 32)
    for i in range(len(prepared)):
        clip = prepared.load(i)
        rows = truth[truth["source"] == clip.source]
        assert [t.emotion.value for t in clip.targets] == rows["emotion"].tolist()
        assert [t.start_s for t in clip.targets] == rows["start_s"].tolist()
        assert clip.targets[-1].end_s == pytest.approx(prepared.rows["duration_s"].iloc[i])
        shown = {*rows["still"], *rows["second_still"]} - {""}
        assert set(prepared.rows["stills"].iloc[i].split(";")) == shown


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_workers(stills, made, tmp_path):
    make_streams(_config(stills, tmp_path / "again", workers=2))
    assert _bytes(made) == _bytes(tmp_path / "again")


def test_a_stream_does_not_depend_on_how_many_there_are_but_on_the_seed(stills, made, tmp_path):
    make_streams(_config(stills, tmp_path / "one", num_streams=1))
    name = "clips/stream-00000.npz"
    assert (tmp_path / "one" / name).read_bytes() == (made / name).read_bytes()
    make_streams(_config(stills, tmp_path / "other", num_streams=1, seed=1))
    assert (tmp_path / "other" / name).read_bytes() != (made / name).read_bytes()


def test_killed_and_run_again_they_end_with_the_same_bytes(stills, made, tmp_path):
    shutil.copytree(made, tmp_path / "killed")
    (tmp_path / "killed" / "rows" / "stream-00001.json").unlink()
    (tmp_path / "killed" / "clips" / "stream-00002.npz").unlink()
    (tmp_path / "killed" / "truth.csv").unlink()
    report = make_streams(_config(stills, tmp_path / "killed"))
    assert report.num_resumed == 1
    assert _bytes(made) == _bytes(tmp_path / "killed")


def test_another_config_on_the_folder_is_refused(stills, made):
    with pytest.raises(ValueError, match="prepared otherwise: seed was 0, is 4"):
        make_streams(_config(stills, made, seed=4))


def test_doctor_reads_them(made, tmp_path):
    show = tmp_path / "streams.png"
    config = DoctorConfig(
        data=DatasetConfig(name="streams", root=str(made)), show=2, show_file=str(show)
    )
    report = doctor(config)
    assert report.is_usable
    assert "cuts, to another emotion" in str(report)
    assert image_of(show).shape[0] == 2 * (80 + 16)


def test_doctor_notices_a_changed_stream_and_cuts_that_tell(stills, tmp_path):
    plan = PlanConfig(stream_s=(20.0, 21.0), segment_s=(0.5, 0.6), same_share=0.0)
    out = tmp_path / "telling"
    make_streams(_config(stills, out, num_streams=1, plan=plan))
    clip = out / "clips" / "stream-00000.npz"
    clip.write_bytes(clip.read_bytes()[:-1])
    report = doctor(DoctorConfig(data=DatasetConfig(name="streams", root=str(out))))
    told = " ".join(problem.reason for problem in report.problems)
    assert "a cut tells the label" in told
    assert "was changed" in told
    assert not report.is_usable


def test_streams_are_read_by_no_job_that_wants_a_data_set(made):
    with pytest.raises(ValueError, match="give it to 'finetune'"):
        read_dataset(DatasetConfig(name="streams", root=str(made)))
