"""`export`: write a trained checkpoint as a file that ships, once it is shown to be as good."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from emotemporal.data.readers import DatasetConfig
from emotemporal.data.table import Split
from emotemporal.export.check import (
    LabelledCrops,
    accuracy,
    agreement,
    largest_difference,
    read_labelled,
    read_some,
)
from emotemporal.export.faces import drawn_crops, random_crops
from emotemporal.inference.card_inside import pack_card
from emotemporal.inference.engine import Engine, require_causal
from emotemporal.inference.probe import make_probe, pack_probe
from emotemporal.inference.torch_engine import TorchEngine
from emotemporal.models.checkpoint import load_checkpoint, save_checkpoint
from emotemporal.models.emotion_net import EmotionNet
from emotemporal.models.meta import CheckpointMeta, Storage
from emotemporal.models.origin import without_paths
from emotemporal.storage import digest, write_atomically
from emotemporal.weights import resolve_checkpoint

_log = logging.getLogger(__name__)

MAX_DIFFERENCE = 1e-4
"""Of a probability, where both networks compute in float32."""

_NUM_CARRIED = 6  # drawn faces in a graph's metadata, judged when it is opened: 30 kB, 10 ms
_NUM_STREAMED = 12  # drawn faces, and as many of noise: a stream through a head's memory


class ExportError(ValueError):
    """The exported network is not as good as the trained one; nothing is written."""


@dataclass(frozen=True)
class ExportConfig:
    """Write a checkpoint for ONNX Runtime, or smaller for torch; it is checked first."""

    output: str
    """`.onnx` for ONNX Runtime, `.safetensors` for torch."""
    checkpoint: str | None = None
    """From pretrain or finetune; none takes the one that ships with the package."""
    int8: bool = False
    """ONNX: let the encoder compute in integers, for a third of the time and a quarter of the
    bytes."""
    half: bool = False
    """Safetensors: keep weights in half precision, for half the bytes; they load as float32."""
    calibrate_on: Literal["drawn", "data"] = "drawn"
    """int8: what activations' ranges are measured on; faces drawn here, or the data set."""
    num_calibration: int = 256
    calibration_split: Split | None = "train"
    """Of the data set, if it calibrates; none takes all of it."""
    reduce_range: bool = True
    """int8: seven bits a weight. With eight, processors without VNNI overflow silently."""
    data: DatasetConfig | None = None
    """Labelled images to measure accuracy on, before and after."""
    split: Split | None = "test"
    """Of the data set, to measure on; none takes all of it."""
    max_loss: float = 0.005
    """How much accuracy may fall on the data set; 0.005 is half a point."""
    num_checked: int = 256
    """Drawn faces to compare labels on; of 256, one more or less is 0.4 points."""
    min_agreement: float = 0.97
    """Share of them that must get the same label as before."""
    seed: int = 0

    def __post_init__(self) -> None:
        suffix = Path(self.output).suffix
        if suffix not in (".onnx", ".safetensors"):
            raise ValueError(f"output is {self.output}; it can end in .onnx or .safetensors")
        if self.int8 and suffix != ".onnx":
            raise ValueError(f"int8 is for ONNX Runtime; output {self.output} must end in .onnx")
        if self.half and suffix != ".safetensors":
            raise ValueError(f"half is for torch; output {self.output} must end in .safetensors")
        if min(self.num_calibration, self.num_checked) < 1:
            raise ValueError(
                f"num_calibration is {self.num_calibration} and num_checked {self.num_checked}; "
                "at least 1 is needed"
            )
        if self.calibrate_on == "data" and self.data is None:
            raise ValueError("calibrate_on is 'data'; say which with --dataset and --root")
        if not (0 <= self.max_loss < 1 and 0 <= self.min_agreement <= 1):
            raise ValueError(
                f"max_loss is {self.max_loss} and min_agreement {self.min_agreement}; "
                "they are shares, 0 to 1"
            )

    @property
    def storage(self) -> Storage:
        """How the file keeps its weights."""
        if self.int8:
            return "int8"
        return "float16" if self.half else "float32"


@dataclass(frozen=True)
class ExportReport:
    """What was written, and what it was found to be worth beside the trained network."""

    path: str
    storage: Storage
    num_bytes: int
    sha256: str
    difference: float
    """Largest, of a probability, over drawn faces and noise in streams."""
    agreement: float
    """Share of drawn faces with the same label."""
    num_checked: int
    accuracy_before: float | None = None
    accuracy: float | None = None
    measured_on: str = ""

    def __str__(self) -> str:
        lines = [
            f"wrote {self.path}: {self.storage}, {self.num_bytes / 1e6:.1f} MB, "
            f"SHA-256 {self.sha256[:12]}",
            f"checked: same label on {self.agreement:.1%} of {self.num_checked} drawn faces; "
            f"probabilities differ by at most {self.difference:.2g}",
        ]
        if self.accuracy is None or self.accuracy_before is None:
            lines.append("not checked: accuracy; name labelled images with --dataset and --root")
        else:
            lines.append(
                f"checked: accuracy {self.accuracy_before:.2%} before, {self.accuracy:.2%} after, "
                f"on {self.measured_on}"
            )
        return "\n".join(lines)


