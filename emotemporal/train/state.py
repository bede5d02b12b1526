"""Where a training stands, and who keeps it: a folder that survives a kill, or memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn, optim

from emotemporal.models.meta import CheckpointError
from emotemporal.storage import write_atomically
from emotemporal.train.history import EpochRow

_PROGRESS_KEY = "progress"
_MISFITS = (KeyError, TypeError, ValueError, AttributeError, IndexError)


@dataclass(frozen=True)
class Progress:
    """Everything about a run that is not a tensor. Random draws are functions of these numbers."""

    epoch: int = 0
    """Epochs finished."""
    batch: int = 0
    """Batches finished of the next epoch."""
    step: int = 0
    sums: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Of the unfinished epoch: loss, correct answers, weight."""
    rows: tuple[EpochRow, ...] = ()
    best_score: float | None = None
    best_epoch: int = 0

    def has_waited(self, patience: int | None) -> bool:
        """Return whether the last `patience` epochs brought nothing better."""
        return patience is not None and self.epoch > 0 and self.epoch - self.best_epoch >= patience

    def after_epoch(self, row: EpochRow, score: float | None) -> Progress:
        """Return the progress with one more epoch finished."""
        is_best = score is not None and (self.best_score is None or score > self.best_score)
        return replace(
            self,
            epoch=self.epoch + 1,
            batch=0,
            sums=(0.0, 0.0, 0.0),
            rows=(*self.rows, row),
            best_score=score if is_best else self.best_score,
            best_epoch=row.epoch if is_best else self.best_epoch,
        )


@dataclass(frozen=True, eq=False)
class TrainingState:
    """A run at one step: progress, and weights, moving average and optimiser as named tensors."""

    progress: Progress
    tensors: Mapping[str, Tensor] = field(default_factory=dict)


@runtime_checkable
class Keeper(Protocol):
    """Keeps a run's state and its best weights."""

    def load(self) -> TrainingState | None:
        """Return the state to go on from, or None for a new run."""

    def save(self, state: TrainingState) -> None:
        """Keep the state; when this returns, a kill does not lose it."""

    def save_best(self, net: nn.Module, row: EpochRow) -> None:
        """Keep the weights that scored best so far."""


class MemoryKeeper:
    """Keeps the best weights in memory: for the many small trainings inside one study."""

    def __init__(self) -> None:
        self.best: dict[str, Tensor] = {}

    def load(self) -> TrainingState | None:
        """Start anew: an unfinished fold is short, and is trained again."""
        return None

    def save(self, state: TrainingState) -> None:
        """Keep nothing: see `load`."""

    def save_best(self, net: nn.Module, row: EpochRow) -> None:  # noqa: ARG002 (the protocol's)
        """Copy the weights."""
        self.best = {name: value.detach().clone() for name, value in net.state_dict().items()}


class FolderKeeper:
    """Keeps the state in `state.safetensors` of a run folder; the best weights as a checkpoint."""

    def __init__(
        self, folder: Path, write_checkpoint: Callable[[nn.Module, EpochRow], None]
    ) -> None:
        self._file = folder / "state.safetensors"
        self._write_checkpoint = write_checkpoint

    def load(self) -> TrainingState | None:
        """Return the last state that was saved.

        Raises:
            CheckpointError: The file is damaged.
        """
        if not self._file.exists():
            return None
        try:
            with safe_open(self._file, framework="pt") as file:
                progress = _parse_progress(json.loads(file.metadata()[_PROGRESS_KEY]))
                names = list(file.keys())
                return TrainingState(progress, {name: file.get_tensor(name) for name in names})
        except (SafetensorError, RecursionError, *_MISFITS) as error:
            raise CheckpointError(
                f"{self._file} is damaged ({error}). Remove the run folder to start over."
            ) from error

    def save(self, state: TrainingState) -> None:
        """Write the state atomically."""
        tensors = {name: value.contiguous() for name, value in state.tensors.items()}
        progress = json.dumps(asdict(state.progress))
        write_atomically(self._file, save(tensors, metadata={_PROGRESS_KEY: progress}))

    def save_best(self, net: nn.Module, row: EpochRow) -> None:
        """Write the checkpoint. It comes before the state, so a kill between repeats, not loses."""
        self._write_checkpoint(net, row)


def pack_tensors(
    net: nn.Module, average: nn.Module | None, optimizer: optim.Optimizer
) -> dict[str, Tensor]:
    """Return weights, moving average and optimiser as tensors with names."""
    tensors = {f"net.{k}": v.detach().cpu().clone() for k, v in net.state_dict().items()}
    if average is not None:
        tensors |= {
            f"average.{k}": v.detach().cpu().clone() for k, v in average.state_dict().items()
        }
    for index, values in optimizer.state_dict()["state"].items():
        for key, value in values.items():
            tensors[f"optimizer.{index}.{key}"] = torch.as_tensor(value).detach().cpu().clone()
    return tensors


def unpack_tensors(
    tensors: Mapping[str, Tensor],
    net: nn.Module,
    average: nn.Module | None,
    optimizer: optim.Optimizer,
) -> None:
    """Put back what `pack_tensors` took.

    Raises:
        CheckpointError: The tensors are not those of this network and optimiser.
    """
    try:
        _unpack(tensors, net, average, optimizer)
    except (RuntimeError, *_MISFITS) as error:
        raise CheckpointError(
            f"the saved state does not fit the network ({error}). Remove the run folder's "
            "state.safetensors to start over."
        ) from error


def _unpack(
    tensors: Mapping[str, Tensor],
    net: nn.Module,
    average: nn.Module | None,
    optimizer: optim.Optimizer,
) -> None:
    net.load_state_dict(_under(tensors, "net."))
    if average is not None:
        average.load_state_dict(_under(tensors, "average."))
    state: dict[int, dict[str, Any]] = {}
    for name, value in _under(tensors, "optimizer.").items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = value
    _refuse_misfit(state, [p for group in optimizer.param_groups for p in group["params"]])
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def _refuse_misfit(state: Mapping[int, Mapping[str, Tensor]], parameters: list[Tensor]) -> None:
    # The optimiser itself would say so only in its next step, or not at all.
    if len({frozenset(values) for values in state.values()}) > 1:
        raise ValueError("the optimiser's memory is not the same for all parameters")
    for index, values in state.items():
        shape = parameters[index].shape
        if any(value.ndim and value.shape != shape for value in values.values()):
            raise ValueError(f"the optimiser's memory of parameter {index} has another shape")


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _parse_progress(value: Mapping[str, Any]) -> Progress:
    return Progress(
        **{
            **value,
            "sums": tuple(value["sums"]),
            "rows": tuple(EpochRow(**row) for row in value["rows"]),
        }
    )
