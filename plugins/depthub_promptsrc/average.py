"""An average of all parameters over epochs, as one vector, and the share that each epoch has in it."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def share(epoch: int, epochs: int, mean: float, std: float) -> float:
    """The share of an epoch, 1 to `epochs`: a normal density there, divided by the sum over all epochs."""
    distances = (torch.arange(1, epochs + 1, dtype=torch.float64) - mean) / std
    return (-(distances**2) / 2).softmax(dim=0)[epoch - 1].item()


def flat(module: nn.Module) -> Tensor:
    """All parameters, one after the other."""
    return torch.cat([p.detach().flatten() for p in module.parameters()])


def fill(module: nn.Module, vector: Tensor) -> None:
    """Overwrite all parameters by what `flat` would give."""
    for p, part in zip(module.parameters(), torch.split(vector, [p.numel() for p in module.parameters()]), strict=True):
        p.copy_(part.view_as(p))
