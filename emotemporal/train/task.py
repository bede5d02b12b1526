"""What one training consists of: network, data and how it is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor, nn

from emotemporal.data.collate import Batch, FeatureBatch
from emotemporal.evaluation.metrics import JudgedClips
from emotemporal.train.history import EpochRow

AnyBatch = Batch | FeatureBatch


@dataclass(frozen=True)
class Validation:
    """What an evaluation after an epoch found. `score` is what the best epoch is chosen by."""

    loss: float
    accuracy: float
    uar: float
    macro_f1: float
    judged: JudgedClips | None = field(default=None, repr=False, compare=False)
    """Every answer that the figures are of, where there is one a clip."""

    @property
    def figures(self) -> dict[str, float]:
        """The four figures by name."""
        return {n: getattr(self, n) for n in ("loss", "accuracy", "uar", "macro_f1")}

    @property
    def score(self) -> float:
        """UAR: what chooses is mean recall, whatever the sizes of the classes."""
        return self.uar


@dataclass(frozen=True, eq=False)
class Task:
    """What one job trains, on what, and how it is judged."""

    net: nn.Module
    forward: Callable[[nn.Module, AnyBatch], Float[Tensor, "b t k"]]
    batches: Callable[[int, int], Iterable[AnyBatch]]
    """(epoch, first batch) -> this process's part of each batch from there to the epoch's end."""
    batches_per_epoch: int
    validate: Callable[[nn.Module], Validation] | None = None
    class_weights: Float[Tensor, " k"] | None = None
    logit_offsets: Float[Tensor, " k"] | None = None
    """Added to the logits in the training loss alone."""
    on_epoch: Callable[[Sequence[EpochRow], float], None] | None = None
    """Told all rows so far and the last one's seconds, as soon as an epoch is saved."""
