"""Every kind of file that the package reads, and what a job does to read it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.faults.judges import Read
from tests.faults.mutate import BINARY, TEXT, Mutation


@dataclass(frozen=True)
class Kind:
    """A kind of file: where it lies in its folder, how it is changed, how often it is tried."""

    name: str
    place: str
    ways: Sequence[Mutation]
    fast: int
    slow: int
    head: int | None = None
    """Only so many first bytes are changed, of a file that is large."""
    may_end_early: bool = False
    """A cut may leave a whole file: text is whole at each line's end."""


KINDS = (
    Kind("jpeg", "mutant.jpg", BINARY, 20, 500),
    Kind("png", "mutant.png", BINARY, 20, 500),
    Kind("tiff", "mutant.tiff", BINARY, 10, 200),
    Kind("webp", "mutant.webp", BINARY, 10, 200),
    Kind("avi", "mutant.avi", BINARY, 20, 400),
    Kind("mp4", "mutant.mp4", BINARY, 20, 400),
    Kind("mp4-opencv", "mutant.mp4", BINARY, 6, 200),
    Kind("npz", "clips/mutant.npz", BINARY, 20, 400),
    Kind("npy-label", "train_set/annotations/0_exp.npy", BINARY, 12, 200),
    Kind("npy-kept", "mutant.npy", BINARY, 12, 200),
    Kind("manifest", "mutant.csv", TEXT, 12, 200, may_end_early=True),
    Kind("affectnet-csv", "training.csv", TEXT, 12, 200, may_end_early=True),
    Kind("ferplus-csv", "fer2013new.csv", TEXT, 12, 200, may_end_early=True),
    Kind("split-csv", "mutant.csv", TEXT, 8, 100, may_end_early=True),
    Kind("exclude-csv", "mutant.csv", TEXT, 8, 100, may_end_early=True),
    Kind("truth-csv", "mutant.csv", TEXT, 8, 100, may_end_early=True),
    Kind("predictions-csv", "mutant.csv", TEXT, 8, 100, may_end_early=True),
    Kind("config-yaml", "mutant.yaml", TEXT, 16, 250, may_end_early=True),
    Kind("grid-yaml", "mutant.yaml", TEXT, 12, 200, may_end_early=True),
    Kind("card", "mutant.smoothing.json", TEXT, 12, 200),
    Kind("prior", "mutant.json", TEXT, 8, 100),
    Kind("run-json", "run.json", TEXT, 8, 100),
    Kind("prepare-json", "prepare.json", TEXT, 8, 100),
    Kind("jsonl", "mutant.jsonl", TEXT, 8, 100, may_end_early=True),
    Kind("checkpoint", "mutant.safetensors", (*BINARY, *TEXT), 16, 250, head=9000),
    Kind("state", "state.safetensors", (*BINARY, *TEXT), 12, 200),
    Kind("features", "mutant.safetensors", BINARY, 8, 100),
    Kind("init-pth", "mutant.pth", BINARY, 8, 200),
    Kind("onnx", "mutant.onnx", BINARY, 6, 150, head=400_000),
)


def make_readers(seeds: Path) -> Mapping[str, Read]:
    """Return how each kind is read; `seeds` holds what a reader needs besides the file."""
    readers = {
        "jpeg": _image,
        "png": _image,
        "tiff": _image,
        "webp": _image,
        "avi": _video("auto"),
        "mp4": _video("auto"),
        "mp4-opencv": _video("opencv"),
        "npz": _clip,
        "npy-label": _dataset("affectnet", 2),
        "npy-kept": _kept,
        "manifest": _manifest,
        "affectnet-csv": _dataset("affectnet", 0),
        "ferplus-csv": _dataset("ferplus", 0),
        "split-csv": partial(_split, seeds),
        "exclude-csv": partial(_exclude, seeds),
        "truth-csv": _truth,
        "predictions-csv": _predictions,
        "config-yaml": _config,
        "grid-yaml": _grid,
        "card": partial(_card, seeds),
        "prior": partial(_prior, seeds),
        "run-json": _run,
        "prepare-json": _prepared,
        "jsonl": _jsonl,
        "checkpoint": _checkpoint,
        "state": _state,
        "features": _features,
        "init-pth": _init,
        "onnx": _onnx,
    }
    assert set(readers) == {kind.name for kind in KINDS}
    return readers


def _image(path: Path) -> None:
    from emotemporal.video.image import read_image

    image = read_image(path)
    assert image.ndim == 3
    assert image.shape[2] == 3


def _video(backend: str) -> Read:
    from emotemporal.video.isolated import VideoProcess

    decoder = VideoProcess(backend, stall_s=20.0)  # type: ignore[arg-type]
    decoder.start()  # before anybody watches what is opened

    def read(path: Path) -> None:
        with decoder.open(path) as video:
            count = sum(1 for _ in video)
            assert count == video.info.num_frames

    return read


