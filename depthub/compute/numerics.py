"""What numbers depend on beside a run's spec: switches of torch and numpy, and the generators. A run sets and restores all of it."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

NUMPY_ERRORS: Mapping[str, Any] = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
# (backend, operation): precision of float32 products, those that hold for others first. What torch starts with, spelt out.
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
        read: gives its value.
        write: sets it.
        value: what it is in a run; torch's own default.
    """

    read: Callable[[], Any]
    write: Callable[[Any], Any]
    value: Any


@contextmanager
def kept() -> Iterator[None]:
    """Whatever the block changes of what numbers depend on is put back; torch and numpy are not imported for it.

    Where the block is the first to import them, they are put back to what they start with.
    """
    before = {name: _state(name) for name in _STATES if name in sys.modules}
    try:
        yield
    finally:
        for name, (fresh, _) in _STATES.items():
            if name in sys.modules:
                for write, value in before.get(name) or fresh():
                    write(value)


@contextmanager
def steady() -> Iterator[None]:
    """Numbers in the block are those of a fresh process, whatever was set before it; what was set before holds again after it.

    float32 on the CPU by default, the highest precision of float32 products, gradients on, autocast and inference mode off, oneDNN as
    torch has it, denormal numbers kept, numpy's usual warnings. The generators of Python, numpy and torch stay where they are: whoever
    draws seeds a generator, and after the block they are where they were before it.
    """
    import numpy as np

    with kept():
        for switch in _torch_switches():
            switch.write(switch.value)
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

    return [*((switch.write, switch.value) for switch in _torch_switches()), (lambda _: torch.seed(), None)]


def _torch_state() -> State:
    import torch

    state: State = [(switch.write, switch.read()) for switch in _torch_switches()]
    state.append((torch.set_num_threads, torch.get_num_threads()))
    state.append(
        (_write_determinism, (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()))
    )
    state.append((torch.set_rng_state, torch.get_rng_state()))
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        state.append((torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all()))
    return state


# module: (what it starts with, what it is now)
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
        Switch(torch.is_inference_mode_enabled, _write_inference_mode, False),
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
    return Switch(lambda: getattr(module, name), lambda given: setattr(module, name, given), value)


def _autocast(device: str) -> Switch:
    import torch

    return Switch(lambda: torch.is_autocast_enabled(device), lambda on: torch.set_autocast_enabled(device, on), False)


def _precisions() -> list[Switch]:
    """The one word of `set_float32_matmul_precision`, and what newer versions of torch hold for each backend and operation."""
    import torch

    word = Switch(_matmul_precision, _write_matmul_precision, "highest")
    read, write = (getattr(torch._C, f"_{verb}_fp32_precision_{verb}ter", None) for verb in ("get", "set"))
    if read is None or write is None:
        return [word, _flag(torch.backends.cuda.matmul, "allow_tf32", False), _flag(torch.backends.cudnn, "allow_tf32", True)]
    # torch keeps the older flag of cuDNN beside the newer ones, and refuses to read it where they disagree
    return [word, Switch(_cudnn_tf32, _write_cudnn_tf32, True), *(_precision(read, write, *key) for key in PRECISIONS)]


def _precision(read: Callable[[str, str], str], write: Callable[[str, str, str], None], backend: str, operation: str) -> Switch:
    return Switch(lambda: read(backend, operation), lambda given: write(backend, operation, given), PRECISIONS[backend, operation])


def _cudnn_tf32() -> bool | None:
    """None where it does not agree with the newer interface."""
    import torch

    with suppress(RuntimeError):
        return bool(torch.backends.cudnn.allow_tf32)
    return None


def _write_cudnn_tf32(given: bool | None) -> None:
    import torch

    if given is not None:
        torch.backends.cudnn.allow_tf32 = given


def _matmul_precision() -> str:
    """Empty where it was set through the newer interface: then torch refuses to say it in one word."""
    import torch

    with suppress(RuntimeError):
        return torch.get_float32_matmul_precision()
    return ""


def _write_matmul_precision(given: str) -> None:
    import torch

    if given:
        torch.set_float32_matmul_precision(given)


def _default_device() -> Any:
    """None for the CPU: naming it would send every call through a Python function."""
    import torch

    device = torch.get_default_device()
    return None if device == torch.device("cpu") else device


def _flushes_denormals() -> bool:
    import torch

    return bool(torch.full((), 1e-40, dtype=torch.float32, device="cpu") * 1 == 0)  # torch sets this and does not tell


def _write_inference_mode(on: bool) -> None:
    import torch

    if torch.is_inference_mode_enabled() != on:
        mode = torch.inference_mode(on)
        mode.__enter__()
        _entered.append(mode)


def _write_determinism(given: tuple[bool, bool]) -> None:
    import torch

    torch.use_deterministic_algorithms(given[0], warn_only=given[1])
