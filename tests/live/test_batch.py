from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
import wave
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from emotemporal.faces.detect import DetectorConfig
from emotemporal.live.inputs import list_inputs
from emotemporal.live.predict import PredictConfig, predict
from emotemporal.live.workers import Died, Finished, Progress, run_jobs
from emotemporal.run_folder import RunFolderError
from emotemporal.stopping import InterruptedJob
from emotemporal.video.file import VideoFile
from emotemporal.video.write import VideoWriter
from emotemporal.weights import SHIPPED_INT8_NAME, shipped_file
from tests.live.bad_videos import write_sound_alone

FIGURES = ["kind", "frames", "duration_s", "faces", "judgements", "warm_up_share"]
FIGURES += ["uncertain_share"]
FIGURES += [
    f"{kind}_{name}"
    for kind in ("shown", "mean")
    for name in ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger")
]
NOTHING_SEEN = dict.fromkeys(FIGURES, 0)
HAAR = DetectorConfig("haar")
BAD = {"cut.mp4", "empty.mp4", "noise.avi", "sound.mp4", "wave.mp4"}
ALL = "csv,jsonl,parquet,eaf,html"


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def repeat(video, path, num_frames):
    """Write a video of the frames of another, over and over."""
    with VideoFile(video) as source:
        images = source.read(range(source.info.num_frames)).frames
    with VideoWriter(path, 10.0) as writer:
        for i in range(num_frames):
            writer.write(images[i % len(images)])


