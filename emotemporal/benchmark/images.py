"""`benchmark data` and `benchmark train`: images a second from files, from memory, from a pack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from emotemporal.benchmark.machine import this_machine
from emotemporal.benchmark.measure import Row, in_turns
from emotemporal.benchmark.report import OutputConfig, Report
from emotemporal.data.augmentation.augment import AugmentConfig
from emotemporal.data.collate import Batch
from emotemporal.data.images import CropSource, ImageCache, ImageSet
from emotemporal.data.loading import batch_rows, load_batches
from emotemporal.data.packed import pack
from emotemporal.data.readers import DatasetConfig, load_dataset
from emotemporal.data.table import DatasetTable, soft_targets, take_rows
from emotemporal.faces.crop import CropConfig
from emotemporal.labels import parse_label_space
from emotemporal.models.config import ModelConfig
from emotemporal.models.emotion_net import EmotionNet
from emotemporal.preprocess import PreprocessConfig
from emotemporal.synthetic.affectnet import write_affectnet
from emotemporal.synthetic.portraits import SyntheticAffectNetConfig
from emotemporal.timing import Clock, monotonic
from emotemporal.train.loss import masked_cross_entropy
from emotemporal.train.optim import OptimConfig, build_optimizer


@dataclass(frozen=True)
class ImagesBenchmarkConfig:
    """Time the loader, or training, on images. One process; `data` draws no batch ahead."""

    data: DatasetConfig | None = None
    """A data set of images; none draws an AffectNet."""
    labels: str = "affectnet8"
    num_images: int = 512
    """So many of the training images; all passes go through these."""
    batch_size: int = 32
    crop: CropConfig = field(default_factory=CropConfig)
    preprocess: PreprocessConfig = field(default_factory=PreprocessConfig)
    augment: bool = True
    """As `pretrain` does by default."""
    model: ModelConfig = field(default_factory=ModelConfig)
    """What `train` trains."""
    device: str = "cpu"
    num_threads: int = 1
    """Of torch, on a CPU."""
    num_steps: int = 8
    """Batches a turn of `train`, the same ones from every source."""
    repetitions: int = 5
    output: OutputConfig = field(default_factory=OutputConfig)

    def __post_init__(self) -> None:
        counts = (self.num_images, self.batch_size, self.num_threads, self.num_steps)
        if min(*counts, self.repetitions) < 1:
            raise ValueError("numbers of images, threads, steps and repetitions are at least 1")
        if self.num_images < self.batch_size:
            raise ValueError(f"{self.num_images} images do not fill a batch of {self.batch_size}")


def benchmark_data(config: ImagesBenchmarkConfig, clock: Clock = monotonic) -> Report:
    """Measure the loader: reading, cropping, augmenting, joining to batches.

    Raises:
        ValueError: The data set cannot be used.
    """
    with _sets(config) as (sets, facts):
        cases = {
            f"loading {name}": _loading(images, config, clock) for name, images in sets.items()
        }
        rows = _rows(in_turns(cases, config.repetitions))
    return Report("data", this_machine(), rows, facts | _against_memory(rows))


def benchmark_train(config: ImagesBenchmarkConfig, clock: Clock = monotonic) -> Report:
    """Measure training steps, on batches made before and from each source.

    Raises:
        ValueError: The data set cannot be used.
    """
    torch.set_num_threads(config.num_threads)
    with _sets(config) as (sets, facts):
        trainer = _Trainer(config)
        made = list(_batches(sets["from memory"], config))[: config.num_steps]
        cases = {"training on batches made before": _training(trainer, lambda: iter(made), clock)}
        for name, images in sets.items():
            cases[f"training {name}"] = _training(
                trainer, partial(_batches, images, config), clock, config.num_steps
            )
        rows = _rows(in_turns(cases, config.repetitions))
    facts["network"] = f"{config.model.encoder} at {config.preprocess.size_px} px, float32"
    return Report("train", this_machine(), rows, facts | _against_memory(rows))


@contextmanager
def _sets(config: ImagesBenchmarkConfig) -> Iterator[tuple[dict[str, ImageSet], dict[str, Any]]]:
    """Give the same images from files, from memory and from a pack."""
    with TemporaryDirectory(prefix="emotemporal-") as name:
        folder = Path(name)
        table = _table(config, folder)
        sources: dict[str, CropSource] = {
            "from files": ImageCache(0),
            "from memory": ImageCache(1 << 40),
            "from a pack": pack(folder / "packed", table, config.crop),
        }
        targets, _ = soft_targets(table, parse_label_space(config.labels))
        change = AugmentConfig() if config.augment else None
        sets = {
            kind: ImageSet(table, targets, config.preprocess, config.crop, crops, change)
            for kind, crops in sources.items()
        }
        facts = {
            "images": f"{len(table)} of {table.name}, crops of {config.crop.size_px} px, "
            f"{'augmented' if config.augment else 'as they are'}, batches of {config.batch_size}"
        }
        yield sets, facts


def _table(config: ImagesBenchmarkConfig, folder: Path) -> DatasetTable:
    data = config.data
    if data is None:
        root = folder / "drawn"
        write_affectnet(
            root, SyntheticAffectNetConfig(num_images=config.num_images, num_validation=8)
        )
        data = DatasetConfig("affectnet", str(root))
    table = load_dataset(data)
    _, has_target = soft_targets(table, parse_label_space(config.labels))
    is_training = (table.rows["split"] == "train").to_numpy() & has_target
    return take_rows(table, np.flatnonzero(is_training)[: config.num_images])


def _batches(images: ImageSet, config: ImagesBenchmarkConfig) -> Iterator[Batch]:
    order = np.arange(len(images))
    return load_batches(images, batch_rows(order, config.batch_size), 0, 0)


def _loading(images: ImageSet, config: ImagesBenchmarkConfig, clock: Clock) -> Callable[[], float]:
    def load() -> float:
        started = clock()
        count = sum(len(batch.lengths) for batch in _batches(images, config))
        return count / (clock() - started)

    return load


class _Trainer:
    """One network that every case goes on training: the same work, whatever the weights."""

    def __init__(self, config: ImagesBenchmarkConfig) -> None:
        labels = parse_label_space(config.labels)
        self._device = torch.device(config.device)
        self._net = EmotionNet(config.model, len(labels)).to(self._device).train()
        self._optimizer = build_optimizer(self._net, OptimConfig())

    def step(self, batch: Batch) -> int:
        """Take one step; return its number of images."""
        frames = batch.frames.to(self._device)
        logits, _ = self._net(frames, None, batch.lengths.to(self._device))
        total, weight = masked_cross_entropy(
            logits, batch.targets.to(self._device), batch.target_mask.to(self._device)
        )
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(total / weight)
        self._optimizer.step()
        return len(batch.lengths)

    def wait(self) -> None:
        """Let a device that works by itself come to the end."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)


def _training(
    trainer: _Trainer,
    batches: Callable[[], Iterator[Batch]],
    clock: Clock,
    num_steps: int | None = None,
) -> Callable[[], float]:
    def train() -> float:
        started, count = clock(), 0
        for number, batch in enumerate(batches(), start=1):
            count += trainer.step(batch)
            if number == num_steps:
                break
        trainer.wait()
        return count / (clock() - started)

    return train


def _rows(measured: dict[str, tuple[float, ...]]) -> list[Row]:
    return [Row(name, "images/s", values, "higher") for name, values in measured.items()]


def _against_memory(rows: list[Row]) -> dict[str, Any]:
    """Return what each source reaches of crops that are in memory already, turn by turn."""
    first = next((r for r in rows if "from memory" in r.name), None)
    if first is None:
        return {}
    ratios = {
        row.name: [a / b for a, b in zip(row.values, first.values, strict=True)] for row in rows
    }
    return {
        f"{row.name} against {first.name}": f"{np.median(ratios[row.name]):.0%}, median of turns"
        for row in rows
        if row is not first
    }
