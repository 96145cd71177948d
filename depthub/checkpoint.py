"""What was tuned, on disk: what a run resumes from, and what is left of it. Nothing of the frozen model is in there."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from depthub.errors import DepthubError
from depthub.files import atomic_write
from depthub.model import Tuner

MOMENTUM, BUFFER = "momentum.", "buffer."  # before a name, what belongs to a parameter of that name, and what is no parameter


class Checkpoint:
    """One stage's state after an epoch: parameters, momentum, persistent buffers and the number of epochs done.

    Args:
        path: a safetensors file; it need not exist.
        run_id: whose it is; a file of another run is refused.
    """

    def __init__(self, path: Path, run_id: str) -> None:
        self.path, self.run_id = path, run_id

    def save(self, tuner: Tuner, optimizer: torch.optim.Optimizer, epochs_done: int) -> None:
        """Write whole or not at all."""
        tensors = {name: p.detach().cpu().contiguous() for name, p in tuner.tuned().items()}
        for name, p in tuner.tuned().items():
            buffer = optimizer.state.get(p, {}).get("momentum_buffer")
            if buffer is not None:
                tensors[MOMENTUM + name] = buffer.cpu().contiguous()
        tensors |= {BUFFER + name: value.cpu().contiguous() for name, value in buffers(tuner).items()}
        atomic_write(self.path, save(tensors, {"epochs_done": str(epochs_done), "run_id": self.run_id}))

    def restore(self, tuner: Tuner, optimizer: torch.optim.Optimizer) -> int:
        """Load what is there; returns the number of epochs already done.

        Raises:
            DepthubError: if the file is damaged or belongs to another run.
        """
        if not self.path.is_file():
            return 0
        try:
            with safe_open(self.path, "pt") as file:
                metadata = file.metadata()
                state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            kept = tuner.tuned() | {BUFFER + name: value for name, value in buffers(tuner).items()}
            fits = metadata["run_id"] == self.run_id and all(state[name].shape == value.shape for name, value in kept.items())
        except (OSError, SafetensorError, KeyError) as error:
            raise DepthubError(f"{self.path} is damaged ({error}); remove it to train anew") from error
        if not fits:
            raise DepthubError(f"{self.path} belongs to another run; remove it to train anew")
        with torch.no_grad():
            for name, value in kept.items():
                value.copy_(state[name])
                if MOMENTUM + name in state:
                    optimizer.state[value]["momentum_buffer"] = state[MOMENTUM + name].to(value.device)
        return int(metadata["epochs_done"])


def buffers(tuner: Tuner) -> dict[str, Tensor]:
    """Persistent buffers of method and head by name; nothing of the backbone."""
    named = ((part, dict(getattr(tuner, part).named_buffers())) for part in ("method", "head"))
    return {f"{part}.{name}": own[name] for part, own in named for name in getattr(tuner, part).state_dict() if name in own}
