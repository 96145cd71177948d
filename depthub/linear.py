"""The one linear map of frozen layers: torch's own, or oneDNN's where a measurement on this machine found that much faster.

Both compute x W^T + b in float32, with the sums in another order. On some processors torch's default BLAS leaves half of the vector units
idle and oneDNN does not; on others they are alike. The choice is measured once per machine and version of torch and kept in the user's
cache folder, so that equal runs stay bit-identical; `DEPTHUB_LINEAR=torch` or `onednn` overrides it.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from statistics import fmean
from time import perf_counter
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.weak import WeakIdKeyDictionary

from depthub.errors import DepthubError, nearest
from depthub.files import atomic_write, cache_folder

Engine = Literal["torch", "onednn"]
ENGINES: tuple[Engine, ...] = ("torch", "onednn")
CHOICES = ("auto", *ENGINES)
VARIABLE = "DEPTHUB_LINEAR"
# Multiplications below which oneDNN's fixed cost of some 15 microseconds a call exceeds what it saves: 16 rows of 512 x 512. Measured on
# one core of an AMD EPYC (Zen 4) for widths 16 to 768 and 1 to 800 rows.
FEWEST = 2**22
# Numbers in a weight below which torch is asked anyway, so that the embedded CLIP (width 128) computes the same bits whichever engine a
# machine prefers.
SMALLEST = 2**17
# oneDNN is taken from this ratio on: its packed weights cost memory, and a ratio near 1 would be decided by chance. Measured: 1.2 on
# Zen 4 (1.28 for 61 rows, 1.11 for 488, both in a tower's forward and backward pass), 2.0 to 2.5 on Zen 5.
MARGIN = 1.1
PROBED = (64, 512)  # rows of the products that are compared: those of ten classes, and of a hundred or of several runs
TOLERANCE = 2e-6  # relative, of float32 sums in two orders; both are within 5e-7 of float64 at a width of 3072

_forced: ContextVar[Engine | None] = ContextVar("engine", default=None)
_used: set[Engine] = set()
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
        DepthubError: if `DEPTHUB_LINEAR` is set to something that does not exist here.
    """
    if torch.compiler.is_compiling() or _wanted() == "torch" or not _takes(x, weight, bias) or engine() == "torch":
        return F.linear(x, weight, bias)
    _used.add("onednn")
    return cast(Tensor, _OneDNN.apply(x, weight, bias, False))


def engine() -> Engine:
    """What large float32 maps on the CPU go through: what `using` or `DEPTHUB_LINEAR` says, else what was measured.

    Raises:
        DepthubError: if `DEPTHUB_LINEAR` is set to something that does not exist here.
    """
    wanted = _wanted()
    if wanted == "onednn" and not _available():
        raise DepthubError(f"{VARIABLE} is 'onednn', but this torch has no oneDNN for linear maps; set it to auto or torch")
    return _measured() if wanted == "auto" else wanted


def used() -> Engine:
    """What this process's linear maps have gone through so far: "onednn" if any did, else "torch"."""
    return "onednn" if _used else "torch"


@contextmanager
def using(name: Engine) -> Iterator[None]:
    """Go through `name` inside the block, whatever was measured or set; for tests and benchmarks."""
    token = _forced.set(name)
    try:
        yield
    finally:
        _forced.reset(token)


def _wanted() -> Engine | Literal["auto"]:
    wanted = _forced.get() or os.environ.get(VARIABLE, "auto")
    if wanted not in CHOICES:  # said at the first map, however small
        raise DepthubError(f"{VARIABLE} is {wanted!r}, expected one of {', '.join(CHOICES)}{nearest(wanted, CHOICES)}")
    return cast(Engine | Literal["auto"], wanted)


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
    """The weight as oneDNN wants it, made once."""
    storage, version = weight.untyped_storage(), weight._version
    found: tuple[int, dict[Any, Tensor]] | None = _packs.get(storage)
    if found is None or found[0] != version:
        found = _packs[storage] = (version, {})
    part = (weight.storage_offset(), weight.shape, weight.stride(), transposed)  # slices of one weight are packed each for itself
    if part not in found[1]:
        found[1][part] = torch.ops.mkldnn._reorder_linear_weight.default(weight.t() if transposed else weight)
    return found[1][part]


def _takes(x: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    """Whether the product is one that oneDNN may be asked for."""
    given = (x, weight) if bias is None else (x, weight, bias)
    return (
        weight.numel() >= SMALLEST
        and x.numel() * weight.shape[0] >= FEWEST
        and all(t.dtype is torch.float32 and t.device.type == "cpu" and type(t) in (Tensor, nn.Parameter) for t in given)
        and not any(t.requires_grad or t.is_inference() for t in given[1:])  # an inference tensor does not tell when it changes
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
def _measured() -> Engine:
    """The faster engine, as measured once on this machine; a cache folder that cannot be written is no obstacle."""
    if not _available():
        return "torch"
    path, machine = cache_folder() / "linear.json", _machine()
    known = _read(path)
    if machine not in known:
        measured = _probe()
        known = {machine: measured, **_read(path)}  # the word of a process that was first stands
        with suppress(DepthubError):
            atomic_write(path, json.dumps(known, indent=1).encode())
    return known[machine]


def _read(path: Path) -> dict[str, Engine]:
    """The measured engines by machine; empty if there is no such file or it is damaged."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return {machine: name for machine, name in found.items() if name in ENGINES} if isinstance(found, dict) else {}


def _machine() -> str:
    """Processor and version of torch; the name alone hides the generation on virtual machines."""
    names = ("vendor_id", "cpu family", "model", "model name")
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        first = ""
    told = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in first.splitlines())}
    cpu = ", ".join(told[name] for name in names if name in told) or platform.processor() or platform.machine()
    return f"{cpu}, {torch.backends.cpu.get_cpu_capability()}, torch {torch.__version__}"


def _probe() -> Engine:
    """Compare the engines on products of a text tower's size, in half a second."""
    generator = torch.Generator().manual_seed(0)  # the caller's stays where it is
    weight = torch.randn(2048, 512, generator=generator)
    ratios = [_ratio(torch.randn(rows, 512, generator=generator), weight) for rows in PROBED]
    return "onednn" if fmean(ratios) >= MARGIN else "torch"


@torch.no_grad()
def _ratio(x: Tensor, weight: Tensor, rounds: int = 7) -> float:
    """Times faster that oneDNN computes x W^T, and as much backward; 0 if it does so less exactly than it should."""
    engines: dict[Engine, Callable[[Tensor], Tensor]] = {
        "torch": lambda x: F.linear(x, weight) @ weight,
        "onednn": lambda x: _product(_product(x, weight, None, False), weight, None, True),
    }
    exact = x.double() @ weight.double().t() @ weight.double()
    if not (engines["onednn"](x) - exact).norm() <= TOLERANCE * exact.norm():
        return 0.0
    seconds = {name: float("inf") for name in ENGINES}
    for _ in range(rounds):  # in turn, and the best of each: other work on the machine only ever adds
        for name, product in engines.items():
            start = perf_counter()
            product(x)
            seconds[name] = min(seconds[name], perf_counter() - start)
    return seconds["torch"] / seconds["onednn"]
