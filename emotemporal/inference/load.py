"""From a checkpoint's file to an engine that runs it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from emotemporal.inference.engine import Engine
from emotemporal.inference.graph_file import describe_graph, read_entries
from emotemporal.inference.probe import parse_probe
from emotemporal.models.meta import CheckpointError, CheckpointMeta
from emotemporal.storage import file_digest
from emotemporal.weights import SHIPPED_INT8_NAME, SHIPPED_NAME, resolve_checkpoint, shipped_file

_log = logging.getLogger(__name__)

EngineName = Literal["torch", "torch-compile", "onnx", "onnx-int8", "openvino", "openvino-int8"]
EngineChoice = Literal[
    "auto", "torch", "torch-compile", "onnx", "onnx-int8", "openvino", "openvino-int8"
]
"""`auto`: of those that run the checkpoint's file, or the model that ships, the fastest that is
installed and gives the answers that the file says it should (`inference.probe`)."""

_GRAPH_LIBRARIES = {"onnx": "onnxruntime", "openvino": "openvino"}
"""What runs ONNX files, fastest first for one face at a time; `benchmark encoder` measures it."""


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A network that is ready to judge, and where it comes from."""

    engine: Engine
    meta: CheckpointMeta
    path: Path
    engine_name: EngineName
    why: str = ""
    """Why this engine, in a few words."""

    @property
    def digest(self) -> str:
        """SHA-256 of the file, in hexadecimal."""
        return file_digest(self.path)

    def __str__(self) -> str:
        return (
            f"model: {self.path.name} (SHA-256 {self.digest[:12]}), trained on "
            f"{_training_data(self.meta)}; engine {self.engine_name}"
            f"{self.why and f' ({self.why})'}"
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
        engine: What runs it. A `.onnx` runs in ONNX Runtime or OpenVINO, anything else in torch.
        device: Where the network runs, in torch's words: `cpu`, `cuda`, `cuda:1`, `mps`.
        num_threads: On a CPU; torch's are the whole process's. None leaves them as they are.

    Raises:
        FileNotFoundError: No such file, or none ships with this version.
        CheckpointError: Not one of ours, or of a later format; or the engine that is asked for does
            not run this file, or computes it wrongly. A head that looks ahead is refused by what
            judges streams.
        ValueError: There is no such device.
    """
    if path is None and engine == "auto":
        return _open_shipped(device, num_threads)
    file = _shipped_for(engine) if path is None else Path(path)
    if file.suffix == ".onnx":
        return _open_graph(file, engine, device, num_threads)
    if engine not in ("auto", "torch", "torch-compile"):
        raise CheckpointError(
            f"engine {engine} runs ONNX files, and {file} is none. Write one: 'emotemporal export "
            f"--checkpoint {file} --output {file.with_suffix('.onnx').name}"
            f"{' --int8 true' * engine.endswith('-int8')}'"
        )
    return _open_torch(file, device, num_threads, engine == "torch-compile")


def load_engine(
    path: Path | str | None = None, device: str = "cpu", num_threads: int | None = None
) -> tuple[Engine, CheckpointMeta]:
    """Open a checkpoint for inference, by the engine that its file is for; see `load_model`."""
    model = load_model(resolve_checkpoint(path), "auto", device, num_threads)
    return model.engine, model.meta


def _open_shipped(device: str, num_threads: int | None) -> LoadedModel:
    fast = shipped_file(SHIPPED_INT8_NAME)
    # The graphs' libraries are for the CPU here; a GPU that is asked for is torch's.
    if device == "cpu" and fast.is_file() and any(map(_is_installed, _GRAPH_LIBRARIES)):
        try:
            return _open_graph(fast, "auto", device, num_threads)
        except CheckpointError as error:
            _log.warning("%s. Going on with torch", error)
    return _open_torch(resolve_checkpoint(None), device, num_threads)


def _shipped_for(engine: EngineChoice) -> Path:
    if engine in ("torch", "torch-compile"):
        return resolve_checkpoint(None)
    if engine.endswith("-int8"):
        return shipped_file(SHIPPED_INT8_NAME)
    raise CheckpointError(
        "the model that ships runs in torch or, as int8, in ONNX Runtime and OpenVINO. For float32 "
        f"write it first: 'emotemporal export --output {SHIPPED_NAME.split('.')[0]}.onnx', "
        "and name the file with --checkpoint"
    )


def _open_graph(
    path: Path, engine: EngineChoice, device: str, num_threads: int | None
) -> LoadedModel:
    if device != "cpu":
        raise ValueError(f"device is {device!r}; ONNX Runtime runs {path.name} on 'cpu' here")
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}; 'emotemporal export' writes it")
    entries, meta, suffix = _read_graph(path)
    fitting = [name for name in _GRAPH_LIBRARIES if engine in ("auto", name + suffix)]
    if not fitting:
        kinds = " or ".join(name + suffix for name in _GRAPH_LIBRARIES)
        raise CheckpointError(f"{path} is for engine {kinds}, not for {engine}")
    installed = [name for name in fitting if _is_installed(name)]
    if not installed:
        needed = " or ".join(_GRAPH_LIBRARIES[name] for name in fitting)
        raise CheckpointError(f"{path} needs {needed}, which is not installed: pip install it")
    for name in installed:
        try:
            opened = _opener(name)(path, num_threads)
            why = _prove(opened, meta, entries, engine, f"{path} in {name}")
        except CheckpointError as error:
            if name == installed[-1]:
                raise
            _log.warning("%s", error)
            continue
        return LoadedModel(opened, meta, path, _name(name, suffix), why)
    raise AssertionError("the last engine is returned or refused")


def _read_graph(path: Path) -> tuple[dict[str, str], CheckpointMeta, str]:
    try:
        entries = read_entries(path.read_bytes())
        meta, storage = describe_graph(entries)
    except CheckpointError as error:
        raise CheckpointError(f"{path} cannot be used: {error}") from error
    return entries, meta, "-int8" if storage == "int8" else ""


def _prove(
    engine: Engine, meta: CheckpointMeta, entries: dict[str, str], choice: EngineChoice, name: str
) -> str:
    """Let an engine judge the faces that its file carries; say what came of it."""
    chosen = "fastest installed" if choice == "auto" else "as asked"
    try:
        probe = parse_probe(entries)
        if probe is None:
            return f"{chosen}; not checked: exported without faces to check"
        found = probe.require_passed(engine, meta)
    except CheckpointError as error:
        raise CheckpointError(f"{name}: {error}") from error
    return f"{chosen}; within {found:.1g} of the trained network on {len(probe.crops)} faces"


def _is_installed(name: str) -> bool:
    return find_spec(_GRAPH_LIBRARIES[name]) is not None


def _opener(name: str) -> Callable[[Path, int | None], Engine]:
    if name == "openvino":
        from emotemporal.inference.openvino_engine import open_openvino

        return open_openvino
    from emotemporal.inference.onnx_engine import open_onnx

    return open_onnx


def _name(library: str, suffix: str) -> EngineName:
    if library == "openvino":
        return "openvino-int8" if suffix else "openvino"
    return "onnx-int8" if suffix else "onnx"


def _open_torch(
    path: Path, device: str, num_threads: int | None, compiled: bool = False
) -> LoadedModel:
    import torch

    from emotemporal.inference.torch_engine import TorchEngine
    from emotemporal.models.checkpoint import load_checkpoint

    if num_threads is not None:
        torch.set_num_threads(num_threads)
    net, meta = load_checkpoint(path)
    engine = TorchEngine(net, meta.labels, device, compiled)
    return LoadedModel(engine, meta, path, "torch-compile" if compiled else "torch")


def _training_data(meta: CheckpointMeta) -> str:
    """Return the name of the data set if the origin tells it, else the data's fingerprint."""
    data = meta.origin.config.get("data")
    name = data.get("name") if isinstance(data, dict) else data
    return (
        Path(name).name
        if isinstance(name, str) and name
        else f"data {meta.origin.data_fingerprint[:12]}"
    )