def export(config: ExportConfig) -> ExportReport:
    """Write the file that `config` asks for; nothing is written where a check fails.

    Raises:
        FileNotFoundError: No such checkpoint, or none ships with this version.
        CheckpointError: It cannot be used, or its head looks ahead.
        ExportError: The exported network is not as good as the trained one, or a library lacks.
        ValueError: The data set cannot be used.
        OSError: The file could not be written.
    """
    source = resolve_checkpoint(config.checkpoint)
    net, meta = load_checkpoint(source)
    require_causal(meta)
    labelled = None if config.data is None else read_labelled(config.data, config.split, meta)
    _log.info("exporting %s: %s, %s head", source.name, meta.model.encoder, meta.model.head)
    build = _build_onnx if config.output.endswith(".onnx") else _build_safetensors
    content, engine = build(config, net, without_paths(meta), source)
    report = check(config, TorchEngine(net, meta.labels), engine, meta, labelled)
    write_atomically(Path(config.output), content)
    return replace(report, num_bytes=len(content), sha256=digest(content))


def _build_onnx(
    config: ExportConfig, net: EmotionNet, meta: CheckpointMeta, source: Path
) -> tuple[bytes, Engine]:
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise ExportError(f"{', '.join(missing)} not installed; pip install 'emotemporal[export]'")
    from emotemporal.export.graph import describe, to_onnx
    from emotemporal.export.quantise import quantise
    from emotemporal.inference.onnx_engine import OnnxEngine

    graph = to_onnx(net, meta)
    if config.int8:
        crops = _calibration_crops(config, meta)
        _log.info("measuring ranges on %d crops", len(crops))
        graph = quantise(graph, meta, crops, config.reduce_range)
    engine = OnnxEngine(describe(graph, meta, config.storage), num_threads=1)
    faces = drawn_crops(meta, _NUM_CARRIED, config.seed + 2)
    probe = make_probe(TorchEngine(net, meta.labels), engine, meta, faces)
    more = {**pack_probe(probe), **pack_card(source, meta)}
    content = describe(graph, meta, config.storage, more)
    return content, OnnxEngine(content, num_threads=1)


def _build_safetensors(
    config: ExportConfig, net: EmotionNet, meta: CheckpointMeta, source: Path
) -> tuple[bytes, Engine]:
    del source  # a card stays beside it, and is the same one's
    with TemporaryDirectory(prefix="emotemporal-") as folder:
        path = Path(folder) / "exported.safetensors"
        save_checkpoint(path, net, meta, "float16" if config.half else "float32")
        again, _ = load_checkpoint(path)
        return path.read_bytes(), TorchEngine(again, meta.labels)


def _calibration_crops(config: ExportConfig, meta: CheckpointMeta) -> UInt8[np.ndarray, "b n n 3"]:
    if config.calibrate_on == "drawn":
        return drawn_crops(meta, config.num_calibration, config.seed + 1)  # not those it checks
    assert config.data is not None, "refused when the config was made"
    number, seed = config.num_calibration, config.seed
    return read_some(config.data, config.calibration_split, meta, number, seed)


def check(
    config: ExportConfig,
    trained: Engine,
    exported: Engine,
    meta: CheckpointMeta,
    labelled: LabelledCrops | None,
) -> ExportReport:
    """Hold an exported network against the trained one.

    Raises:
        ExportError: It is not as good, by a bound that `config` sets.
    """
    drawn = drawn_crops(meta, config.num_checked, config.seed)
    stream = np.concatenate([drawn[:_NUM_STREAMED], random_crops(meta, _NUM_STREAMED, config.seed)])
    difference = largest_difference(trained, exported, meta, stream)
    # Not a comparison with "more than": a network that answers NaN must not pass.
    if config.storage == "float32" and not difference <= MAX_DIFFERENCE:
        raise ExportError(
            f"the exported network's probabilities differ by {difference:.2g} from the trained "
            f"one's; {MAX_DIFFERENCE:g} is allowed. Nothing was written"
        )
    same = agreement(trained, exported, drawn)
    if same < config.min_agreement:
        raise ExportError(
            f"{config.storage} gives the same label on {same:.1%} of {len(drawn)} drawn faces; "
            f"--min_agreement asks for {config.min_agreement:.1%}. Nothing was written"
        )
    report = ExportReport(config.output, config.storage, 0, "", difference, same, len(drawn))
    if labelled is None:
        return report
    before, after = accuracy(trained, labelled), accuracy(exported, labelled)
    if before - after > config.max_loss:
        raise ExportError(
            f"{config.storage} lowers accuracy on {labelled.name} from {before:.2%} to "
            f"{after:.2%}; --max_loss allows {config.max_loss:.2%}. Nothing was written"
        )
    return replace(report, accuracy_before=before, accuracy=after, measured_on=str(labelled))
