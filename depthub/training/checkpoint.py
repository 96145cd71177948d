"""What was tuned, on disk: what a run resumes from, and what is left of it. Nothing of the frozen model is in there."""

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
from torch import Tensor

from depthub.errors import DepthubError
from depthub.identity.inputs import differences
from depthub.system.files import atomic_write
from depthub.training.tuner import Tuner

MOMENTUM, BUFFER = "momentum.", "buffer."  # before a name, what belongs to a parameter of that name, and what is no parameter
Scaler = torch.amp.GradScaler


class Checkpoint:
    """One stage's state after an epoch: parameters, momentum, persistent buffers, the scale of fp16's losses, the number of epochs done
    and the seconds they took.

    Args:
        path: a safetensors file; it need not exist.
        run_id: whose it is; a file of another run is refused.
        inputs: what the numbers depend on besides the run's spec, fit for JSON; training does not go on from a file with other inputs.
            None: whatever the file says.
        note: told in one line why training does not go on from a file.

    Attributes:
        seconds: of training in the epochs that `restore` found.
    """

    def __init__(self, path: Path, run_id: str, inputs: Mapping[str, Any] | None = None, note: Callable[[str], None] | None = None) -> None:
        self.path, self.run_id, self.inputs, self.seconds = path, run_id, inputs, 0.0
        self._note = note

    def save(
        self, tuner: Tuner, optimizer: torch.optim.Optimizer, epochs_done: int, seconds: float = 0.0, scaler: Scaler | None = None
    ) -> None:
        """Write whole or not at all.

        Args:
            tuner: what is tuned.
            optimizer: holds the momentum.
            epochs_done: since training began.
            seconds: of training, likewise.
            scaler: of the losses, in fp16.

        Raises:
            DepthubError: if the system refuses.
        """
        tensors = {name: value.detach().cpu().contiguous() for name, value in _kept(tuner).items()}
        for name, p in tuner.tuned().items():
            buffer = optimizer.state.get(p, {}).get("momentum_buffer")
            if buffer is not None:
                tensors[MOMENTUM + name] = buffer.cpu().contiguous()
        metadata = {"epochs_done": str(epochs_done), "run_id": self.run_id, "seconds": repr(seconds), "inputs": _json(self.inputs)}
        if scaler:
            metadata["scaler"] = _json(scaler.state_dict())
        atomic_write(self.path, save(tensors, metadata))

    def restore(self, tuner: Tuner, optimizer: torch.optim.Optimizer, scaler: Scaler | None = None) -> int:
        """Load what is there; returns the number of epochs already done, 0 if training starts from scratch.

        Raises:
            DepthubError: if the file is damaged or belongs to another run.
        """
        if not self.path.is_file():
            return 0
        with self._damaged():
            metadata, state = _read(self.path)
            kept = _kept(tuner)
            if metadata["run_id"] != self.run_id or any(state[name].shape != value.shape for name, value in kept.items()):
                raise DepthubError(f"{self.path} belongs to another run; remove it to train anew")
            if unlike := self._unlike(metadata, scaler):
                self._tell(unlike)
                return 0
            epochs, self.seconds = int(_amount(metadata["epochs_done"])), _amount(metadata.get("seconds", "0"))
            if scaler:
                scaler.load_state_dict(json.loads(metadata["scaler"]))
        with torch.no_grad():
            for name, value in kept.items():
                value.copy_(state[name])
                if MOMENTUM + name in state:
                    optimizer.state[value]["momentum_buffer"] = state[MOMENTUM + name].to(value.device)
        return epochs

    @contextmanager
    def _damaged(self) -> Iterator[None]:
        """What reading fails with is the file's fault."""
        try:
            yield
        except (OSError, SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
            raise DepthubError(f"{self.path} is damaged ({error}); remove it to train anew") from error

    def _unlike(self, metadata: Mapping[str, str], scaler: Scaler | None) -> list[str]:
        """Why training cannot go on exactly: one phrase each."""
        # as they would come back from the file: keys are strings, tuples are lists
        found = [] if self.inputs is None else differences(json.loads(metadata.get("inputs", "{}")) or {}, json.loads(_json(self.inputs)))
        return found + (["the scale of the losses is not recorded"] if scaler and "scaler" not in metadata else [])

    def _tell(self, unlike: list[str]) -> None:
        if self._note:
            more = f" and {len(unlike) - 1} more" if len(unlike) > 1 else ""
            self._note(f"training starts from scratch, not from {self.path.name}: {unlike[0]}{more}")


def buffers(tuner: Tuner) -> dict[str, Tensor]:
    """Persistent buffers of method and head by name; nothing of the backbone."""
    named = ((part, dict(getattr(tuner, part).named_buffers())) for part in ("method", "head"))
    return {f"{part}.{name}": own[name] for part, own in named for name in getattr(tuner, part).state_dict() if name in own}


def _kept(tuner: Tuner) -> dict[str, Tensor]:
    """What a checkpoint holds of a tuner, by the name it has there."""
    return tuner.tuned() | {BUFFER + name: value for name, value in buffers(tuner).items()}


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    with safe_open(path, "pt") as file:
        metadata, state = file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    if broken := [name for name, value in state.items() if not value.isfinite().all()]:
        raise ValueError(f"{broken[0]} is not finite")
    return metadata, state


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _amount(text: str) -> float:
    """Of epochs or seconds."""
    value = float(text)
    if not isfinite(value) or value < 0:
        raise ValueError(f"{text} is no number of epochs or seconds")
    return value