@pytest.fixture
def folder(tiny_scene, tmp_path):
    """Good, cut off, empty, faceless, noise, sound alone, a picture, and what is none of these."""
    folder = tmp_path / "videos"
    (folder / "second take").mkdir(parents=True)
    good = tiny_scene.read_bytes()
    (folder / "good.mp4").write_bytes(good)
    (folder / "second take" / "good.mp4").write_bytes(good)
    (folder / "cut.mp4").write_bytes(good[: len(good) // 2])
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "noise.avi").write_bytes(np.random.default_rng(0).bytes(5000))
    write_sound_alone(folder / "sound.mp4")
    with wave.open(str(folder / "wave.mp4"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16_000))
    with VideoWriter(folder / "nobody.mp4", 10.0) as writer:
        for _ in range(5):
            writer.write(np.full((96, 128, 3), 90, np.uint8))
    with VideoFile(tiny_scene) as video:
        cv2.imwrite(str(folder / "photo.png"), video.read([20]).frames[0][..., ::-1])
    (folder / "notes.txt").write_text("not a video")
    return folder


def config_of(checkpoint, folder, out, **changes):
    changes = {"workers": 0, **changes}
    return PredictConfig([str(folder)], str(checkpoint), out=str(out), detector=HAAR, **changes)


def test_every_good_file_is_done_and_every_bad_one_named(tiny_checkpoint, folder, tmp_path):
    out = tmp_path / "out"
    summary = predict(config_of(tiny_checkpoint, folder, out, formats=ALL, annotate=True))
    assert not summary.is_complete
    done = {row["name"]: row for row in rows_of(out / "summary.csv")}
    good = ("videos/good.mp4", "videos/second take/good.mp4")
    assert set(done) == {*good, "videos/nobody.mp4", "videos/photo.png"}
    failed = {Path(row["source"]).name: row["reason"] for row in rows_of(out / "failures.csv")}
    assert set(failed) == BAD
    assert all(name in reason for name, reason in failed.items())
    assert summary.without_face == (str(folder / "nobody.mp4"),)
    for name in good:
        rows = rows_of(out / "tables" / f"{name}.csv")
        assert len(rows) == int(done[name]["judgements"]) > 10
        written = [out / "tables" / f"{name}.{kind}" for kind in ALL.split(",")]
        assert all(path.stat().st_size > 100 for path in written)
        with VideoFile(out / "labelled" / name) as video:
            assert video.info.num_frames == int(done[name]["frames"])
        shown = sum(float(v) for k, v in done[name].items() if k.startswith("shown_"))
        assert 0 <= shown <= 1.000001
        means = sum(float(v) for k, v in done[name].items() if k.startswith("mean_"))
        assert means == pytest.approx(1, abs=1e-4)
    assert (out / "labelled/videos/photo.png").is_file()
    assert not (out / "tables/videos/photo.png.html").exists(), "a picture has no timeline"
    assert "cannot be judged" in str(summary)


def test_a_file_in_a_folder_has_the_rows_of_the_one_table(tiny_checkpoint, tiny_scene, tmp_path):
    predict(config_of(tiny_checkpoint, tiny_scene, tmp_path / "out"))
    table = tmp_path / "one.csv"
    predict(PredictConfig([str(tiny_scene)], str(tiny_checkpoint), csv=str(table), detector=HAAR))
    rows = rows_of(table)
    assert {row.pop("source") for row in rows} == {str(tiny_scene)}
    assert rows == rows_of(tmp_path / "out" / "tables" / f"{tiny_scene.name}.csv")


def test_a_rerun_does_only_what_is_missing_or_changed(
    tiny_checkpoint, folder, tmp_path, monkeypatch
):
    out, judged = tmp_path / "out", []
    predict(config_of(tiny_checkpoint, folder, out))
    monkeypatch.setattr(
        "emotemporal.live.batch.judge_file",
        lambda path, *rest: judged.append(path.name) or NOTHING_SEEN,
    )
    summary = predict(config_of(tiny_checkpoint, folder, out, workers=0))
    assert set(judged) == BAD, "what failed"
    assert summary.num_resumed == 4


def test_what_changed_or_lost_its_table_is_done_again(tiny_checkpoint, folder, tmp_path):
    out = tmp_path / "out"
    (folder / "cut.mp4").unlink()
    predict(config_of(tiny_checkpoint, folder, out))
    receipts = {p: p.read_bytes() for p in (out / "done").rglob("*.json")}
    (out / "tables/videos/good.mp4.csv").unlink()
    (folder / "photo.png").write_bytes((folder / "photo.png").read_bytes() + b" ")
    summary = predict(config_of(tiny_checkpoint, folder, out))
    assert summary.num_resumed == len(receipts) - 2
    assert (out / "tables/videos/good.mp4.csv").is_file()


def test_another_config_is_refused(tiny_checkpoint, tiny_scene, tmp_path):
    out = tmp_path / "out"
    predict(config_of(tiny_checkpoint, tiny_scene, out))
    with pytest.raises(RunFolderError, match="prior"):
        predict(config_of(tiny_checkpoint, tiny_scene, out, prior="uniform"))
    summary = predict(config_of(tiny_checkpoint, tiny_scene, out, num_threads=2))
    assert summary.num_resumed == 1, "how many threads work decides nothing"


def test_results_inside_the_folder_are_not_judged(tiny_checkpoint, tiny_scene, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.mp4").write_bytes(tiny_scene.read_bytes())
    out = tmp_path / "in/out"
    for _ in range(2):
        summary = predict(config_of(tiny_checkpoint, tmp_path / "in", out, annotate=True))
        assert summary.num_files == 1
    assert (out / "labelled/in/a.mp4").is_file()


def test_files_of_one_name_are_refused(tmp_path):
    for name in ("one/a.mp4", "two/a.mp4"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(ValueError, match=r"would both have results called a\.mp4"):
        list_inputs([str(tmp_path / "one/a.mp4"), str(tmp_path / "two/a.mp4")])
    both = list_inputs([str(tmp_path), str(tmp_path / "one/a.mp4")]).files
    assert [item.name for item in both] == [f"{tmp_path.name}/{n}/a.mp4" for n in ("one", "two")]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"workers": 4}, "--out DIR"),
        ({"formats": "csv,html"}, "--out DIR"),
        ({"out": "o", "csv": "a.csv"}, "one of them"),
        ({"out": "o", "formats": "xlsx"}, "known are csv, jsonl"),
        ({"out": "o", "workers": -1}, "workers is -1"),
    ],
)
def test_what_needs_a_folder_is_refused_without(changes, complaint):
    with pytest.raises(ValueError, match=complaint):
        PredictConfig(["a.mp4"], **changes)


def test_a_folder_without_videos_is_told(tmp_path):
    with pytest.raises(ValueError, match="no video or image"):
        predict(PredictConfig([str(tmp_path)]))


def test_asked_to_stop_it_keeps_what_is_done(tiny_checkpoint, tiny_scene, tmp_path, monkeypatch):
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(tiny_scene.read_bytes())
    files = [str(tmp_path / name) for name in ("a.mp4", "b.mp4")]
    config = PredictConfig(
        files, str(tiny_checkpoint), out=str(tmp_path / "out"), workers=0, detector=HAAR
    )

    def interrupt_second(path, recogniser, targets, report):
        if path.name == "b.mp4":
            signal.raise_signal(signal.SIGTERM)
        report(0.5)
        return NOTHING_SEEN

    with monkeypatch.context() as patched:
        patched.setattr("emotemporal.live.batch.judge_file", interrupt_second)
        patched.setattr("emotemporal.live.batch._is_done", lambda *_: False)
        with pytest.raises(InterruptedJob, match="the same command goes on"):
            predict(config)
    assert [row["name"] for row in rows_of(tmp_path / "out/summary.csv")] == ["a.mp4"]


