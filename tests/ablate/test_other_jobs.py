"""Grids of `finetune` and `compare`: the same study around other jobs."""

from __future__ import annotations

import pandas as pd
import pytest

from emotemporal.ablate.ablate import AblateConfig, ablate
from emotemporal.baselines.frame_votes import FRAME_VOTES
from emotemporal.evaluation.comparison.report import read_origin
from emotemporal.evaluation.statistics.bootstrap import BootstrapConfig
from tests.ablate.grids import Here, write_grid

OPTIM = {"epochs": 2, "batch_size": 4}
QUICK = BootstrapConfig(num_resamples=100)


@pytest.fixture(scope="module")
def encoder(make_checkpoint) -> str:
    return str(make_checkpoint("frame", crop_px=96))


def test_heads_are_tuned_and_held_against_the_base_by_validation(encoder, prepared_savee, tmp_path):
    base = {
        "checkpoint": encoder,
        "data": str(prepared_savee),
        "validation": ["JE"],
        "head": {"model": {"head": "gru", "hidden_dim": 8}, "optim": OPTIM},
        "views.num_augmented": 1,
        "cache": str(tmp_path / "features"),
        "run.tracking.wandb": "off",
    }
    changes = {"wider": {"head.model.hidden_dim": 16}}
    path = write_grid(tmp_path / "g.yaml", base, changes, job="finetune", seeds=[0, 1])
    config = AblateConfig(grid=str(path), out=str(tmp_path / "out"), bootstrap=QUICK)
    found = ablate(config, Here())
    assert not found.failures
    assert [len(row.outcomes) for row in found.rows] == [2, 2]
    assert found.rows[1].difference is not None
    assert not found.judged
    again = Here()
    ablate(config, again)
    assert again.started == []


@pytest.mark.slow
def test_comparisons_are_held_against_the_base_method_by_method(encoder, prepared_savee, tmp_path):
    base = {
        "checkpoint": encoder,
        "data": str(prepared_savee),
        "labels": "surprise,fear",
        "frame": {"model": {"head": "frame"}, "optim": OPTIM},
        "heads": {"clip": {"model": {"head": "gru", "hidden_dim": 8}, "optim": OPTIM}},
        "views.num_augmented": 1,
        "num_seeds": 2,
        "bootstrap.num_resamples": 100,
        "cache": str(tmp_path / "features"),
        "tracking.wandb": "off",
    }
    changes = {"frames alone": {"heads.clip.model.head": "frame"}}
    path = write_grid(tmp_path / "g.yaml", base, changes, job="compare")
    config = AblateConfig(grid=str(path), out=str(tmp_path / "out"), bootstrap=QUICK)
    found = ablate(config, Here())
    assert not found.failures
    primary, *votes = found.judged
    assert primary == "clip model"
    assert sorted(votes) == sorted(name.replace("_", " ") for name in (*FRAME_VOTES, "clip_length"))
    clip_model = found.judged["clip model"]
    assert [method.num_seeds for method in clip_model.methods] == [2, 2]
    assert clip_model.num_clips == 8
    own = pd.read_csv(tmp_path / "out/runs/base-seed0/comparison.csv", comment="#")
    uar = own.set_index("method")["uar"]
    table = pd.read_csv(tmp_path / "out/ablation.csv", comment="#").set_index("change")
    assert table["clip model/uar"]["base"] == pytest.approx(uar["clip"])
    assert table["majority/uar"]["base"] == pytest.approx(uar["majority"])
    page = (tmp_path / "out/report.html").read_text()
    assert "8 judged" in page
    fingerprint = read_origin(tmp_path / "out/runs/base-seed0/comparison.csv")["data fingerprint"]
    assert fingerprint[:16] in page
