"""What stands still while a network trains."""

from __future__ import annotations

from torch import nn


def set_training(net: nn.Module, epoch: int, freeze_epochs: int) -> None:
    """Put a network into training, with its encoder still for the first `freeze_epochs`."""
    net.train()
    encoder = getattr(net, "encoder", None)
    if encoder is None or not freeze_epochs:
        keep_frozen_in_eval(net)
        return
    is_frozen = epoch < freeze_epochs
    for parameter in encoder.parameters():
        parameter.requires_grad_(not is_frozen)
    encoder.train(not is_frozen)


def keep_frozen_in_eval(net: nn.Module) -> None:
    """Put every part that has no learning parameter into `eval()`.

    Batch normalisation of a frozen encoder must neither follow the batch nor change.
    """
    for module in net.children():
        parameters = list(module.parameters())
        if parameters and not any(p.requires_grad for p in parameters):
            module.eval()
