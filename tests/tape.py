"""CUDA graphs imitated on the CPU: a capture of the same operations on the same memory, which may not wait for the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

WAITING = {torch.ops.aten._local_scalar_dense.default, torch.ops.aten.equal.default, torch.ops.aten.is_nonzero.default}
FROM_HOST = {torch.ops.aten.lift_fresh.default}  # a tensor made of the host's numbers


class Tape(TorchDispatchMode):
    """Notes the operations of a step; `rewind` undoes its changes."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[Any, Any, Any, list[Tensor]]] = []
        self._new: set[int] = set()  # storages of tensors that the step makes
        self._before: dict[int, tuple[Tensor, Tensor]] = {}  # other tensors that it changes, with their values before

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in WAITING | FROM_HOST:
            raise RuntimeError(f"operation not permitted when stream is capturing: {func}")
        kwargs = kwargs or {}
        for argument, value in zip(func._schema.arguments, args, strict=False):
            if argument.alias_info is not None and argument.alias_info.is_write:
                self._save(_tensors(value))
        out = func(*args, **kwargs)
        results = _tensors(out)
        inputs = {_place(tensor) for tensor in _tensors((args, kwargs))}
        new = [] if inputs & {_place(tensor) for tensor in results} else results
        self._new |= {_place(tensor) for tensor in new}
        self.operations.append((func, args, kwargs, new))
        return out

    def _save(self, tensors: list[Tensor]) -> None:
        for tensor in tensors:
            if _place(tensor) not in self._new:
                self._before.setdefault(_place(tensor), (tensor, tensor.detach().clone()))

    @torch.no_grad()
    def rewind(self) -> None:
        for tensor, value in self._before.values():
            tensor.copy_(value)

    @torch.no_grad()
    def replay(self) -> None:
        for func, args, kwargs, new in self.operations:
            for tensor, value in zip(new, _tensors(func(*args, **kwargs)), strict=bool(new)):
                tensor.copy_(value)


def capture(step: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """Capture the step and return a function that replays it; the step itself has no effect."""
    tape = Tape()
    with tape:
        output = step()
    tape.rewind()

    def replay() -> Tensor:
        tape.replay()
        return output

    return replay


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
