"""A person who acts on cue, played by a camera and a window that stand in."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

from emotemporal.cli import main
from emotemporal.data.clipping import PrepareConfig
from emotemporal.data.prepare import prepare
from emotemporal.data.prepared import load_prepared
from emotemporal.data.readers import DatasetConfig, read_dataset
from emotemporal.evaluation.evaluate import EvaluateConfig, evaluate
from emotemporal.evaluation.stability import study as smoothing_study
from emotemporal.evaluation.stability.own_takes import OwnTakes
from emotemporal.evaluation.stability.replay import score_settings
from emotemporal.evaluation.stability.stream_sets import (
    JudgedModel,
    StreamsJudgeConfig,
    judge_streams,
)
from emotemporal.evaluation.stability.study import SmoothingStudyConfig
from emotemporal.evaluation.stability.takes import ConcatenatedTakes, TakesConfig
from emotemporal.faces.crop import CropConfig
from emotemporal.faces.detect import DetectorConfig
from emotemporal.faces.follow import FollowConfig
from emotemporal.inference.load import load_model
from emotemporal.inference.smoothing import SmoothingConfig
from emotemporal.labels import SAVEE_7, Emotion, LabelSpace
from emotemporal.live.overlay.prompt_card import draw_prompt
from emotemporal.live.prompts import Prompt, PromptTimes, plan_prompts
from emotemporal.live.record import RecordConfig, record
from emotemporal.video.file import VideoFile
from tests.fakes import FakeSource

TIMES = PromptTimes(countdown_s=1.0, hold_s=1.0, relax_s=0.4, settle_s=0.3)


class FakeGui:
    """OpenCV's windows, with a hand on the keys: which key at which picture."""

    def __init__(self, keys=None):
        self.keys, self.num_shown = keys or {}, 0

    def namedWindow(self, title, flags):  # noqa: N802
        pass

    def imshow(self, title, picture):
        self.num_shown += 1

    def waitKey(self, delay_ms):  # noqa: N802
        return ord(self.keys[self.num_shown]) if self.num_shown in self.keys else -1

    def getWindowProperty(self, title, which):  # noqa: N802
        return 1.0

    def destroyWindow(self, title):  # noqa: N802
        pass


@pytest.fixture(scope="module")
def face(tiny_scene):
    with VideoFile(tiny_scene) as video:
        frame = video.read([0]).frames[0]
    return np.ascontiguousarray(frame[:, :240])


@pytest.fixture
def camera(face):
    """Ten pictures a second of one face, for long enough."""
    return FakeSource(np.arange(400) / 10, lambda time_s: face)


def config_for(tmp_path, **changes):
    config = RecordConfig(
        str(tmp_path / "own"), "ann", True, "happiness,anger", num_rounds=2, times=TIMES
    )
    return replace(config, **changes)


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_what_is_recorded_is_on_disk_with_its_truth(tmp_path, camera):
    summary = record(config_for(tmp_path), camera, FakeGui())
    assert (summary.num_done, summary.num_prompts, summary.is_complete) == (4, 4, True)
    own = tmp_path / "own"
    manifest, truth = rows_of(own / "manifest.csv"), rows_of(own / "truth.csv")
    assert sorted(row["label"] for row in manifest) == ["anger", "anger", "happiness", "happiness"]
    assert {row["subject"] for row in manifest} == {"ann"}
    for row in manifest:
        assert (float(row["start"]), float(row["end"])) == (1.3, 2.0)
        with VideoFile(own / row["path"]) as video:
            assert video.info.duration_s == pytest.approx(TIMES.end_s, abs=0.15)
        told = [t for t in truth if t["source"] == row["path"]]
        assert [t["emotion"] for t in told] == ["neutral", row["label"], "neutral"]
        assert [float(t["start_s"]) for t in told] == [0.0, 1.0, 2.0]
    assert not list(own.rglob("*.part*"))


def test_it_is_read_by_readers_prepare_smoothing_and_evaluate(tmp_path, camera, tiny_checkpoint):
    record(config_for(tmp_path), camera, FakeGui())
    data = DatasetConfig("manifest", str(tmp_path / "own"))
    table = read_dataset(data)
    assert (table.kind, len(table.rows), list(table.problems)) == ("videos", 4, [])
    follow = FollowConfig(DetectorConfig("haar"), crop=CropConfig(size_px=48))
    prepare(table, tmp_path / "prepared", PrepareConfig(follow))
    prepared = load_prepared(tmp_path / "prepared")
    assert len(prepared) == 4
    takes = ConcatenatedTakes(prepared, SAVEE_7, TakesConfig(num_orders=1))
    clip, _ = takes.load(0)
    assert len(clip.targets) == 4
    config = EvaluateConfig(
        data, str(tiny_checkpoint), clips=PrepareConfig(follow), cache=str(tmp_path / "cache")
    )
    assert evaluate(config).metrics.num_clips == 4


