"""What each epoch brought: a row to print and keep, curves to look at, overfitting by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from emotemporal.storage import replacing

HEADER = "epoch   train loss  train acc    val loss    val acc      UAR   macro-F1     time"


@dataclass(frozen=True)
class EpochRow:
    """One epoch. Shares are 0 to 1; validation figures are None where there is no validation."""

    epoch: int
    """From 1."""
    step: int
    """Optimiser steps so far."""
    train_loss: float
    train_accuracy: float
    val_loss: float | None
    val_accuracy: float | None
    val_uar: float | None
    val_macro_f1: float | None

    def values(self) -> dict[str, float]:
        """Return the known figures under the names that logs use, such as `val/uar`."""
        figures = {k: v for k, v in asdict(self).items() if k not in ("epoch", "step")}
        named = {k.replace("_", "/", 1): v for k, v in figures.items() if v is not None}
        return {"epoch": self.epoch, **named}

    def line(self, seconds: float | None = None) -> str:
        """Return the row as text under `HEADER`; accuracies in per cent."""
        time = "" if seconds is None else f"{seconds:7.1f} s"
        return (
            f"{self.epoch:5d} {self.train_loss:12.4f} {_percent(self.train_accuracy, 10)}"
            f" {_number(self.val_loss, 11)} {_percent(self.val_accuracy, 10)}"
            f" {_percent(self.val_uar, 8)} {_percent(self.val_macro_f1, 10)} {time}"
        )


def overfitting_since(rows: Sequence[EpochRow], tolerance: float = 0.05) -> int | None:
    """Return the epoch after which a run learned by heart, or None.

    That is the epoch of the lowest validation loss, once validation loss has stood more than
    `tolerance` (a share) above it for the last two epochs while training loss went on falling.
    """
    known = [row for row in rows if row.val_loss is not None]
    if len(known) < 3:
        return None
    best = min(known, key=lambda row: row.val_loss or 0.0)
    last_two = known[-2:]
    assert best.val_loss is not None
    has_risen = all((row.val_loss or 0.0) > best.val_loss * (1 + tolerance) for row in last_two)
    if has_risen and last_two[0].epoch > best.epoch and known[-1].train_loss < best.train_loss:
        return best.epoch
    return None


def describe_overfitting(rows: Sequence[EpochRow], since: int) -> str:
    """Return the sentence that names it, with the two curves' figures."""
    best = next(row for row in rows if row.epoch == since)
    last = rows[-1]
    return (
        f"overfitting since epoch {since}: training loss {best.train_loss:.2f} -> "
        f"{last.train_loss:.2f}, validation loss {best.val_loss:.2f} -> {last.val_loss:.2f}. "
        "More augmentation, weight decay or label smoothing, or fewer epochs, would help."
    )


def draw_curves(rows: Sequence[EpochRow], path: Path, title: str) -> None:
    """Draw loss and accuracy of training and validation over the epochs, as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    loss, share = figure.subplots(1, 2)
    epochs = [row.epoch for row in rows]
    loss.plot(epochs, [row.train_loss for row in rows], "o-", color="#0072B2", label="training")
    share.plot(
        epochs, [row.train_accuracy * 100 for row in rows], "o-", color="#0072B2", label="training"
    )
    known = [row for row in rows if row.val_loss is not None]
    if known:
        at = [row.epoch for row in known]
        val_loss = [row.val_loss or 0.0 for row in known]
        accuracy = [(row.val_accuracy or 0.0) * 100 for row in known]
        uar = [(row.val_uar or 0.0) * 100 for row in known]
        loss.plot(at, val_loss, "s--", color="#D55E00", label="validation")
        share.plot(at, accuracy, "s--", color="#D55E00", label="validation")
        share.plot(at, uar, "^:", color="#009E73", label="validation UAR")
    since = overfitting_since(rows)
    if since is not None:
        loss.axvline(since, color="0.5", linewidth=1)
        loss.annotate("overfits from here", (since, loss.get_ylim()[1]), va="top", fontsize=8)
    loss.set(xlabel="epoch", ylabel="cross-entropy (nats)", title=title)
    share.set(xlabel="epoch", ylabel="correct (%)", ylim=(0, 100))
    for axes in (loss, share):
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(frameon=False)
    with replacing(path) as part:
        figure.savefig(part, dpi=130)


def _percent(value: float | None, width: int) -> str:
    return "-".rjust(width) if value is None else f"{value * 100:{width - 2}.1f} %"


def _number(value: float | None, width: int) -> str:
    return "-".rjust(width) if value is None else f"{value:{width}.4f}"
