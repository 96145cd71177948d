"""open_clip's standard transformer layer, part by part, for text and image encoding alike."""

from __future__ import annotations

from typing import Any

from open_clip.transformer import QuickGELU, ResidualAttentionBlock
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from depthub.compute.linear import linear


def standard(block: Any) -> bool:
    """Whether a layer is the standard one, so that its parts may be used one by one.

    Wrapped, adapted or quantised parts have other types. Hooks on a layer do not run where only its parts are used.
    """
    if type(block) is not ResidualAttentionBlock or type(block.attn) is not nn.MultiheadAttention:
        return False
    kinds = (type(block.attn.out_proj), type(block.mlp.c_fc), type(block.mlp.c_proj))
    return kinds == (NonDynamicallyQuantizableLinear, nn.Linear, nn.Linear) and bool(block.attn.batch_first)


def after_attention(block: Any, x: Tensor, attended: Tensor) -> Tensor:
    """Residual, MLP and second residual of a layer, (..., w), row by row.

    Args:
        block: the layer.
        x: its input, (..., w).
        attended: output of its attention, (..., w).
    """
    out, fc, proj = block.attn.out_proj, block.mlp.c_fc, block.mlp.c_proj
    x = x + block.ls_1(linear(attended, out.weight, out.bias))
    hidden = activated(block.mlp.gelu, linear(block.ln_2(x), fc.weight, fc.bias))
    output: Tensor = x + block.ls_2(linear(hidden, proj.weight, proj.bias))
    return output


def activated(gelu: nn.Module, x: Tensor) -> Tensor:
    """The activation of x, which may be overwritten; QuickGELU as SiLU keeps one tensor for the backward pass instead of three."""
    if type(gelu) is QuickGELU:
        return F.silu(x.mul_(1.702)).mul_(1 / 1.702)
    activated: Tensor = gelu(x)
    return activated
