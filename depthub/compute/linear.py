"""The one linear map of frozen layers: torch's own, or oneDNN's on processors where measurements show that it is much faster.

Both compute x W^T + b in float32, with the sums in another order. On some processors torch's default BLAS leaves half of the vector units
idle and oneDNN does not; on others they are alike. The choice follows from the processor and the build of torch alone, so that equal runs
on equal machines stay bit-identical; `DEPTHUB_LINEAR=torch` or `onednn` overrides it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.weak import WeakIdKeyDictionary

from depthub.errors import DepthubError, nearest

Backend = Literal["torch", "onednn"]
BACKENDS: tuple[Backend, ...] = ("torch", "onednn")
CHOICES = ("auto", *BACKENDS)
VARIABLE = "DEPTHUB_LINEAR"
MKL = "MKL_CBWR"  # environment variable: conditional numerical reproducibility
# Multiplications below which oneDNN's fixed cost of some 15 microseconds a call exceeds what it saves: 16 rows of 512 x 512. Measured on
# one core of an AMD EPYC (Zen 4) for widths 16 to 768 and 1 to 800 rows.
FEWEST = 2**22
# Numbers in a weight below which torch's own map is used anyway: the embedded CLIP (width 128) computes the same bits on machines of either
# backend.
SMALLEST = 2**17
# Vendor, as Linux names it, to the first family of processors on which oneDNN is chosen. Measured in a tower's forward and backward pass:
# 2.0 to 2.5 times as fast on AMD family 26 (Zen 5), 0.83 to 1.28 times, within the noise, on family 25 (Zen 3 and 4); no others measured.
FASTER = {"AuthenticAMD": 26}

_forced: ContextVar[Backend | None] = ContextVar("backend", default=None)
_used: set[Backend] = set()
# per storage: (version, {part of it: packed copy}); an entry goes with its storage, and a new version empties it
_packs: Any = WeakIdKeyDictionary()  # not annotated in torch


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x @ weight.T + bias for a frozen layer, differentiable in x.

    Weights or biases that require gradients, precisions other than float32, devices other than the CPU, autocast, small products, and
    everything that traces or transforms operations (torch.compile, torch.func, dispatch modes such as FLOP counters) get torch's own map.

    The faster map keeps a packed copy of each weight, and one of its transpose once there is a gradient. A copy follows its weight
    through every change that autograd can see; changes through `.data` in place are invisible to both.

    Args:
        x: (..., in).
        weight: (out, in).
        bias: (out,).

    Returns:
        (..., out).

    Raises:
        DepthubError: if `DEPTHUB_LINEAR` names a backend that does not exist here.
    """
    if torch.compiler.is_compiling() or _setting() == "torch" or not _takes(x, weight, bias) or choice() == "torch":
        return F.linear(x, weight, bias)
    _used.add("onednn")
    return cast(Tensor, _OneDNN.apply(x, weight, bias, False))


def choice() -> Backend:
    """The backend of large float32 maps on the CPU in this process: that of `use_backend` or `DEPTHUB_LINEAR`, else by the processor and
    the build of torch. No product is computed for it.

    Raises:
        DepthubError: if `DEPTHUB_LINEAR` names a backend that does not exist here.
    """
    setting = _setting()
    if setting == "onednn" and not _available():
        raise DepthubError(f"{VARIABLE} is 'onednn', but this torch has no oneDNN for linear maps; set it to auto or torch")
    return _by_processor() if setting == "auto" else setting


def used() -> Backend:
    """The backend of this process's linear maps so far: "onednn" if any went through it, else "torch"."""
    return "onednn" if _used else "torch"


@contextmanager
def use_backend(name: Backend) -> Iterator[None]:
    """A block in which the backend is `name`, whatever the settings; for tests and benchmarks."""
    token = _forced.set(name)
    try:
        yield
    finally:
        _forced.reset(token)


def _setting() -> Backend | Literal["auto"]:
    setting = _forced.get() or os.environ.get(VARIABLE, "auto")
    if setting not in CHOICES:  # refused at the first map, however small
        raise DepthubError(f"{VARIABLE} is {setting!r}, expected one of {', '.join(CHOICES)}{nearest(setting, CHOICES)}")
    return cast(Backend | Literal["auto"], setting)


class _OneDNN(torch.autograd.Function):
    """x times W^T, or times W if `transposed`; the gradient of one is the other."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, transposed: bool) -> Tensor:
        ctx.save_for_backward(weight)  # nothing else: the gradient of x does not depend on x
        ctx.transposed = transposed
        return _product(x, weight, bias, transposed)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        (weight,) = ctx.saved_tensors
        return _OneDNN.apply(gradient, weight, None, not ctx.transposed), None, None, None


def _product(x: Tensor, weight: Tensor, bias: Tensor | None, transposed: bool) -> Tensor:
    packed = _packed(weight, transposed)
    product: Tensor = torch.ops.mkldnn._linear_pointwise.default(x, packed, bias, "none", [], "")
    return product.detach()  # with more than two dimensions it is a view, which callers could not change in place


def _packed(weight: Tensor, transposed: bool) -> Tensor:
    """The weight in oneDNN's own layout, made once."""
    storage, version = weight.untyped_storage(), weight._version
    entry: tuple[int, dict[Any, Tensor]] | None = _packs.get(storage)
    if entry is None or entry[0] != version:
        entry = _packs[storage] = (version, {})
    copies = entry[1]
    part = (weight.storage_offset(), weight.shape, weight.stride(), transposed)  # each slice of a weight has a copy of its own
    if part not in copies:
        copies[part] = torch.ops.mkldnn._reorder_linear_weight.default(weight.t() if transposed else weight)
    return copies[part]


def _takes(x: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    """Whether oneDNN may compute the product."""
    tensors = (x, weight) if bias is None else (x, weight, bias)
    return (
        weight.numel() >= SMALLEST
        and x.numel() * weight.shape[0] >= FEWEST
        and all(t.dtype is torch.float32 and t.device.type == "cpu" and type(t) in (Tensor, nn.Parameter) for t in tensors)
        and not any(t.requires_grad or t.is_inference() for t in tensors[1:])  # an inference tensor has no version to compare
        and bool(torch.backends.mkldnn.enabled)
        and not torch.is_autocast_enabled("cpu")
        and not torch._C._are_functorch_transforms_active()
        and not torch._C._len_torch_dispatch_stack()
    )


def _available() -> bool:
    """Whether this torch has the two operations; they are not public, so nothing promises them."""
    operations = ("_linear_pointwise", "_reorder_linear_weight")
    return bool(torch._C._has_mkldnn) and all(hasattr(torch.ops.mkldnn, name) for name in operations)


@cache
def _by_processor() -> Backend:
    vendor, family = _processor()
    return "onednn" if _available() and family >= FASTER.get(vendor, family + 1) else "torch"


def _ask_mkl_for_equal_sums() -> None:
    """Set `MKL_CBWR` on Intel's processors, unless the user has set it.

    Without it MKL adds up in an order that depends on the number of rows in a product: a run in a stack would get other last bits than
    alone. MKL reads the variable at its first product, and is as fast with it.
    """
    if _processor()[0] == "GenuineIntel":
        os.environ.setdefault(MKL, "AUTO,STRICT")


def _processor(path: Path = Path("/proc/cpuinfo")) -> tuple[str, int]:
    """Vendor and family of the first processor; ("", 0) on systems without such a file."""
    try:
        first = path.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        return "", 0
    values = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in first.splitlines())}
    family = values.get("cpu family", "")
    return values.get("vendor_id", ""), int(family) if family.isdecimal() else 0


_ask_mkl_for_equal_sums()