# What follows runs in processes of its own: functions stand at the head of the module.


def open_number_worker(where):
    return partial(work_on_number, where)


def work_on_number(where, number, report):
    report(0.5)
    if number == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 99:
        (where / "busy").touch()
        time.sleep(30)
    return number * 2


@pytest.mark.parametrize("num_workers", [0, 2])
def test_jobs_are_done_and_told_of(num_workers, tmp_path):
    told = []
    open_worker = partial(open_number_worker, tmp_path)
    run_jobs(open_worker, [1, 2, 3], num_workers, told.append, threading.Event())
    done = {event.job: event.result for event in told if isinstance(event, Finished)}
    assert done == {0: 2, 1: 4, 2: 6}
    assert {event.job for event in told if isinstance(event, Progress)} == {0, 1, 2}


def test_a_job_that_kills_its_process_costs_that_job(tmp_path):
    told = []
    open_worker = partial(open_number_worker, tmp_path)
    run_jobs(open_worker, [13, 2, 13, 3], 1, told.append, threading.Event())
    assert [event.job for event in told if isinstance(event, Died)] == [0, 2]
    assert "killed by signal 9" in next(e.reason for e in told if isinstance(e, Died))
    assert sorted(event.result for event in told if isinstance(event, Finished)) == [4, 6]


def test_asked_to_stop_workers_are_gone(tmp_path, monkeypatch):
    monkeypatch.setattr("emotemporal.live.workers._FAREWELL_S", 0.1)
    asked = threading.Event()

    def stop_when_busy():
        while not (tmp_path / "busy").exists():
            time.sleep(0.01)
        asked.set()

    watcher = threading.Thread(target=stop_when_busy)
    watcher.start()
    with pytest.raises(InterruptedJob):
        run_jobs(partial(open_number_worker, tmp_path), [99], 1, lambda event: None, asked)
    watcher.join()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="kill -9 is a signal of Unix")
def test_killed_it_loses_at_most_the_video_under_way(tiny_scene, tmp_path):
    if not shipped_file(SHIPPED_INT8_NAME).is_file():
        pytest.skip("no model ships with this version")
    videos, out = tmp_path / "in", tmp_path / "out"
    videos.mkdir()
    (videos / "a.mp4").write_bytes(tiny_scene.read_bytes())
    repeat(tiny_scene, videos / "b.mp4", 200)
    command = [sys.executable, "-m", "emotemporal.cli", "predict", str(videos), "--out", str(out)]
    command += ["--detector.name", "haar"]
    first = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    receipt = out / "done/in/a.mp4.json"
    while not receipt.exists():
        assert first.poll() is None
        time.sleep(0.01)
    first.kill()
    first.wait()
    before = receipt.stat().st_mtime_ns
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert receipt.stat().st_mtime_ns == before, "what was done is not done again"
    assert json.loads((out / "done/in/b.mp4.json").read_text())["frames"] == 200
    left = [path.name for path in (out / "tables/in").iterdir()]
    assert sorted(left) == ["a.mp4.csv", "b.mp4.csv"]


def write_hour(video, path):
    """Write an hour at 10 fps, small, of the frames of another video over and over."""
    with VideoFile(video) as source, VideoWriter(path, 10.0) as writer:
        images = [cv2.resize(frame.image, (192, 96)) for frame in source]
        for i in range(36_000):
            writer.write(images[i % len(images)])


MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
# Of the largest process below this one that was waited for; kilobytes.
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is told in Linux's units")
def test_an_hour_takes_no_more_memory_than_a_moment(folder, tiny_scene, tmp_path):
    if not shipped_file(SHIPPED_INT8_NAME).is_file():
        pytest.skip("no model ships with this version")
    write_hour(tiny_scene, folder / "hour.mp4")
    command = [sys.executable, "-c", MEASURE, sys.executable, "-m", "emotemporal.cli", "predict"]
    command += [str(folder), "--out", str(tmp_path / "out"), "--formats", ALL]
    command += ["--detector.name", "haar", "--workers", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    code, kilobytes = map(int, done.stdout.split()[-2:])
    assert code == 1, "bad files are named, and the exit code says so"
    assert kilobytes < 1_500_000
    frames = {row["name"]: row["frames"] for row in rows_of(tmp_path / "out/summary.csv")}
    assert frames["videos/hour.mp4"] == "36000"
    assert len(rows_of(tmp_path / "out/failures.csv")) == len(BAD)