def _clip(path: Path) -> None:
    import pandas as pd

    from emotemporal.data.prepared import PreparedSet
    from emotemporal.faces.crop import CropConfig

    row = {"file": "clips/mutant.npz", "emotion": "anger", "subject": "s", "source": "a.avi"}
    folder = path.parent.parent
    prepared = PreparedSet(folder, "mine", pd.DataFrame([row]), CropConfig(), "haar", "none")
    clip = prepared.load(0)
    assert len(clip.crops) == len(clip.times_s)


def _dataset(name: str, levels: int) -> Read:
    from emotemporal.data.readers import DatasetConfig, read_dataset
    from emotemporal.data.table import refuse_fatal

    def read(path: Path) -> None:
        root = path.parents[levels]
        refuse_fatal(read_dataset(DatasetConfig(name=name, root=str(root))))  # type: ignore[arg-type]

    return read


def _kept(path: Path) -> None:
    from emotemporal.evaluation.stability.stream_sets import _read

    _refuse_dropped(path, _read(path))


def _manifest(path: Path) -> None:
    from emotemporal.data.readers import DatasetConfig, read_dataset
    from emotemporal.data.table import refuse_fatal

    config = DatasetConfig(name="manifest", root=str(path.parent), manifest=path.name)
    refuse_fatal(read_dataset(config))


def _of_images(seeds: Path, path: Path, option: str) -> None:
    from emotemporal.data.readers import DatasetConfig, read_dataset
    from emotemporal.data.table import refuse_fatal

    options = {option: str(path)}
    refuse_fatal(read_dataset(DatasetConfig(name="folder", root=str(seeds / "images"), **options)))  # type: ignore[arg-type]


def _split(seeds: Path, path: Path) -> None:
    _of_images(seeds, path, "split_file")


def _exclude(seeds: Path, path: Path) -> None:
    _of_images(seeds, path, "exclude")


def _truth(path: Path) -> None:
    from emotemporal.train.truth import read_truth

    read_truth(path)


def _predictions(path: Path) -> None:
    from emotemporal.evaluation.predictions import read_predictions

    read_predictions(path)


def _config(path: Path) -> None:
    from emotemporal.config import parse_config, to_yaml
    from emotemporal.train.pretrain import PretrainConfig

    to_yaml(parse_config(PretrainConfig, ["--config", str(path)], "emotemporal pretrain"))


def _grid(path: Path) -> None:
    from emotemporal.ablate.runs.grid import read_grid
    from emotemporal.ablate.runs.plan import plan_runs

    out = path.parent / "out"
    for run in plan_runs(read_grid(str(path)), out, None):
        assert run.folder.resolve().is_relative_to(out.resolve()), f"outside: {run.folder}"


def _card(seeds: Path, path: Path) -> None:
    from emotemporal.inference.card import read_card
    from emotemporal.models.meta import read_meta

    read_card(path, read_meta(seeds / "frame.safetensors")).steadiest_within(10.0)


def _prior(seeds: Path, path: Path) -> None:
    from emotemporal.inference.prior import wanted_prior
    from emotemporal.models.meta import read_meta

    wanted_prior(str(path), read_meta(seeds / "frame.safetensors"))


def _run(path: Path) -> None:
    from emotemporal.run_folder import _read_identity

    _read_identity(path)


def _prepared(path: Path) -> None:
    from emotemporal.data.prepared import claim_folder, load_prepared

    told = json.loads((path.parent / "whole.json").read_text())
    claim_folder(path.parent, told)
    load_prepared(path.parent)


def _jsonl(path: Path) -> None:
    from emotemporal.storage import read_jsonl

    read_jsonl(path)


def _checkpoint(path: Path) -> None:
    from emotemporal.models.checkpoint import load_checkpoint

    load_checkpoint(path)


def small_training() -> tuple[object, object]:
    """Return a network of two layers and its optimiser, with a state to be kept."""
    import torch
    from torch import nn

    net = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
    optimizer = torch.optim.AdamW(net.parameters())
    net(torch.ones(1, 4)).sum().backward()
    optimizer.step()
    return net, optimizer


def _state(path: Path) -> None:
    from emotemporal.train.state import FolderKeeper, unpack_tensors

    state = FolderKeeper(path.parent, lambda net, row: None).load()
    assert state is not None
    net, optimizer = small_training()
    unpack_tensors(state.tensors, net, None, optimizer)  # type: ignore[arg-type]
    optimizer.step()  # type: ignore[attr-defined]


def _features(path: Path) -> None:
    from emotemporal.train.features import _read

    _refuse_dropped(path, _read(path))


def _refuse_dropped(path: Path, kept: object) -> None:
    if kept is None:  # told, and computed again
        raise ValueError(f"{path} is damaged")


def _init(path: Path) -> None:
    from emotemporal.models.encoder import _read_tensors

    _read_tensors(path)


def _onnx(path: Path) -> None:
    import numpy as np

    from emotemporal.inference.onnx_engine import open_onnx

    engine = open_onnx(path, 1)
    size = engine.meta.preprocess.size_px
    crops = np.zeros((1, size, size, 3), np.uint8)
    logits, _ = engine.step(crops, [None])
    assert logits.shape == (1, len(engine.labels))


def readers_of(seeds: Path) -> Callable[[], Mapping[str, Read]]:
    """Return a way to make the readers in another process."""
    return partial(make_readers, seeds)
