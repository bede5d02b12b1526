"""The whole path on very little: that it holds together, not how good it is."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from emotemporal import demo as job
from emotemporal.demo import DemoConfig, demo
from emotemporal.evaluation.comparison.results import SYNTHETIC_NOTE
from emotemporal.models.meta import read_meta
from emotemporal.storage import read_jsonl
from emotemporal.train.truth import read_truth

pytestmark = pytest.mark.slow

KEPT = ("*.avi", "*.jpg", "*.npz", "units/*.json", "state.safetensors", "best.safetensors")


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> DemoConfig:
    return DemoConfig(
        out=str(tmp_path_factory.mktemp("demo") / "out"),
        num_images=64,
        clips_per_emotion=1,
        epochs=1,
        size_px=32,
        num_seeds=1,
        workers=2,
    )


@pytest.fixture(scope="module")
def told(config) -> str:
    return demo(config)


def _times_of(out: Path) -> dict[str, int]:
    found = [path for pattern in KEPT for path in out.rglob(pattern)]
    return {str(path.relative_to(out)): path.stat().st_mtime_ns for path in found}


def test_everything_that_is_promised_is_there(config, told):
    out = Path(config.out)
    named = re.findall(r"\S+\.(?:html|mp4|csv|png)\b", told)
    assert [Path(name).name for name in named] == [
        "report.html", "live.mp4", "live.csv", "curves.png"
    ]  # fmt: skip
    assert [name for name in named if not Path(name).is_file()] == []
    assert SYNTHETIC_NOTE in told
    assert "control set" in told
    assert len(pd.read_csv(out / "live.csv")) > 10
    assert len(read_jsonl(out / "runs" / "pretrain" / "log.jsonl")) == 1
    meta = read_meta(out / "runs" / "finetune" / "best.safetensors")
    assert (meta.model.head, meta.preprocess.size_px) == ("gru", 32)


def test_the_truth_that_live_is_trained_on_covers_every_clip(config, told):
    truth = read_truth(Path(config.out) / "truth.csv")
    assert len(truth) == 4 * 8
    for targets in truth.values():
        assert len({target.emotion for target in targets} - {"neutral"}) <= 1
        assert all(a.end_s == b.start_s for a, b in pairwise(targets))


def test_run_again_it_does_nothing_twice(config, told, monkeypatch):
    before = _times_of(Path(config.out))
    monkeypatch.setattr(job, "doctor", lambda _config: type("Sound", (), {"is_usable": True})())
    again = demo(config)
    assert _times_of(Path(config.out)) == before
    assert [
        row["epoch"] for row in read_jsonl(Path(config.out) / "runs" / "pretrain" / "log.jsonl")
    ] == [1]

    def without_seconds(text: str) -> str:
        return re.sub(r"\d+ s in all", "", text)

    assert without_seconds(again) == without_seconds(told)
