from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emotemporal.benchmark.fer_package import FerError, FerPackage, FerRun
from emotemporal.benchmark.job import benchmark
from emotemporal.benchmark.live import LiveBenchmarkConfig, benchmark_live
from emotemporal.benchmark.passes import (
    StagedPass,
    capture_to_label_s,
    pass_as_live,
    pass_in_stages,
)
from emotemporal.benchmark.switches import our_raw, switches_per_minute
from emotemporal.faces.detect import DetectorConfig
from emotemporal.inference.predictor import Judgement
from emotemporal.labels import SAVEE_7
from emotemporal.live.recogniser import RecogniseConfig, Recogniser
from emotemporal.timing import monotonic
from emotemporal.types import Box
from emotemporal.video.file import VideoFile
from tests.video.clips import write_clip

BOX = Box(0, 0, 10, 10, 1.0)


def judgement(time_s: float, label: int, track_id: int = 0) -> Judgement:
    raw = np.eye(7)[label]
    return Judgement(time_s, track_id, BOX, raw, raw, None, False, False, SAVEE_7)


def test_label_changes_are_counted_a_track_and_minute():
    ours = [judgement(t, label) for t, label in enumerate([0, 0, 1, 1, 0, 0, 0])]
    other = [judgement(float(t), 3, track_id=1) for t in range(7)]
    assert switches_per_minute([*ours, *other], our_raw, None) == pytest.approx(2 / 0.2)


def test_averaging_over_time_removes_a_flicker():
    ours = [judgement(t / 10, label) for t, label in enumerate([0] * 20 + [1] + [0] * 20)]
    assert switches_per_minute(ours, our_raw, None) > 0
    assert switches_per_minute(ours, our_raw, 0.5) == 0


def test_no_answer_switches_nothing():
    ours = [judgement(t / 10, 0) for t in range(20)]
    assert switches_per_minute(ours, lambda j: None, None) == 0


def test_from_capture_to_label_counts_the_wait_for_the_models_clock():
    """25 frames a second, 5 ms each; a tick at 0 comes with frame 1, one at 0.1 with frame 3."""
    done = StagedPass(frame_times_s=[0.0, 0.04, 0.08, 0.12])
    for name in done.seconds:
        done.seconds[name] = [0.005 if name == "follow" else 0.0] * 4
    done.judgements, done.judged_at = [judgement(0.0, 0), judgement(0.1, 0)], [1, 3]
    # Frame 0 is judged with frame 1; frames 1 and 2 are first seen by the tick at 0.1.
    assert capture_to_label_s(done) == pytest.approx([0.045, 0.085, 0.045])


def test_work_that_takes_longer_than_a_frame_piles_up():
    done = StagedPass(frame_times_s=[0.0, 0.04, 0.08])
    for name in done.seconds:
        done.seconds[name] = [0.1 if name == "judge" else 0.0] * 3
    done.judgements, done.judged_at = [judgement(0.0, 0)], [2]
    assert capture_to_label_s(done) == pytest.approx([0.3])


def test_a_video_is_timed_stage_by_stage_and_as_a_whole(make_onnx, tiny_scene):
    config = RecogniseConfig(checkpoint=str(make_onnx()), detector=DetectorConfig("haar"))
    found = benchmark_live(
        LiveBenchmarkConfig(str(tiny_scene), 240, config, repetitions=1, history=90)
    )
    names = [row.name for row in found.rows]
    assert names[0] == "frames a second, as live runs"
    assert {f"{stage}, a frame" for stage in ("decode", "look", "follow", "judge", "write")} <= {
        *names
    }
    assert "240x120" in found.facts["video"]
    assert re.search(r"; (kept|missed) by 95 %", found.facts["bound of capture to label"])
    assert any(name.startswith("median of processing over 90 frames") for name in found.facts)


def test_only_the_nearest_face_is_judged_where_that_is_asked(make_onnx, tiny_scene, tmp_path):
    config = RecogniseConfig(checkpoint=str(make_onnx()), detector=DetectorConfig("haar"))
    judged = {}
    for faces in ("all", "nearest"):
        recogniser = Recogniser(replace(config, faces=faces))
        with VideoFile(tiny_scene) as video:
            done = pass_in_stages(video, recogniser, tmp_path / "staged.csv", monotonic)
        pass_as_live(tiny_scene, recogniser, tmp_path / "live.csv", monotonic)
        assert (tmp_path / "live.csv").read_bytes() == (tmp_path / "staged.csv").read_bytes()
        judged[faces] = len(done.judgements)
    assert 0 < judged["nearest"] < judged["all"]


def test_a_video_without_a_face_is_told(make_onnx, tmp_path):
    path = tmp_path / "empty.avi"
    write_clip(path, num_frames=4)
    config = RecogniseConfig(checkpoint=str(make_onnx()), detector=DetectorConfig("haar"))
    with pytest.raises(ValueError, match=r"empty\.avi: no face was judged"):
        benchmark_live(LiveBenchmarkConfig(str(path), 0, config, repetitions=1))


def test_lag_and_spurious_switches_are_told_where_the_truth_is_known(make_onnx, tiny_scene):
    config = RecogniseConfig(checkpoint=str(make_onnx()), detector=DetectorConfig("haar"))
    truth = tiny_scene.with_suffix(".truth.csv")
    found = benchmark_live(
        LiveBenchmarkConfig(str(tiny_scene), 0, config, repetitions=1, truth=str(truth))
    )
    assert "spurious switches a minute" in found.facts


def test_the_other_packages_answer_is_of_the_face_on_the_box():
    left, right = Box(0, 0, 10, 10, 1), Box(50, 0, 60, 10, 1)
    run = FerRun(2.0, [[(left, np.eye(7)[0]), (right, np.eye(7)[1])], []], "")
    assert run.frames_per_second == 1.0
    assert run.answer(0, Box(51, 0, 61, 10, 1)).argmax() == 1
    assert run.answer(0, Box(20, 0, 30, 10, 1)) is None
    assert run.answer(1, left) is None


def test_a_python_without_fer_is_told(tmp_path):
    with (
        FerPackage(Path(sys.executable), str(tmp_path), tmp_path / "none.mp4") as fer,
        pytest.raises(FerError, match="does it have fer"),
    ):
        fer.run()
    with pytest.raises(FerError, match="cannot be run"), FerPackage(tmp_path / "no", "", tmp_path):
        pass


def test_an_unknown_benchmark_is_told_with_those_there_are():
    with pytest.raises(ValueError, match=r"'speed' is no benchmark.*live, encoder, decode"):
        benchmark(["speed"])


def test_a_run_to_compare_with_is_looked_at_before_anything_is_measured(tmp_path):
    words = ["decode", "--sources", "[nowhere.mp4]", "--compare", str(tmp_path / "none.json")]
    with pytest.raises(FileNotFoundError, match=r"none\.json"):
        benchmark(words)


def test_the_live_benchmark_does_without_torch():
    code = "import sys, emotemporal.benchmark.live; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
