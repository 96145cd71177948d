"""A gradient that does not contradict another."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


def aligned(own: Tensor, general: Tensor, weight: float) -> Tensor:
    """The gradient `own` (n, w) less `weight` times its part that opposes `general` (n, w); unchanged where they do not conflict."""
    direction = F.normalize(general.flatten(), dim=0).view_as(general)
    return own - weight * (own * direction).sum().clamp(max=0) * direction


class TwoReaders(torch.autograd.Function):
    """A context (n, w) for two readers, (2, n, w). Its gradient is the first reader's, made to agree with the second's."""

    @staticmethod
    def forward(ctx: Any, context: Tensor, weight: float) -> Tensor:
        ctx.weight = weight
        return torch.stack([context, context])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradients: Tensor) -> tuple[Tensor, None]:
        if distributed.is_available() and distributed.is_initialized():  # `aligned` is not linear: first the mean over the processes
            gradients = gradients.contiguous()
            distributed.all_reduce(gradients)
            gradients = gradients / distributed.get_world_size()
        return aligned(gradients[0], gradients[1], ctx.weight), None
