"""One whole file of each kind, to be broken."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import yaml
from PIL import Image
from safetensors.numpy import save

from emotemporal.data.prepared import write_clip
from emotemporal.evaluation.predictions import write_predictions
from emotemporal.inference.card import CardEntry, Measured, SmoothingCard, fingerprint_of
from emotemporal.inference.smoothing import ExponentialSmoother, SmoothingConfig
from emotemporal.labels import SAVEE_7, Emotion
from emotemporal.models.checkpoint import load_checkpoint, save_checkpoint
from emotemporal.models.meta import ModelConfig
from emotemporal.run_folder import RunFolder
from emotemporal.storage import digest
from emotemporal.train.history import EpochRow
from emotemporal.train.state import FolderKeeper, Progress, TrainingState, pack_tensors
from emotemporal.types import ClipPrediction, FaceClip
from tests.ablate.grids import small_base
from tests.data.tiny_sets import AFFECTNET_HEADER, write_folders, write_video
from tests.faults.readers import small_training


def make_seeds(folder: Path, checkpoint: Path, graph: Path) -> Mapping[str, bytes]:
    """Return a whole file of each kind; what readers need besides is left in `folder`.

    Args:
        folder: An empty one.
        checkpoint: Of a frame head.
        graph: Its ONNX file.
    """
    (folder / "frame.safetensors").write_bytes(checkpoint.read_bytes())
    write_folders(folder / "images", {"happy": 2, "sad": 2})
    return {
        **_pictures(folder),
        **_arrays(folder),
        **_tables(folder),
        **_notes(folder, checkpoint),
    } | {"onnx": graph.read_bytes()}


def _pictures(folder: Path) -> Mapping[str, bytes]:
    coarse = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    image = Image.fromarray(coarse).resize((80, 64))
    seeds = {name: _saved(image, name) for name in ("jpeg", "png", "tiff", "webp")}
    for suffix in ("avi", "mp4"):
        seeds[suffix] = write_video(folder / f"a.{suffix}", num_frames=12).read_bytes()
    return {**seeds, "mp4-opencv": seeds["mp4"]}


def _saved(image: Image.Image, name: str) -> bytes:
    out = io.BytesIO()
    image.save(out, name.upper())
    return out.getvalue()


def _array(values: object) -> bytes:
    out = io.BytesIO()
    np.save(out, np.asarray(values))
    return out.getvalue()


def _arrays(folder: Path) -> Mapping[str, bytes]:
    crops = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3)).astype(np.uint8)
    write_clip(folder, "a.npz", FaceClip(crops, np.arange(6) / 25, (), "s", "a"), False)
    return {
        "npz": (folder / "a.npz").read_bytes(),
        "npy-label": _array("3"),
        "npy-kept": _array(np.random.default_rng(0).random((20, 8))),
        "features": save({"views": np.ones((2, 5, 4), np.float32)}),
    }


def _tables(folder: Path) -> Mapping[str, bytes]:
    votes = "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    usages = ("Training", "PublicTest", "PrivateTest")
    predictions = [
        ClipPrediction(f"c{i}", "Ann", Emotion.ANGER, np.full(7, 1 / 7), SAVEE_7) for i in range(3)
    ]
    write_predictions(folder / "predictions.csv", predictions)
    names = sorted(p.relative_to(folder / "images").as_posix() for p in folder.rglob("*.jpg"))
    names += sorted(p.relative_to(folder / "images").as_posix() for p in folder.rglob("*.png"))
    rows = {
        "manifest": ["path,label,subject,split,start,end"]
        + [f"v{i}.mp4,anger,Ann,train,{i}.5,{i + 1}.0" for i in range(6)],
        "affectnet-csv": [AFFECTNET_HEADER]
        + [f"1/{i}.jpg,10,10,50,50,1;2;3,{i % 8},0.5,-0.2" for i in range(6)],
        "ferplus-csv": [f"Usage,Image name,{votes}"]
        + [f"{usages[i % 3]},fer{i:07d}.png,4,6,0,0,0,0,0,0,0,0" for i in range(6)],
        "split-csv": ["path,label,subject,take,split"]
        + [f"{name},happiness,,,train" for name in names],
        "exclude-csv": ["path,reason", *(f"{name},twin" for name in names[:2])],
        "truth-csv": ["source,start_s,end_s,emotion"]
        + [f"v{i}.mp4,0.0,{i + 1}.5,anger" for i in range(6)],
    }
    seeds = {name: ("\n".join(lines) + "\n").encode() for name, lines in rows.items()}
    return {**seeds, "predictions-csv": (folder / "predictions.csv").read_bytes()}


def _notes(folder: Path, checkpoint: Path) -> Mapping[str, bytes]:
    net, meta = load_checkpoint(checkpoint)
    smoothing = SmoothingConfig("ema", ema=ExponentialSmoother(0.1))
    entry = CardEntry(smoothing, Measured(0.3, math.inf, 4.0, 0.1, 0.8, 0.7))
    card = SmoothingCard(fingerprint_of(meta), meta.labels.names, "uniform", 0.3, (entry,), 0)
    grid = {
        "job": "pretrain",
        "base": small_base(Path("images")),
        "changes": {"mixup": {"mix.mixup_alpha": 0.2}, "no decay": {"optim.weight_decay": 0.0}},
        "seeds": [0, 1],
    }
    with RunFolder(folder / "run", "pretrain", small_base(Path("images"))):
        pass
    rows = [{"step": i, "loss": 1 / (i + 1)} for i in range(5)]
    # Frame checkpoints are as large as a ResNet; half precision halves what is written each time.
    small = replace(meta, model=ModelConfig())
    save_checkpoint(folder / "half.safetensors", net, small, "float16")
    return {
        "config-yaml": yaml.safe_dump(small_base(Path("images"))).encode(),
        "grid-yaml": yaml.safe_dump(grid, sort_keys=False).encode(),
        "card": json.dumps(card.to_json()).encode(),
        "prior": json.dumps({name: 1 / 7 for name in meta.labels.names}).encode(),
        "run-json": (folder / "run" / "run.json").read_bytes(),
        "prepare-json": json.dumps(prepared_note()).encode(),
        "jsonl": "".join(json.dumps(row) + "\n" for row in rows).encode(),
        "checkpoint": (folder / "half.safetensors").read_bytes(),
        "state": _state(folder),
        "init-pth": _pth(),
    }


CLIPS_CSV = b"file,emotion,subject,take,split,source\n"


def prepared_note() -> dict[str, object]:
    """Return what `prepare` notes of an empty set."""
    from emotemporal.faces.crop import CropConfig

    return {
        "format_version": 1,
        "name": "mine",
        "detector": "haar",
        "follow": {"crop": CropConfig().to_json()},
        "is_complete": True,
        "clips_digest": digest(CLIPS_CSV),
    }


def _state(folder: Path) -> bytes:
    net, optimizer = small_training()
    row = EpochRow(1, 10, 1.0, 0.5, 1.1, 0.4, 0.3, 0.3)
    progress = Progress().after_epoch(row, 1.0)
    tensors = pack_tensors(net, None, optimizer)  # type: ignore[arg-type]
    FolderKeeper(folder, lambda net, row: None).save(TrainingState(progress, tensors))
    return (folder / "state.safetensors").read_bytes()


def _pth() -> bytes:
    out = io.BytesIO()
    torch.save({"state_dict": {"module.conv1.weight": torch.ones(64, 3, 7, 7)}}, out)
    return out.getvalue()


def lay_out(folder: Path, kind: str) -> None:
    """Put beside a file what its reader looks for."""
    extras: Mapping[str, Callable[[], Mapping[str, bytes]]] = {
        "npy-label": lambda: {
            "train_set/annotations/0_val.npy": _array("0.5"),
            "train_set/annotations/0_aro.npy": _array("-0.5"),
            "train_set/images/0.jpg": b"a picture",
        },
        "prepare-json": lambda: {
            "clips.csv": CLIPS_CSV,
            "whole.json": json.dumps(prepared_note()).encode(),
        },
        "manifest": lambda: {f"v{i}.mp4": b"a video" for i in range(6)},
        "affectnet-csv": lambda: {f"1/{i}.jpg": b"a picture" for i in range(6)},
        "ferplus-csv": lambda: {
            f"FER2013{part}/fer{i:07d}.png": b"a picture"
            for part in ("Train", "Valid", "Test")
            for i in range(6)
        },
    }
    for name, content in extras.get(kind, dict)().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
