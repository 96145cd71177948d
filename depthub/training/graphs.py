"""Training steps replayed from a CUDA graph: the host launches one graph instead of several hundred kernels.

Steps of prompt tuning are small, and a fast GPU may wait for its host, which launches one kernel after the other; a graph runs the same
kernels on the same memory by itself. A replayed step therefore trains as the step itself does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from depthub.errors import DepthubError

Replay = Callable[[], Tensor]


class GraphedStep:
    """Runs a step eagerly once, then replays it from a CUDA graph.

    A graph repeats the operations of the device. The step must take tensors of unchanging shapes, read nothing back from the device, and
    depend on nothing else that changes from call to call.

    Args:
        step: takes a batch, trains once and returns a tensor.
        check: called after the first call; raises if the step cannot be captured.
    """

    def __init__(self, step: Callable[..., Tensor], check: Callable[[], None]) -> None:
        self._step, self._check, self._warm = step, check, False
        self._batch: tuple[Tensor, ...] = ()
        self._replay: Replay | None = None

    def invalidate(self) -> None:
        """Capture again at the next call, since a number of the host's has changed: a learning rate."""
        self._replay = None

    def __call__(self, *batch: Tensor) -> Tensor:
        """The step's tensor.

        Raises:
            DepthubError: if the step cannot be captured.
        """
        if not self._warm:  # libraries start up, momentum buffers are made, constants are computed
            with _side_stream(batch[0].device):
                losses = self._step(*batch)
            self._check()
            self._warm = True
            return losses
        if self._replay is None:
            self._batch = tuple(value.clone() for value in batch)
            self._replay = capture(lambda: self._step(*self._batch))
        for place, value in zip(self._batch, batch, strict=True):
            place.copy_(value, non_blocking=True)
        return self._replay().clone()  # the next call overwrites it


def capture(step: Replay) -> Replay:
    """Capture the step and return a function that replays it on the current CUDA device. Capturing does not execute it.

    Raises:
        DepthubError: if the step waits for the device, which a graph cannot.
    """
    graph = torch.cuda.CUDAGraph()
    try:
        # a thread of the data loader may pin memory meanwhile
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            output = step()
    except RuntimeError as error:
        reason = str(error).strip().partition("\n")[0]
        raise DepthubError(f"this training step cannot be replayed from a CUDA graph ({reason}); run without --graphs") from error

    def replay() -> Tensor:
        graph.replay()
        return output

    return replay


@contextmanager
def _side_stream(device: torch.device) -> Iterator[None]:
    """A block on a separate CUDA stream, as a step before its capture needs it; on other devices nothing."""
    if device.type != "cuda":
        yield
        return
    current, side = torch.cuda.current_stream(device), torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    side.wait_stream(current)
    with torch.cuda.stream(side):
        yield
    current.wait_stream(side)
