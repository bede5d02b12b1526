"""The jobs that are killed: each takes a second or two, in a folder of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.ablate.grids import small_base

_PRETRAIN = (
    "--preprocess.size_px", "32", "--crop.size_px", "32", "--optim.epochs", "3",
    "--optim.batch_size", "8", "--validation_share", "0.2", "--mix.mixup_alpha", "0.4",
    "--model.dropout", "0.3", "--optim.ema_decay", "0.9", "--run.tracking.wandb", "off",
)  # fmt: skip
_FINETUNE = (
    "--held_out", '["DC"]', "--validation", '["JE"]', "--head.model.head", "gru",
    "--head.model.hidden_dim", "8", "--head.optim.epochs", "3", "--head.optim.batch_size", "2",
    "--views.num_augmented", "1", "--run.tracking.wandb", "off",
)  # fmt: skip


@dataclass(frozen=True)
class Inputs:
    """What the jobs read."""

    images: Path
    videos: Path
    prepared: Path
    encoder: Path
    """A frame checkpoint with the crop of `prepared`."""
    gru: Path
    scene: Path
    second_scene: Path


def job_words(name: str, inputs: Inputs, folder: Path) -> Sequence[str]:
    """Return the command line of a job whose results go below `folder`, where it runs."""
    if name == "ablate":
        grid = folder.parent / "grid.yaml"
        grid.write_text(yaml.safe_dump(_grid(inputs)))
    words: Mapping[str, Sequence[str]] = {
        "pretrain": (
            "pretrain", "--dataset", "affectnet", "--root", str(inputs.images),
            "--run.out", "run", *_PRETRAIN,
        ),
        "pretrain-2-workers": (
            "pretrain", "--dataset", "affectnet", "--root", str(inputs.images),
            "--run.out", "run", "--run.num_workers", "2", *_PRETRAIN, "--optim.epochs", "2",
        ),
        "finetune": (
            "finetune", "--checkpoint", str(inputs.encoder), "--data", str(inputs.prepared),
            "--cache", "features", "--run.out", "run", *_FINETUNE,
        ),
        "prepare": (
            "prepare", "savee", "--root", str(inputs.videos), "--out", "out",
            "--clips.follow.detector.name", "haar", "--clips.boxes", "steady",
            "--clips.min_detected_share", "0.1",
        ),
        "ablate": (
            "ablate", str(folder.parent / "grid.yaml"), "--out", "study",
            "--bootstrap.num_resamples", "100",
        ),
        "predict": (
            "predict", str(inputs.scene), str(inputs.scene), "--checkpoint", str(inputs.gru),
            "--detector.name", "haar", "--csv", "table.csv",
        ),
        "predict-folder": (
            "predict", str(inputs.scene), str(inputs.second_scene), "--checkpoint",
            str(inputs.gru), "--detector.name", "haar", "--out", "judged",
        ),
    }  # fmt: skip
    return words[name]


def is_result(job: str, file: str) -> bool:
    """Return whether a file must be equal; logs tell of each start."""
    return not (job == "ablate" and file.startswith("study/logs/"))


def _grid(inputs: Inputs) -> dict[str, object]:
    base = small_base(inputs.images)
    return {
        "job": "pretrain",
        "base": base,
        "changes": {"mixup": {"mix.mixup_alpha": 0.2}},
        "evaluate": {"official": {"split": "validation"}},
    }
