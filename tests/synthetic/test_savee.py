"""The drawn SAVEE: names and numbers as in the original, and a pair that only time tells apart."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from emotemporal.labels import SAVEE_7, Emotion
from emotemporal.synthetic.savee import (
    SyntheticSaveeConfig,
    clip_names,
    draw_clip,
    speaker_names,
    write_savee,
)

SMALL = SyntheticSaveeConfig(
    num_speakers=2,
    clips_per_emotion=1,
    duration_s=1.0,
    frame_rate_hz=10.0,
    width_px=160,
    height_px=128,
)


def _decode(path: Path) -> np.ndarray:
    capture = cv2.VideoCapture(str(path))
    frames = []
    while True:
        is_read, frame = capture.read()
        if not is_read:
            return np.array(frames)
        frames.append(frame)


def _truth(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("savee") / "set"
    write_savee(root, SMALL)
    return root


def test_the_full_set_has_savees_480_clips():
    names = clip_names(SyntheticSaveeConfig())
    assert len(names) == len(set(names)) == 480
    assert Counter(name.split("/")[0] for name in names) == dict.fromkeys(
        ("DC", "JE", "JK", "KL"), 120
    )
    codes = Counter(name.split("/")[1].rstrip("0123456789") for name in names)
    assert codes == {"a": 60, "d": 60, "f": 60, "h": 60, "n": 120, "sa": 60, "su": 60}
    assert "DC/a1" in names
    assert "KL/n30" in names
    assert "JE/su15" in names


def test_files_lie_as_in_savee_with_their_truth_beside_them(root):
    found = {p.relative_to(root).as_posix() for p in root.rglob("*.avi")}
    expected = {f"AudioVisualClip/{name}.avi" for name in clip_names(SMALL)}
    assert found == expected
    assert len(found) == 16
    assert {p.with_suffix(".avi") for p in root.rglob("*.csv")} == set(root.rglob("*.avi"))


def test_speakers_are_made_up_beyond_four():
    names = speaker_names(30)
    assert names[:4] == ("DC", "JE", "JK", "KL") == speaker_names(4)
    assert len(set(names)) == 30
    assert all(len(name) == 2 for name in names)
    assert speaker_names(2) == ("DC", "JE")


def test_clips_have_the_declared_size_rate_and_length(root):
    capture = cv2.VideoCapture(str(root / "AudioVisualClip/DC/h1.avi"))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(10)
    assert _decode(root / "AudioVisualClip/DC/h1.avi").shape == (SMALL.num_frames, 128, 160, 3)
    assert SMALL.num_frames == 11


@pytest.mark.parametrize("speaker", ["DC", "JE"])
def test_fear_is_surprise_backwards_to_the_decoded_byte(root, speaker):
    fear = _decode(root / f"AudioVisualClip/{speaker}/f1.avi")
    surprise = _decode(root / f"AudioVisualClip/{speaker}/su1.avi")
    assert np.array_equal(fear, surprise[::-1])
    assert not np.array_equal(fear, surprise)


def test_an_even_sampling_of_both_ends_takes_the_same_pictures_of_the_pair():
    clip = SyntheticSaveeConfig()
    ticks = np.arange(0, clip.num_frames, 3)
    assert set(ticks) == {clip.num_frames - 1 - i for i in ticks}


def test_the_truth_of_the_pair_is_reversed_but_for_its_clock(root):
    fear = _truth(root / "AudioVisualClip/DC/f1.csv")
    surprise = _truth(root / "AudioVisualClip/DC/su1.csv")
    unlike = {"frame", "time_s", "emotion"}
    for forward, backward in zip(surprise, fear[::-1], strict=True):
        assert {k: v for k, v in forward.items() if k not in unlike} == {
            k: v for k, v in backward.items() if k not in unlike
        }
    assert [row["time_s"] for row in fear] == [row["time_s"] for row in surprise]
    assert {row["emotion"] for row in fear} == {"fear"}


def test_intensities_rise_from_rest_and_return(root):
    for code, emotion in (("h", "happiness"), ("sa", "sadness")):
        rows = _truth(root / f"AudioVisualClip/DC/{code}1.csv")
        intensity = np.array([float(row["intensity"]) for row in rows])
        assert intensity[0] == intensity[-1] == 0
        assert 0.6 < intensity.max() <= 1
        assert {row["emotion"] for row in rows} == {emotion}
    smile = np.array([float(r["AU12L"]) for r in _truth(root / "AudioVisualClip/DC/h1.csv")])
    peak = [float(r["intensity"]) for r in _truth(root / "AudioVisualClip/DC/h1.csv")]
    assert np.corrcoef(smile, peak)[0, 1] > 0.999
    neutral = _truth(root / "AudioVisualClip/DC/n1.csv")
    assert all(float(row["intensity"]) == 0 for row in neutral)


def test_pictures_show_what_the_truth_says():
    clip = draw_clip(SMALL, 0, Emotion.SURPRISE, 1)
    drop = clip.performance.actions["AU26"]
    closed, opened = int(np.argmin(drop)), int(np.argmax(drop))
    box = clip.boxes[opened]
    mouth = (
        slice(int(box.y1 + 0.65 * box.height_px), int(box.y2)),
        slice(int(box.x1 + 0.3 * box.width_px), int(box.x2 - 0.3 * box.width_px)),
    )
    contrast = [clip.frames[i][mouth].astype(float).std() for i in (closed, opened)]
    assert contrast[1] > contrast[0]


def test_surprise_comes_fast_at_full_signal_and_either_way_at_none():
    def leans(signal: float) -> list[float]:
        config = SyntheticSaveeConfig(
            signal=signal, duration_s=2.0, frame_rate_hz=5.0, width_px=96, height_px=96
        )
        out = []
        for number in range(1, 15):
            done = draw_clip(config, 0, Emotion.SURPRISE, number).performance
            weights = done.intensity / done.intensity.sum()
            out.append(float((weights * (done.times_s - 1.0)).sum()))
        return out

    assert max(leans(1.0)) < 0
    control = np.array(leans(0.0))
    assert 3 <= (control < 0).sum() <= 11


def test_same_seed_same_bytes_whatever_the_number_of_workers(root, tmp_path):
    write_savee(tmp_path / "again", SMALL, workers=2)
    files = [p for p in root.rglob("*") if p.is_file()]
    assert len(files) == 33
    for path in files:
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(root)).read_bytes()


def test_broken_off_it_is_drawn_to_its_end(root, tmp_path):
    again = tmp_path / "broken"
    write_savee(again, SMALL)
    (again / "synthetic_savee.json").rename(again / "synthetic_savee.unfinished.json")
    kept = again / "AudioVisualClip/DC/a1.avi"
    lost = again / "AudioVisualClip/JE/f1.avi"
    lost.unlink()
    before = kept.stat().st_mtime_ns
    write_savee(again, SMALL)
    assert kept.stat().st_mtime_ns == before
    assert lost.read_bytes() == (root / "AudioVisualClip/JE/f1.avi").read_bytes()


def test_another_signal_on_the_same_folder_is_refused(root):
    other = SyntheticSaveeConfig(
        num_speakers=2,
        clips_per_emotion=1,
        duration_s=1.0,
        frame_rate_hz=10.0,
        width_px=160,
        height_px=128,
        signal=0.0,
    )
    with pytest.raises(FileExistsError, match=r"signal is 1\.0, not 0\.0"):
        write_savee(root, other)


def test_every_emotion_but_contempt_is_there(root):
    shown = {_truth(path)[0]["emotion"] for path in root.rglob("*.csv")}
    assert shown == set(SAVEE_7.names)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        pytest.param({"signal": 1.5}, "signal is 1.5", id="more-than-all"),
        pytest.param({"num_speakers": 0}, "num_speakers is 0", id="nobody"),
        pytest.param({"duration_s": 0.1}, "4 frames", id="too-short"),
        pytest.param({"width_px": 321}, "321 x 256", id="odd-width"),
    ],
)
def test_impossible_configs_are_refused(fields, told):
    with pytest.raises(ValueError, match=told):
        SyntheticSaveeConfig(**fields)
