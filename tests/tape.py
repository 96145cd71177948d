"""A recording on the CPU as CUDA graphs are on a GPU: the same operations on the same memory, and no question to the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

ASKING = {torch.ops.aten._local_scalar_dense.default, torch.ops.aten.equal.default, torch.ops.aten.is_nonzero.default}
FROM_HOST = {torch.ops.aten.lift_fresh.default}  # a tensor made of the host's numbers


class Tape(TorchDispatchMode):
    """Notes the operations of a step; what the step changed is as before when the tape ends."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[Any, Any, Any, list[Tensor]]] = []
        self._made: set[int] = set()  # storages of tensors that the step made
        self._before: dict[int, tuple[Tensor, Tensor]] = {}  # what it found and changes

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in ASKING | FROM_HOST:
            raise RuntimeError(f"operation not permitted when stream is capturing: {func}")
        kwargs = kwargs or {}
        for argument, given in zip(func._schema.arguments, args, strict=False):
            if argument.alias_info is not None and argument.alias_info.is_write:
                self._keep([t for t in tree_leaves(given) if isinstance(t, Tensor)])
        out = func(*args, **kwargs)
        results = [t for t in tree_leaves(out) if isinstance(t, Tensor)]
        known = {t.untyped_storage().data_ptr() for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)}
        fresh = [] if known & {t.untyped_storage().data_ptr() for t in results} else results
        self._made |= {t.untyped_storage().data_ptr() for t in fresh}
        self.operations.append((func, args, kwargs, fresh))
        return out

    def _keep(self, changed: list[Tensor]) -> None:
        for tensor in changed:
            if (place := tensor.untyped_storage().data_ptr()) not in self._made:
                self._before.setdefault(place, (tensor, tensor.detach().clone()))

    @torch.no_grad()
    def rewind(self) -> None:
        for tensor, value in self._before.values():
            tensor.copy_(value)

    @torch.no_grad()
    def play(self) -> None:
        for func, args, kwargs, fresh in self.operations:
            again = [t for t in tree_leaves(func(*args, **kwargs)) if isinstance(t, Tensor)]
            for place, value in zip(fresh, again, strict=bool(fresh)):
                place.copy_(value)


def record(step: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """What repeats the step; the step itself has no effect."""
    tape = Tape()
    with tape:
        given = step()
    tape.rewind()

    def play() -> Tensor:
        tape.play()
        return given

    return play
