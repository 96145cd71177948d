"""Global state that numbers depend on beside a run's spec: switches of torch and numpy, and the generators. A run sets and restores all."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

NUMPY_ERRORS: Mapping[str, Any] = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
# (backend, operation): precision of float32 products, general ones first. The values are torch's own at its start.
PRECISIONS = {
    ("generic", "all"): "none",
    ("cuda", "all"): "none",
    ("cuda", "matmul"): "ieee",
    ("cuda", "conv"): "tf32",
    ("cuda", "rnn"): "tf32",
    ("mkldnn", "all"): "none",
    ("mkldnn", "matmul"): "ieee",
    ("mkldnn", "conv"): "none",
    ("mkldnn", "rnn"): "none",
}
_entered: list[Any] = []  # inference modes that end with the process: torch has no switch for them, only blocks


class Switch(NamedTuple):
    """One global switch.

    Args:
        get: returns its value.
        set: changes it.
        value: in a run; torch's own default.
    """

    get: Callable[[], Any]
    set: Callable[[Any], Any]
    value: Any


@contextmanager
def restored() -> Iterator[None]:
    """A block after which the state is as it was before; torch and numpy are not imported for it.

    If the block is the first to import them, they are set to the state in which they start.
    """
    before = {name: _state(name) for name in _STATES if name in sys.modules}
    try:
        yield
    finally:
        for name, (fresh, _) in _STATES.items():
            if name in sys.modules:
                for change, value in before.get(name) or fresh():
                    change(value)


@contextmanager
def steady() -> Iterator[None]:
    """A block in which numbers are those of a fresh process, whatever the state before it; that state holds again after it.

    float32 on the CPU by default, the highest precision of float32 products, gradients on, autocast and inference mode off, oneDNN as
    torch has it, denormal numbers not flushed, numpy's usual warnings. The generators of Python, numpy and torch are not seeded here, but
    after the block they are where they were before it.
    """
    import numpy as np

    with restored():
        for switch in _torch_switches():
            switch.set(switch.value)
        np.seterr(**NUMPY_ERRORS)
        yield


State = list[tuple[Callable[[Any], Any], Any]]


def _state(name: str) -> State:
    return _STATES[name][1]()


def _python_state() -> State:
    return [(random.setstate, random.getstate())]


def _fresh_numpy() -> State:
    import numpy as np

    return [(lambda errors: np.seterr(**errors), NUMPY_ERRORS), (np.random.seed, None)]


def _numpy_state() -> State:
    import numpy as np

    return [(lambda errors: np.seterr(**errors), np.geterr()), (np.random.set_state, np.random.get_state())]


def _fresh_torch() -> State:
    import torch

    return [*((switch.set, switch.value) for switch in _torch_switches()), (lambda _: torch.seed(), None)]


def _torch_state() -> State:
    import torch

    state: State = [(switch.set, switch.get()) for switch in _torch_switches()]
    state.append((torch.set_num_threads, torch.get_num_threads()))
    state.append((_set_determinism, (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled())))
    state.append((torch.set_rng_state, torch.get_rng_state()))
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        state.append((torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all()))
    return state


# module: (state at its start, state now)
_STATES: Mapping[str, tuple[Callable[[], State], Callable[[], State]]] = {
    "random": (_python_state, _python_state),
    "numpy": (_fresh_numpy, _numpy_state),
    "torch": (_fresh_torch, _torch_state),
}


def _torch_switches() -> list[Switch]:
    """Inference mode stands before gradients, since entering it sets those too."""
    import torch

    cuda = torch.backends.cuda
    return [
        Switch(torch.get_default_dtype, torch.set_default_dtype, torch.float32),
        Switch(_default_device, torch.set_default_device, None),
        *_precisions(),
        Switch(torch.is_inference_mode_enabled, _set_inference_mode, False),
        Switch(torch.is_grad_enabled, torch.set_grad_enabled, True),
        *(_autocast(device) for device in ("cpu", "cuda")),
        _flag(torch.backends.mkldnn, "enabled", True),
        _flag(torch.backends.cudnn, "enabled", True),
        _flag(torch.backends.cudnn, "benchmark", False),
        Switch(_flushes_denormals, torch.set_flush_denormal, False),
        Switch(cuda.flash_sdp_enabled, cuda.enable_flash_sdp, True),
        Switch(cuda.mem_efficient_sdp_enabled, cuda.enable_mem_efficient_sdp, True),
        Switch(cuda.math_sdp_enabled, cuda.enable_math_sdp, True),
    ]


def _flag(module: Any, name: str, value: bool) -> Switch:
    return Switch(lambda: getattr(module, name), lambda new: setattr(module, name, new), value)


def _autocast(device: str) -> Switch:
    import torch

    return Switch(lambda: torch.is_autocast_enabled(device), lambda on: torch.set_autocast_enabled(device, on), False)


def _precisions() -> list[Switch]:
    """The one word of `set_float32_matmul_precision`, and the settings of newer versions of torch for each backend and operation."""
    import torch

    word = Switch(_matmul_precision, _set_matmul_precision, "highest")
    getter, setter = getattr(torch._C, "_get_fp32_precision_getter", None), getattr(torch._C, "_set_fp32_precision_setter", None)
    if getter is None or setter is None:
        return [word, _flag(torch.backends.cuda.matmul, "allow_tf32", False), _flag(torch.backends.cudnn, "allow_tf32", True)]
    # torch keeps the older flag of cuDNN beside the newer ones, and refuses to read it where they disagree
    return [word, Switch(_cudnn_tf32, _set_cudnn_tf32, True), *(_precision(getter, setter, *key) for key in PRECISIONS)]


def _precision(getter: Callable[[str, str], str], setter: Callable[[str, str, str], None], backend: str, operation: str) -> Switch:
    return Switch(lambda: getter(backend, operation), lambda word: setter(backend, operation, word), PRECISIONS[backend, operation])


def _cudnn_tf32() -> bool | None:
    """None where it does not agree with the newer interface."""
    import torch

    with suppress(RuntimeError):
        return bool(torch.backends.cudnn.allow_tf32)
    return None


def _set_cudnn_tf32(on: bool | None) -> None:
    import torch

    if on is not None:
        torch.backends.cudnn.allow_tf32 = on


def _matmul_precision() -> str:
    """Empty where it was set through the newer interface, which one word cannot express."""
    import torch

    with suppress(RuntimeError):
        return torch.get_float32_matmul_precision()
    return ""


def _set_matmul_precision(word: str) -> None:
    import torch

    if word:
        torch.set_float32_matmul_precision(word)


def _default_device() -> Any:
    """None for the CPU: naming it would send every call through a Python function."""
    import torch

    device = torch.get_default_device()
    return None if device == torch.device("cpu") else device


def _flushes_denormals() -> bool:
    import torch

    return bool(torch.full((), 1e-40, dtype=torch.float32, device="cpu") * 1 == 0)  # torch can set this, but not report it


def _set_inference_mode(on: bool) -> None:
    import torch

    if torch.is_inference_mode_enabled() != on:
        mode = torch.inference_mode(on)
        mode.__enter__()
        _entered.append(mode)


def _set_determinism(modes: tuple[bool, bool]) -> None:
    import torch

    on, warn_only = modes
    torch.use_deterministic_algorithms(on, warn_only=warn_only)
