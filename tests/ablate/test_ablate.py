"""Studies of trainings that take a second each: what they leave, resume and survive."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Barrier, Event

import pandas as pd
import pytest

from emotemporal.ablate import ablate as study
from emotemporal.ablate.ablate import AblateConfig, ablate
from emotemporal.ablate.report.outcomes import Ablation
from emotemporal.ablate.runs.process import start_process
from emotemporal.cli import main
from emotemporal.config import ConfigError
from emotemporal.evaluation.comparison.results import MethodResult
from emotemporal.evaluation.statistics.bootstrap import BootstrapConfig
from emotemporal.run_folder import RunFolderError
from emotemporal.stopping import InterruptedJob
from emotemporal.storage import read_jsonl
from tests.ablate.grids import Here, small_base, write_grid
from tests.fakes import MemoryLogger

CHANGES = {"mixup 20 %": {"mix.mixup_alpha": 0.2}, "fails": {"init": "nowhere.pth"}}
EVALUATE = {"official": {"split": "validation", "shifts": True, "shift_share": 0.5}}
TRAINED = ("base-seed0", "mixup_20-seed0")


@dataclass(frozen=True)
class Done:
    """A study that has been run once; tests that change its folder take a copy."""

    config: AblateConfig
    ablation: Ablation
    started: list[tuple[str, str]]

    @property
    def out(self) -> Path:
        return Path(self.config.out)


@pytest.fixture(scope="module")
def done(affectnet_root, tmp_path_factory) -> Done:
    folder = tmp_path_factory.mktemp("ablate")
    base = small_base(Path("elsewhere"))
    path = write_grid(
        folder / "small.yaml", base, CHANGES, evaluate=EVALUATE, question="Does mixup help & why?"
    )
    config = AblateConfig(
        grid=str(path),
        out=str(folder / "out"),
        root=str(affectnet_root),
        bootstrap=BootstrapConfig(num_resamples=100),
    )
    here = Here()
    return Done(config, ablate(config, here), here.started)


@pytest.fixture
def copied(done, tmp_path) -> AblateConfig:
    """The finished study, free to be changed. Its runs know their folders, so it moves back."""
    kept = tmp_path / "kept"
    shutil.copytree(done.out, kept)
    yield done.config
    shutil.rmtree(done.out)
    shutil.move(kept, done.out)


def _times(out: Path) -> dict[str, int]:
    return {
        str(path.relative_to(out)): path.stat().st_mtime_ns
        for path in (out / "runs").rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def _judged(done: Done) -> tuple[MethodResult, ...]:
    return done.ablation.judged["official"].methods


def test_every_change_is_trained_and_judged_in_its_own_folder(done):
    assert done.started == [
        ("pretrain", "base-seed0"),
        ("evaluate", "base-seed0.official"),
        ("pretrain", "mixup_20-seed0"),
        ("evaluate", "mixup_20-seed0.official"),
        ("pretrain", "fails-seed0"),
    ]
    for name in TRAINED:
        assert (done.out / "runs" / name / "best.safetensors").exists()
    for name in ("report.html", "ablation.csv", "ablation.md", "ablation.tex", "grid.yaml"):
        assert (done.out / name).stat().st_size > 0


def test_a_run_that_fails_is_told_with_its_reason_and_the_others_go_on(done):
    (failure,) = done.ablation.failures
    assert failure.what == "fails, seed 0"
    assert "nowhere.pth" in failure.reason
    assert "nowhere.pth" in failure.log.read_text()
    row = done.ablation.rows[-1]
    assert (row.change, len(row.outcomes), row.num_planned) == ("fails", 0, 1)
    assert "nowhere.pth" in (done.out / "report.html").read_text()


def test_the_table_s_figures_are_the_runs_own(done):
    table = pd.read_csv(done.out / "ablation.csv", comment="#").set_index("change")
    for name, change in zip(TRAINED, ("base", "mixup 20 %"), strict=True):
        folder = done.out / "runs" / name
        (epoch,) = read_jsonl(folder / "log.jsonl")
        row = table.loc[change]
        for figure in ("train/loss", "train/accuracy", "val/loss", "val/uar", "val/accuracy"):
            assert row[figure] == pytest.approx(epoch[figure], rel=1e-5)
        assert row["steps"] == epoch["step"]
        gap = epoch["train/accuracy"] - epoch["val/accuracy"]
        assert row["gap/accuracy"] == pytest.approx(gap, rel=1e-4)
        figures = json.loads((folder / "evaluations" / "official.json").read_text())
        for figure in ("uar", "accuracy", "macro_f1", "nll", "ece"):
            assert row[f"official/{figure}"] == pytest.approx(figures[figure], rel=1e-5)
        shifts = figures["shifts"]
        assert row["official/shifted_uar"] == pytest.approx(shifts["mean_uar"], rel=1e-5)
        assert row["official/shifted_share"] == pytest.approx(shifts["mean_uar_ratio"], rel=1e-5)
    gain = table["official/uar"]["mixup 20 %"] - table["official/uar"]["base"]
    assert table["official/uar_difference"]["mixup 20 %"] == pytest.approx(gain, abs=1e-5)
    assert pd.isna(table["official/uar_difference"]["base"])


def test_the_tables_say_the_question_and_escape_what_latex_would_read(done):
    latex = (done.out / "ablation.tex").read_text()
    assert r"mixup 20 \% &" in latex
    assert latex.count(r"\\") == 1 + len(done.ablation.rows)
    assert "Does mixup help & why?" in (done.out / "ablation.md").read_text()
    assert "Does mixup help &amp; why?" in (done.out / "report.html").read_text()


def test_the_page_needs_nothing_but_itself(done):
    page = (done.out / "report.html").read_text()
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "<script" not in page
    assert page.count("<svg") >= 6
    for unit in ("percentage points", "UAR, %", "nats", "accuracy, %"):
        assert unit in page


def test_started_again_only_what_failed_is_run_and_nothing_else_is_touched(copied, done):
    before = _times(done.out)
    here = Here()
    again = ablate(copied, here)
    assert here.started == [("pretrain", "fails-seed0")]
    assert _times(done.out) == before
    for now, before_it in zip(again.judged["official"].methods, _judged(done), strict=True):
        assert now.uar == before_it.uar


def test_what_is_missing_is_run_anew_and_comes_out_the_same(copied, done):
    victim = done.out / "runs" / "mixup_20-seed0"
    weights = (victim / "best.safetensors").read_bytes()
    table = (done.out / "ablation.md").read_text()
    shutil.rmtree(victim)
    here = Here()
    ablate(copied, here)
    assert here.started == [*done.started[2:4], done.started[4]]
    assert len((victim / "best.safetensors").read_bytes()) == len(weights)
    assert _without_minutes(done.out / "ablation.md") == _without_minutes(table)


def _without_minutes(table: Path | str) -> list[list[str]]:
    text = table if isinstance(table, str) else table.read_text()
    rows = [line.split("|") for line in text.splitlines() if line.startswith("|")]
    return [[cell for i, cell in enumerate(row) if i != 4] for row in rows]


def test_another_checkpoint_is_judged_anew(copied, done):
    folder = done.out / "runs" / "base-seed0"
    (folder / "evaluations" / "official.csv").unlink()
    here = Here()
    ablate(copied, here)
    assert ("evaluate", "base-seed0.official") in here.started
    assert ("pretrain", "base-seed0") not in here.started


def test_asked_to_stop_it_says_so_and_the_same_command_goes_on(copied, done):
    shutil.rmtree(done.out / "runs" / "base-seed0")

    def stop(command: str, name: str) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        return 75

    with pytest.raises(InterruptedJob, match="1 of 3 runs"):
        ablate(copied, Here(stop))
    here = Here()
    ablate(copied, here)
    assert here.started[0] == ("pretrain", "base-seed0")


def test_several_runs_at_a_time_leave_the_same_study(copied, done):
    shutil.rmtree(done.out / "runs" / "base-seed0")
    at_once: list[int] = []
    both = Barrier(2, action=lambda: at_once.append(2), timeout=60)

    def wait(command: str, name: str) -> int:
        if command == "pretrain":
            both.wait()  # nobody goes on until both of what is missing are at work
        return 0 if command == "evaluate" else 1

    found = ablate(replace(copied, workers=3), Here(wait))
    assert at_once == [2]
    assert [failure.what for failure in found.failures] == ["base, seed 0", "fails, seed 0"]
    assert [len(row.outcomes) for row in found.rows] == [0, 1, 0]


def test_a_change_that_means_something_else_now_is_refused_before_anything_runs(done):
    here = Here()
    other = replace(done.config, set=["changes.mixup 20 %.mix.mixup_alpha=0.4"])
    with pytest.raises(RunFolderError, match=r"mixup_alpha: there 0\.2, here 0\.4"):
        ablate(other, here)
    assert here.started == []


def test_a_change_is_added_without_running_the_others(copied, done):
    here = Here()
    more = replace(copied, set=["changes.smoothed.optim.label_smoothing=0.1"])
    ablate(more, here)
    assert [name for command, name in here.started if command == "pretrain"] == [
        "fails-seed0",
        "smoothed-seed0",
    ]


def test_without_its_base_a_study_still_tells_the_rest(copied, done):
    shutil.rmtree(done.out / "runs" / "base-seed0")
    here = Here(lambda command, name: 1 if name == "base-seed0" else 0)
    found = ablate(copied, here)
    assert [m.difference for m in found.judged["official"].methods] == [None]
    assert "Nothing can be held against the base" in (done.out / "report.html").read_text()
    assert found.failures[0].reason == "it left with code 1 and said nothing"


def test_the_figures_go_to_the_tracker(copied, monkeypatch):
    logger = MemoryLogger()
    monkeypatch.setattr(study, "build_logger", lambda *_: logger)
    found = ablate(copied, Here())
    told = {name: value for _, values in logger.rows for name, value in values.items()}
    assert told["mixup 20 %/official/uar"] == found.judged["official"].methods[1].uar.estimate
    assert logger.is_finished


def test_two_seeds_give_intervals_and_differences_seed_by_seed(done, tmp_path):
    path = write_grid(
        tmp_path / "seeds.yaml",
        small_base(Path(done.config.root)),
        {"mixup": {"mix.mixup_alpha": 1}},
    )
    config = AblateConfig(grid=str(path), out=str(tmp_path / "out"), set=["seeds=[0,1]"])
    found = ablate(config, Here())
    base, mixup = (
        [read_jsonl(tmp_path / "out" / "runs" / f"{name}-seed{s}" / "log.jsonl")[0] for s in (0, 1)]
        for name in ("base", "mixup")
    )
    gains = [m["val/uar"] - b["val/uar"] for m, b in zip(mixup, base, strict=True)]
    row = found.rows[1]
    assert row.difference.estimate == pytest.approx(sum(gains) / 2)
    # Student's t with one degree of freedom: 12.706 standard errors.
    assert row.difference.high - row.difference.estimate == pytest.approx(
        12.706 * abs(gains[0] - gains[1]) / 2, rel=1e-3
    )
    losses = [epoch["train/loss"] for epoch in mixup]
    assert row.figures["train/loss"].estimate == pytest.approx(sum(losses) / 2)


def test_root_is_for_pretraining_alone(done, tmp_path):
    path = write_grid(tmp_path / "g.yaml", {}, CHANGES, job="finetune")
    with pytest.raises(ConfigError, match=r"base\.data=FOLDER"):
        ablate(AblateConfig(grid=str(path), root="x"), Here())


@pytest.mark.slow
def test_from_the_command_line_it_tells_and_fails_with_what_failed(done, capfd, monkeypatch):
    words = [done.config.grid, "--root", done.config.root, "--out", done.config.out]
    words += ["--set", "seeds=[0]", "--bootstrap.num_resamples", "100"]
    assert main(["ablate", *words]) == 1
    told = capfd.readouterr().out
    assert "official: UAR %" in told
    assert "failed: fails, seed 0: " in told


@pytest.mark.slow
def test_a_process_that_is_asked_to_stop_saves_its_state_and_is_gone_on_with(
    affectnet_root, tmp_path
):
    base = small_base(affectnet_root)
    base["optim"]["epochs"] = 60
    path = write_grid(tmp_path / "g.yaml", base, {"mixup": {"mix.mixup_alpha": 0.2}})
    out = tmp_path / "out"
    words = ["ablate", str(path), "--out", str(out), "--set", "base.optim.patience=1"]
    command = [sys.executable, "-m", "emotemporal.cli", *words]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    log = out / "runs" / "base-seed0" / "log.jsonl"
    while child.poll() is None and not (log.exists() and log.read_text()):
        time.sleep(0.05)
    child.terminate()
    _, told = child.communicate(timeout=60)
    assert child.returncode == InterruptedJob.EXIT_CODE, told
    assert "0 of 2 runs have finished" in told
    rows = read_jsonl(log)
    assert main(words) == 0
    assert read_jsonl(log)[: len(rows)] == rows


@pytest.mark.slow
def test_a_process_gives_its_exit_code_and_its_words(tmp_path):
    (tmp_path / "c.yaml").write_text("nothing: 1")
    log = tmp_path / "logs" / "a.log"
    assert start_process("pretrain", tmp_path / "c.yaml", log, Event()) == 1
    assert "error: " in log.read_text()
