"""Tuned parameters on disk: a run resumes from them, and they are its result. They hold nothing of the frozen model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from depthub.errors import DepthubError
from depthub.identity.inputs import differences
from depthub.system.files import atomic_write
from depthub.training.tuner import Tuner

MOMENTUM, BUFFER = "momentum.", "buffer."  # before the names of tensors: a parameter's momentum, and persistent buffers
# what an optimiser keeps for each parameter, and what stands before the parameter's name for it
SLOTS = {"momentum_buffer": MOMENTUM, "exp_avg": "exp_avg.", "exp_avg_sq": "exp_avg_sq.", "step": "step."}
Scaler = torch.amp.GradScaler


class Checkpoint:
    """One stage's state after an epoch: parameters, the optimiser's state of each, persistent buffers, the scale of fp16's losses, the
    number of epochs done and the seconds they took.

    Args:
        path: a safetensors file; it need not exist.
        run_id: of the run; a file of another run is refused.
        inputs: dependences of the numbers besides the run's spec, fit for JSON; training starts from scratch if those in the file differ.
            None: any.
        note: called with one line if training starts from scratch in spite of a file.
        unfit: called with the epochs done of a file; returns the reason why training starts from scratch all the same, or an empty text.

    Attributes:
        seconds: of training in the epochs that `restore` has loaded.
    """

    def __init__(
        self,
        path: Path,
        run_id: str,
        inputs: Mapping[str, Any] | None = None,
        note: Callable[[str], None] | None = None,
        unfit: Callable[[int], str] | None = None,
    ) -> None:
        self.path, self.run_id, self.inputs, self.seconds = path, run_id, inputs, 0.0
        self._note, self._unfit = note, unfit

    def save(
        self, tuner: Tuner, optimizer: torch.optim.Optimizer | None, epochs_done: int, seconds: float = 0.0, scaler: Scaler | None = None
    ) -> None:
        """Write the file, whole or not at all.

        Args:
            tuner: gives parameters and buffers.
            optimizer: gives its state: momentum, or moments and steps; None: nothing is trained.
            epochs_done: since training began.
            seconds: of training, likewise.
            scaler: of the losses, in fp16.

        Raises:
            DepthubError: if the system refuses.
        """
        tensors = {name: value.detach().cpu().contiguous() for name, value in _state(tuner).items()}
        for name, p in tuner.tuned().items():
            kept = optimizer.state.get(p, {}) if optimizer else {}
            tensors |= {SLOTS[slot] + name: value.cpu().contiguous() for slot, value in kept.items() if value is not None}
        metadata = {"epochs_done": str(epochs_done), "run_id": self.run_id, "seconds": repr(seconds), "inputs": _json(self.inputs)}
        if scaler:
            metadata["scaler"] = _json(scaler.state_dict())
        atomic_write(self.path, save(tensors, metadata))

    def restore(self, tuner: Tuner, optimizer: torch.optim.Optimizer | None = None, scaler: Scaler | None = None) -> int:
        """Load the file, if there is one; returns the number of epochs done, 0 if training starts from scratch.

        Raises:
            DepthubError: if the file is damaged or belongs to another run.
        """
        if not self.path.is_file():
            return 0
        with self._damaged():
            metadata, state = _read(self.path)
            _take_shapes(tuner, state)
            present = _state(tuner)
            if metadata["run_id"] != self.run_id or any(state[name].shape != value.shape for name, value in present.items()):
                raise DepthubError(f"{self.path} belongs to another run; delete it to train from scratch")
            obstacles = self._obstacles(metadata, scaler)
            if obstacles:
                self._report(obstacles)
                return 0
            epochs, self.seconds = int(_amount(metadata["epochs_done"])), _amount(metadata.get("seconds", "0"))
            if scaler:
                scaler.load_state_dict(json.loads(metadata["scaler"]))
        with torch.no_grad():
            for name, value in present.items():
                value.copy_(state[name])
                kept = {slot: state[prefix + name] for slot, prefix in SLOTS.items() if prefix + name in state}
                if kept and optimizer:  # AdamW counts its steps on the CPU
                    optimizer.state[value] = {k: v if k == "step" else v.to(value.device) for k, v in kept.items()}
        return epochs

    @contextmanager
    def _damaged(self) -> Iterator[None]:
        """A block whose errors are the file's fault."""
        try:
            yield
        except (OSError, SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
            raise DepthubError(f"{self.path} is damaged ({error}); delete it to train from scratch") from error

    def _obstacles(self, metadata: Mapping[str, str], scaler: Scaler | None) -> list[str]:
        """Reasons why training cannot go on exactly, one phrase each."""
        obstacles = []
        if self.inputs is not None:
            present = json.loads(_json(self.inputs))  # as read from a file: keys are strings, tuples are lists
            obstacles += differences(json.loads(metadata.get("inputs", "{}")) or {}, present)
        if scaler and "scaler" not in metadata:
            obstacles.append("the scale of the losses is not recorded")
        reason = self._unfit(int(_amount(metadata["epochs_done"]))) if self._unfit else ""
        return [*obstacles, reason] if reason else obstacles

    def _report(self, obstacles: list[str]) -> None:
        if self._note:
            more = f" and {len(obstacles) - 1} more" if len(obstacles) > 1 else ""
            self._note(f"training starts from scratch, not from {self.path.name}: {obstacles[0]}{more}")


def buffers(tuner: Tuner) -> dict[str, Tensor]:
    """Persistent buffers of method and head by name; nothing of the backbone."""
    state: dict[str, Tensor] = {}
    for part in ("method", "head"):
        module = getattr(tuner, part)
        persistent = module.state_dict().keys()
        state |= {f"{part}.{name}": value for name, value in module.named_buffers() if name in persistent}
    return state


def _state(tuner: Tuner) -> dict[str, Tensor]:
    """A tuner's parameters and buffers, by their names in a checkpoint."""
    return tuner.tuned() | {BUFFER + name: value for name, value in buffers(tuner).items()}


def _take_shapes(tuner: Tuner, state: Mapping[str, Tensor]) -> None:
    """Give parameters and buffers that `Method.prepare` has yet to fill the shapes of their values in a checkpoint."""
    for name, value in _state(tuner).items():
        if not value.numel() and name in state:
            part, _, last = name.removeprefix(BUFFER).rpartition(".")
            empty = value.new_empty(state[name].shape)
            setattr(tuner.get_submodule(part), last, nn.Parameter(empty) if isinstance(value, nn.Parameter) else empty)


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    with safe_open(path, "pt") as file:
        metadata, state = file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    if broken := [name for name, value in state.items() if not value.isfinite().all()]:
        raise ValueError(f"{broken[0]} is not finite")
    return metadata, state


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _amount(text: str) -> float:
    """A number of epochs or seconds."""
    value = float(text)
    if not isfinite(value) or value < 0:
        raise ValueError(f"{text} is not a number of epochs or seconds")
    return value
