"""From a checkpoint's file to an engine that runs it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from emotemporal.inference.engine import Engine
from emotemporal.models.meta import CheckpointError, CheckpointMeta
from emotemporal.storage import file_digest
from emotemporal.weights import SHIPPED_INT8_NAME, SHIPPED_NAME, resolve_checkpoint, shipped_file

EngineName = Literal["torch", "onnx", "onnx-int8"]
EngineChoice = Literal["auto", "torch", "onnx", "onnx-int8"]
"""`auto`: what the file is for; of the model that ships, the fastest that is installed."""


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A network that is ready to judge, and where it comes from."""

    engine: Engine
    meta: CheckpointMeta
    path: Path
    engine_name: EngineName

    @property
    def digest(self) -> str:
        """SHA-256 of the file, in hexadecimal."""
        return file_digest(self.path)

    def __str__(self) -> str:
        return (
            f"model: {self.path.name} (SHA-256 {self.digest[:12]}), trained on "
            f"{_training_data(self.meta)}; engine {self.engine_name}"
        )


def load_model(
    path: Path | str | None = None,
    engine: EngineChoice = "auto",
    device: str = "cpu",
    num_threads: int | None = None,
) -> LoadedModel:
    """Open a checkpoint for inference.

    Args:
        path: What `pretrain`, `finetune` or `export` wrote; None takes the one that ships.
        engine: What runs it. A `.onnx` runs in ONNX Runtime, anything else in torch.
        device: Where the network runs, in torch's words: `cpu`, `cuda`, `cuda:1`, `mps`.
        num_threads: On a CPU; torch's are the whole process's. None leaves them as they are.

    Raises:
        FileNotFoundError: No such file, or none ships with this version.
        CheckpointError: Not one of ours, or of a later format; or the engine that is asked for does
            not run this file. A head that looks ahead is refused by what judges streams.
        ValueError: There is no such device.
    """
    file = _shipped_for(engine, device) if path is None else Path(path)
    if file.suffix == ".onnx":
        return _open_onnx(file, engine, device, num_threads)
    if engine not in ("auto", "torch"):
        raise CheckpointError(
            f"engine {engine} runs ONNX files, and {file} is none. Write one: 'emotemporal export "
            f"--checkpoint {file} --output {file.with_suffix('.onnx').name}"
            f"{' --int8 true' * (engine == 'onnx-int8')}'"
        )
    return _open_torch(file, device, num_threads)


def load_engine(
    path: Path | str | None = None, device: str = "cpu", num_threads: int | None = None
) -> tuple[Engine, CheckpointMeta]:
    """Open a checkpoint for inference, by the engine that its file is for; see `load_model`."""
    model = load_model(resolve_checkpoint(path), "auto", device, num_threads)
    return model.engine, model.meta


def _shipped_for(engine: EngineChoice, device: str) -> Path:
    if engine == "auto":
        # ONNX Runtime here is for the CPU; a GPU that is asked for is torch's.
        is_fastest_here = device == "cpu" and find_spec("onnxruntime") is not None
        fast = shipped_file(SHIPPED_INT8_NAME)
        return fast if is_fastest_here and fast.is_file() else resolve_checkpoint(None)
    if engine == "torch":
        return resolve_checkpoint(None)
    if engine == "onnx-int8":
        return shipped_file(SHIPPED_INT8_NAME)
    raise CheckpointError(
        f"the model that ships runs in torch or, as int8, in ONNX Runtime. For float32 in ONNX "
        f"Runtime write it first: 'emotemporal export --output {SHIPPED_NAME.split('.')[0]}.onnx', "
        "and name the file with --checkpoint"
    )


def _open_onnx(
    path: Path, engine: EngineChoice, device: str, num_threads: int | None
) -> LoadedModel:
    if device != "cpu":
        raise ValueError(f"device is {device!r}; ONNX Runtime runs {path.name} on 'cpu' here")
    if find_spec("onnxruntime") is None:
        raise CheckpointError(f"{path} needs ONNX Runtime: pip install onnxruntime")
    from emotemporal.inference.onnx_engine import open_onnx

    opened = open_onnx(path, num_threads)
    name: EngineName = "onnx-int8" if opened.storage == "int8" else "onnx"
    if engine not in ("auto", name):
        raise CheckpointError(f"{path} is for engine {name}, not for {engine}")
    return LoadedModel(opened, opened.meta, path, name)


def _open_torch(path: Path, device: str, num_threads: int | None) -> LoadedModel:
    import torch

    from emotemporal.inference.torch_engine import TorchEngine
    from emotemporal.models.checkpoint import load_checkpoint

    if num_threads is not None:
        torch.set_num_threads(num_threads)
    net, meta = load_checkpoint(path)
    return LoadedModel(TorchEngine(net, meta.labels, device), meta, path, "torch")


def _training_data(meta: CheckpointMeta) -> str:
    """Return the name of the data set if the origin tells it, else the data's fingerprint."""
    data = meta.origin.config.get("data")
    name = data.get("name") if isinstance(data, dict) else data
    return (
        Path(name).name
        if isinstance(name, str) and name
        else f"data {meta.origin.data_fingerprint[:12]}"
    )