def test_its_truth_measures_lag_and_flicker(tmp_path, camera, tiny_checkpoint):
    record(config_for(tmp_path), camera, FakeGui())
    model = load_model(tiny_checkpoint)
    takes = OwnTakes(tmp_path / "own", SAVEE_7, model.meta.crop, DetectorConfig("haar"))
    clip, pieces = takes.load(0)
    assert [target.emotion for target in clip.targets][::2] == [Emotion.NEUTRAL] * 2
    assert [target.start_s for target in clip.targets] == [0.0, 1.0, 2.0]
    assert len(pieces) == 3
    judged = JudgedModel("frame model", model, StreamsJudgeConfig())
    streams = judge_streams(judged, takes, SAVEE_7, tmp_path / "cache")
    (found,) = score_settings(streams, {"none": SmoothingConfig(name="none")}).values()
    assert found.stability.num_changes == 2 * 4
    study = SmoothingStudyConfig("tune", "test", "out", takes=str(tmp_path / "own"))
    assert isinstance(smoothing_study._takes(study, SAVEE_7, model.meta.crop), OwnTakes)
    of_happiness = LabelSpace((Emotion.NEUTRAL, Emotion.HAPPINESS))
    fewer = OwnTakes(tmp_path / "own", of_happiness, model.meta.crop)
    assert (len(fewer), fewer.num_left_out) == (2, 2)


def test_without_consent_nothing_is_written_and_the_remedy_is_told(tmp_path, capsys):
    out = tmp_path / "own"
    words = ["record", "--prompts", "--out", str(out), "--subject", "ann"]
    assert main(words) == 1
    told = capsys.readouterr().err
    assert "--consent true" in told
    assert str(out) in told
    assert "nothing leaves this computer" in told
    assert not out.exists()


def test_without_a_display_it_says_so_and_leaves_no_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("emotemporal.live.record.has_display", lambda: False)
    with pytest.raises(ValueError, match="no display here"):
        record(config_for(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_stopped_it_keeps_whole_takes_and_goes_on_where_it_stopped(tmp_path, camera):
    config = config_for(tmp_path)
    first = record(config, camera, FakeGui({30: "q"}))  # in the second take
    assert (first.num_done, first.is_complete) == (1, False)
    before = {path.name: path.read_bytes() for path in (tmp_path / "own" / "ann").glob("*.mp4")}
    assert len(before) == 1
    assert record(config, camera, FakeGui()).is_complete
    for name, content in before.items():
        assert (tmp_path / "own" / "ann" / name).read_bytes() == content
    assert len(rows_of(tmp_path / "own" / "manifest.csv")) == 4
    assert record(config, FakeSource([], lambda t: None), FakeGui()).is_complete  # nothing to do


def test_a_kill_between_record_and_tables_leaves_no_take_out(tmp_path, camera):
    config = config_for(tmp_path)
    record(config, camera, FakeGui())
    manifest = tmp_path / "own" / "manifest.csv"
    whole = manifest.read_bytes()
    manifest.unlink()
    record(config, camera, FakeGui())
    assert manifest.read_bytes() == whole


def test_a_take_is_repeated_on_asking_and_where_the_camera_had_a_gap(tmp_path, face):
    times = np.concatenate([np.arange(10) / 10, 3 + np.arange(200) / 10])
    gui = FakeGui({25: " "})
    summary = record(config_for(tmp_path), FakeSource(times, lambda t: face), gui)
    assert summary.is_complete
    assert gui.num_shown > 4 * 24 + 9


def test_several_people_share_a_set(tmp_path, camera):
    record(config_for(tmp_path), camera, FakeGui())
    record(config_for(tmp_path, subject="bob", prompts="fear,neutral"), camera, FakeGui())
    manifest = rows_of(tmp_path / "own" / "manifest.csv")
    assert {row["subject"] for row in manifest} == {"ann", "bob"}
    assert len(manifest) == len({row["take"] for row in manifest}) == 8


def test_another_plan_for_the_same_person_is_refused(tmp_path, camera):
    record(config_for(tmp_path), camera, FakeGui())
    with pytest.raises(ValueError, match="other prompts"):
        record(config_for(tmp_path, prompts="fear"), camera, FakeGui())


def test_every_emotion_comes_once_a_round():
    emotions = SAVEE_7.emotions
    prompts = plan_prompts(emotions, 3, TIMES, seed=1)
    for i in range(3):
        assert {prompt.emotion for prompt in prompts[7 * i : 7 * i + 7]} == set(emotions)
    assert [prompt.number for prompt in prompts] == list(range(1, 22))


@pytest.mark.parametrize("size", [(240, 320), (480, 640), (1080, 1920), (640, 360)])
def test_the_prompt_is_drawn_on_a_mirrored_picture_of_any_size(size):
    image = np.zeros((*size, 3), np.uint8)
    image[: size[0] // 4, : size[1] // 2] = 200
    prompt = Prompt(3, Emotion.HAPPINESS, TIMES)
    for time_s in (0.0, 0.99, 1.0, 1.99, 2.0, 2.39):
        picture = draw_prompt(image, prompt, time_s, 14)
        assert picture.shape == image.shape
        assert picture[0, 0].max() == 0
        assert picture[0, -1].min() == 200
        assert picture[: size[0] // 2].max() > 200  # words


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"subject": "../x"}, "letters, digits"),
        ({"source": "film.mp4"}, "number of a camera"),
        ({"num_rounds": 0}, "at least 1"),
        ({"prompts": "joyless"}, "joyless"),
        ({"prompts": ""}, "names no emotion"),
    ],
)
def test_what_cannot_be_recorded_is_refused(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        config_for(tmp_path, **changes)


def test_times_must_leave_something_to_hold():
    with pytest.raises(ValueError, match="settle"):
        PromptTimes(hold_s=1.0, settle_s=1.0)
