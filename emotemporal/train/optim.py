"""What is optimised, how fast, for how long."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn, optim
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

_STAGES = ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4")
_LEAST = {
    "epochs": 1,
    "batch_size": 1,
    "patience": 1,
    "stop_after": 1,
    "weight_decay": 0,
    "freeze_epochs": 0,
}


@dataclass(frozen=True)
class OptimConfig:
    """The optimiser, its schedule, and everything that keeps a network from learning by heart."""

    epochs: int = 10
    batch_size: int = 32
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    """Not applied to biases and normalisation layers. `adam` adds it to the gradient."""
    layer_decay: float = 1.0
    """Each encoder stage learns this many times as fast as the one above it; 1 is uniform."""
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup_share: float = 0.1
    """Share of all steps over which the learning rate rises from 0."""
    max_grad_norm: float | None = 5.0
    label_smoothing: float = 0.0
    class_weights: Literal["none", "balanced"] = "none"
    sampling: Literal["shuffled", "balanced"] = "shuffled"
    """`balanced` shows every emotion equally often."""
    loss: Literal["cross_entropy", "logit_adjusted"] = "cross_entropy"
    """`logit_adjusted` adds the logarithm of the training prior to the logits before the
    cross-entropy (Menon et al. 2021, eq. 10): what is learned then assumes all emotions alike."""
    sam_rho: float = 0.0
    """Radius of sharpness-aware minimisation (Foret et al. 2021, section 2), such as 0.05; 0 is
    off. Each step then costs two."""
    ema_decay: float = 0.0
    """Of an exponential moving average of the weights, a step; 0 is off. It is what is judged."""
    freeze_epochs: int = 0
    """For how many epochs only the head learns, the encoder standing still in `eval()`."""
    keep: Literal["best", "last"] = "best"
    """Which epoch's weights are kept: the best by the validation score, or the last, which a rate
    that falls to nothing makes the natural end."""
    patience: int | None = None
    """Stop after this many epochs without a better validation score; none: never early."""
    stop_after: int | None = None
    """End after this many epochs, on the schedule of them all; what nested selection chose."""

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} is {value}; it is at least {least}")
        self._check_rates()
        if self.patience is not None and self.keep == "last":
            raise ValueError(
                f"patience is {self.patience}, but with keep last every epoch is better than the "
                "one before, and it would do nothing: leave it out, or keep the best"
            )
        if len(self.balanced_by) > 1:
            raise ValueError(
                f"{' and '.join(self.balanced_by)} both make emotions count alike, which corrects "
                "twice; choose one"
            )

    def _check_rates(self) -> None:
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate is {self.learning_rate}; it must be above 0")
        for name in ("warmup_share", "label_smoothing", "ema_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it can be 0 up to, not with, 1")
        if not 0 < self.layer_decay <= 1:
            raise ValueError(f"layer_decay is {self.layer_decay}; it can be above 0, up to 1")
        if not self.sam_rho >= 0:
            raise ValueError(f"sam_rho is {self.sam_rho}; it is at least 0")

    @property
    def balanced_by(self) -> tuple[str, ...]:
        """Which options make rare emotions count as much as frequent ones."""
        chosen = {
            "class_weights": self.class_weights == "balanced",
            "sampling": self.sampling == "balanced",
            "loss": self.loss == "logit_adjusted",
        }
        return tuple(name for name, is_on in chosen.items() if is_on)


def refuse_encoder_options(config: OptimConfig) -> None:
    """Refuse what is said of an encoder, where none learns: it would do nothing.

    Raises:
        ValueError: `freeze_epochs` or `layer_decay` is set.
    """
    if config.freeze_epochs or config.layer_decay != 1:
        raise ValueError(
            f"freeze_epochs is {config.freeze_epochs} and layer_decay {config.layer_decay}, but "
            "the encoder does not learn here; leave them out"
        )


def build_optimizer(net: nn.Module, config: OptimConfig) -> optim.Optimizer:
    """Return the optimiser over the parameters that learn, grouped by stage and by decay."""
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in net.named_parameters():
        if parameter.requires_grad:
            decays = parameter.ndim > 1  # biases and normalisation have one axis
            groups.setdefault((_rate_share(name, config), decays), []).append(parameter)
    settings: list[dict[str, Any]] = [
        {
            "params": parameters,
            "lr": config.learning_rate * share,
            "peak_learning_rate": config.learning_rate * share,
            "weight_decay": config.weight_decay if decays else 0.0,
        }
        for (share, decays), parameters in groups.items()
    ]
    if config.optimizer == "adamw":
        return optim.AdamW(settings)
    if config.optimizer == "adam":
        return optim.Adam(settings)
    if config.optimizer == "sgd":
        return optim.SGD(settings, lr=config.learning_rate, momentum=0.9, nesterov=True)
    raise ValueError(f"optimizer is {config.optimizer!r}; it can be 'adamw', 'adam' or 'sgd'")


def build_average(net: nn.Module, config: OptimConfig) -> AveragedModel | None:
    """Return the moving average of all weights and statistics; None where `ema_decay` is 0."""
    if not config.ema_decay:
        return None
    average = get_ema_multi_avg_fn(config.ema_decay)  # type: ignore[no-untyped-call]
    return AveragedModel(net, multi_avg_fn=average, use_buffers=True)


def set_learning_rate(
    optimizer: optim.Optimizer, step: int, num_steps: int, config: OptimConfig
) -> float:
    """Set the rates for step `step` of `num_steps`, and return their share of the peak.

    A pure function of the step, so a resumed run needs no scheduler's memory.
    """
    share = learning_rate_share(step, num_steps, config)
    for group in optimizer.param_groups:
        group["lr"] = group["peak_learning_rate"] * share
    return share


def learning_rate_share(step: int, num_steps: int, config: OptimConfig) -> float:
    """Return the learning rate at a step, as a share of its peak.

    Linear warm-up, then half a cosine down to 0 (Loshchilov and Hutter 2017, without restarts).
    """
    warmup = round(num_steps * config.warmup_share)
    if step < warmup:
        return (step + 1) / warmup
    if config.schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, num_steps - warmup)))


def _rate_share(name: str, config: OptimConfig) -> float:
    parts = name.split(".")
    if parts[0] != "encoder" or parts[1] not in _STAGES:
        return 1.0
    return config.layer_decay ** (len(_STAGES) - _STAGES.index(parts[1]))
