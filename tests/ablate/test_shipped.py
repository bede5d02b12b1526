"""Pieces of shipped grids, run on a set that is drawn in SAVEE's layout, settings made small."""

from __future__ import annotations

from pathlib import Path

import pytest

from emotemporal.ablate.ablate import AblateConfig, ablate_one
from emotemporal.evaluation.predictions import read_predictions
from tests.ablate.grids import Here

GRIDS = Path(__file__).parents[2] / "configs" / "ablations"
HEADS = ("rate_factors=[1.0]", "frame.optim.epochs=1", "heads.clip.optim.epochs=1", "workers=1")
FOLDS = ("finetune.head.optim.epochs=1", "finetune.head.optim.batch_size=2", "nested=false")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("grid", "change", "prefix", "small"),
    [
        pytest.param("frame_against_clip", "causal transformer", "", HEADS, id="head"),
        pytest.param("clip_length_and_rate", "20 frames a second", "", HEADS, id="rate"),
        pytest.param("sampler", "one of each part (TSN)", "", HEADS, id="sampler"),
        pytest.param("pretraining", "no pretraining", "finetune.", FOLDS, id="from-scratch"),
    ],
)
def test_a_piece_of_a_shipped_grid_judges_every_clip(
    grid, change, prefix, small, make_checkpoint, prepared_savee, tmp_path
):
    given = {
        "checkpoint": make_checkpoint("frame", crop_px=96),
        "data": prepared_savee,
        "labels": "surprise,fear",
        "cache": tmp_path / "features",
        "views.num_augmented": 0,
    }
    options = [f"base.{prefix}{name}={value}" for name, value in given.items()]
    options += [f"base.{name}" for name in small]
    config = AblateConfig(
        grid=str(GRIDS / f"{grid}.yaml"),
        out=str(tmp_path / "out"),
        set=options,
        wandb="off",
        only=change,
        seed=0,
    )
    assert ablate_one(config, Here()) == []
    (answers,) = (tmp_path / "out").rglob("predictions/clip-seed0.csv")
    assert len(read_predictions(answers)) == 8
