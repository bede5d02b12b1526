"""`benchmark encoder`: every engine, by faces at once and threads, beside the machine's limits."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from emotemporal.benchmark.limits import Limits, encoder_gflops, measure_limits
from emotemporal.benchmark.machine import this_machine
from emotemporal.benchmark.measure import Row, in_turns
from emotemporal.benchmark.report import OutputConfig, Report
from emotemporal.data.readers import DatasetConfig
from emotemporal.data.table import Split
from emotemporal.export.check import accuracy, read_labelled
from emotemporal.export.job import ExportConfig, export
from emotemporal.inference.engine import Engine
from emotemporal.inference.load import EngineName, load_model
from emotemporal.models.checkpoint import load_checkpoint
from emotemporal.timing import Clock, monotonic
from emotemporal.weights import SHIPPED_INT8_NAME, resolve_checkpoint, shipped_file

_log = logging.getLogger(__name__)

_BYTES_A_WEIGHT = {"int8": 1.0, "float": 4.0}


@dataclass(frozen=True)
class EncoderBenchmarkConfig:
    """Time one step of every engine that is installed."""

    checkpoint: str | None = None
    """A `.safetensors`; none takes the one that ships. Its ONNX files are made for the occasion."""
    batches: list[int] = field(default_factory=lambda: [1, 4])
    """Faces at once."""
    threads: list[int] = field(default_factory=lambda: [1, 2])
    compiled: bool = False
    """Also torch.compile, which takes a minute a thread count first."""
    repetitions: int = 15
    data: DatasetConfig | None = None
    """Labelled images: then the accuracy of float32 and int8 in ONNX Runtime is told."""
    split: Split | None = "test"
    output: OutputConfig = field(default_factory=OutputConfig)

    def __post_init__(self) -> None:
        if not (self.batches and self.threads):
            raise ValueError(
                f"batches are {self.batches} and threads {self.threads}; name one each"
            )
        if min([*self.batches, *self.threads, self.repetitions]) < 1:
            raise ValueError("batches, threads and repetitions are at least 1 each")


def benchmark_encoder(config: EncoderBenchmarkConfig, clock: Clock = monotonic) -> Report:
    """Measure; engines take turns.

    Raises:
        FileNotFoundError: There is no such checkpoint.
        CheckpointError: It cannot be used.
        ExportError: It cannot be exported.
    """
    source = resolve_checkpoint(config.checkpoint)
    net, meta = load_checkpoint(source)
    size_px, gflops = meta.preprocess.size_px, encoder_gflops(net, meta.preprocess.size_px)
    num_weights = sum(weights.numel() for weights in net.parameters())
    rows: list[Row] = []
    facts: dict[str, object] = {
        "network": f"{source.name}, {meta.model.encoder} at {size_px} px, "
        f"{gflops:.3f} GFLOP and {num_weights / 1e6:.1f} M weights a face"
    }
    with TemporaryDirectory(prefix="emotemporal-") as folder:
        files = _export(source, Path(folder), config)
        for num_threads in config.threads:
            limits = measure_limits(num_threads, clock=clock)
            facts[f"limits, {num_threads} threads"] = _tell(limits)
            engines = _open_all(files, num_threads)
            for batch in config.batches:
                crops = np.random.default_rng(0).integers(
                    0, 256, (batch, size_px, size_px, 3), dtype=np.uint8
                )
                cases = {name: _case(engine, crops, clock) for name, engine in engines.items()}
                for name, values in in_turns(cases, config.repetitions, 2).items():
                    kind = "int8" if name.endswith("int8") else "float"
                    fetched = _BYTES_A_WEIGHT[kind] * num_weights
                    limit = limits.encoder_ms(batch * gflops, fetched, kind == "int8")
                    label = f"{name}, {batch} faces, {num_threads} threads"
                    rows.append(Row(label, "ms", values, limit=limit))
            facts |= _ratio(rows, config.batches, num_threads)
        facts |= _accuracies(files, config)
    return Report("encoder", this_machine(), rows, facts)


def _export(source: Path, folder: Path, config: EncoderBenchmarkConfig) -> dict[EngineName, Path]:
    files: dict[EngineName, Path] = {"torch": source}
    if config.compiled:
        files["torch-compile"] = source
    graphs = {"": folder / "net.onnx", "-int8": folder / "net.int8.onnx"}
    for suffix, path in graphs.items():
        shipped = shipped_file(SHIPPED_INT8_NAME)
        if suffix and config.checkpoint is None and shipped.is_file():
            graphs[suffix] = shipped
            continue
        # How well int8 agrees is for 'export' to judge; here it is timed.
        made = ExportConfig(
            str(path), str(source), int8=bool(suffix), num_checked=16, min_agreement=0.0
        )
        export(made)
    if find_spec("onnxruntime") is not None:
        files |= {"onnx": graphs[""], "onnx-int8": graphs["-int8"]}
    if find_spec("openvino") is not None:
        files |= {"openvino": graphs[""], "openvino-int8": graphs["-int8"]}
    return files


def _open_all(files: dict[EngineName, Path], num_threads: int) -> dict[str, Engine]:
    return {
        name: load_model(path, name, num_threads=num_threads).engine for name, path in files.items()
    }


def _case(engine: Engine, crops: np.ndarray, clock: Clock) -> Callable[[], float]:
    def step() -> float:
        started = clock()
        engine.step(crops, [None] * len(crops))
        return 1e3 * (clock() - started)

    return step


def _ratio(rows: list[Row], batches: list[int], num_threads: int) -> dict[str, object]:
    medians = {row.name: row.median for row in rows}
    found: dict[str, object] = {}
    for batch in batches:
        end = f"{batch} faces, {num_threads} threads"
        if f"onnx, {end}" in medians:
            ratio = medians[f"onnx, {end}"] / medians[f"onnx-int8, {end}"]
            found[f"int8 against float32 in ONNX Runtime, {end}"] = f"{ratio:.1f} times as fast"
    return found


def _accuracies(files: dict[EngineName, Path], config: EncoderBenchmarkConfig) -> dict[str, object]:
    if config.data is None:
        return {}
    found: dict[str, object] = {}
    labelled = None
    for name in ("onnx", "onnx-int8"):
        if name not in files:
            continue
        model = load_model(files[name], name, num_threads=1)
        labelled = labelled or read_labelled(config.data, config.split, model.meta)
        share = accuracy(model.engine, labelled)
        found[f"accuracy of {name}"] = f"{share:.2%} of {labelled}"
    return found


def _tell(limits: Limits) -> str:
    return (
        f"float32 product {limits.float_gflops:.0f} GFLOP/s, int8 product "
        f"{limits.int8_gops:.0f} Gop/s, copying {limits.copy_gb_s:.1f} GB/s"
    )
