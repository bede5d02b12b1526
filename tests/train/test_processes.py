"""Two processes that train together: what one has to do, both do."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lightning_fabric import Fabric

from emotemporal.labels import LabelSpace
from emotemporal.models.meta import ModelConfig
from emotemporal.train.heads import HeadConfig, train_head
from emotemporal.train.loop import NonFiniteLossError
from emotemporal.train.optim import OptimConfig
from emotemporal.train.processes import is_true_anywhere, sum_over
from emotemporal.train.state import MemoryKeeper
from tests.train.feature_clips import PAIR, make_clips


def test_one_process_is_told_its_own():
    alone = Fabric(accelerator="cpu", devices=1)
    assert sum_over(alone, [1.0, 2.0]) == [1.0, 2.0]
    assert is_true_anywhere(alone, [False, True]) == [False, True]


def _in_each_process(fabric: Fabric, out: Path) -> None:
    rank = fabric.global_rank
    assert sum_over(fabric, [1.0, rank]) == [2.0, 1.0]
    assert is_true_anywhere(fabric, [False, rank == 1]) == [False, True]
    config = HeadConfig(
        model=ModelConfig(head="gru", hidden_dim=4),
        optim=OptimConfig(epochs=30, batch_size=24, learning_rate=0.01, patience=2),
    )
    labels, clips = LabelSpace(PAIR), make_clips()
    # What the second one judges gets ever worse, what the first one judges does not.
    judged = clips if rank == 0 else [_with_other_emotion(clip) for clip in clips]
    _, progress = train_head(clips, judged, labels, config, 0, fabric, MemoryKeeper())
    (out / f"epochs{rank}").write_text(str([row.val_uar for row in progress.rows]))
    if rank == 1:
        clips = [replace(clip, views=np.full_like(clip.views, np.nan)) for clip in clips]
    try:
        train_head(clips, [], labels, config, 0, fabric, MemoryKeeper())
    except NonFiniteLossError as error:
        (out / f"error{rank}").write_text(str(error))


def _with_other_emotion(clip):
    other = PAIR[1 - PAIR.index(clip.emotion)]
    return replace(clip, targets=tuple(replace(t, emotion=other) for t in clip.targets))


@pytest.mark.slow
def test_two_processes_end_together(tmp_path):
    fabric = Fabric(accelerator="cpu", devices=2, strategy="ddp_spawn")
    fabric.launch(_in_each_process, tmp_path)
    first, second = ((tmp_path / f"epochs{rank}").read_text() for rank in range(2))
    assert first == second
    assert (tmp_path / "error0").read_text() == (tmp_path / "error1").read_text()
