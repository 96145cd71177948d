"""A training step played from a CUDA graph: the host starts one thing instead of several hundred.

Steps of prompt tuning are small, and a fast GPU may wait for its host, which starts one kernel after the other; a graph starts the same
kernels on the same memory by itself. A played step therefore trains as the step does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from depthub.errors import DepthubError

Play = Callable[[], Tensor]


class GraphedStep:
    """A step that is carried out once, and from its second call on played from a recording.

    A recording repeats what the device did. The step must take tensors of unchanging shapes, read nothing back from the device, and depend
    on nothing else that changes from call to call.

    Args:
        step: takes a batch, trains once and returns a tensor.
        settled: called after the first call; raises if the step cannot be recorded.
    """

    def __init__(self, step: Callable[..., Tensor], settled: Callable[[], None]) -> None:
        self._step, self._settled, self._warm = step, settled, False
        self._batch: tuple[Tensor, ...] = ()
        self._play: Play | None = None

    def invalidate(self) -> None:
        """Record again at the next call, since a number changed that the host gives: a learning rate."""
        self._play = None

    def __call__(self, *batch: Tensor) -> Tensor:
        """What the step returns.

        Raises:
            DepthubError: if the step cannot be recorded.
        """
        if not self._warm:  # libraries start up, momentum comes into being, constants are computed
            with _beside(batch[0].device):
                given = self._step(*batch)
            self._settled()
            self._warm = True
            return given
        if self._play is None:
            self._batch = tuple(value.clone() for value in batch)
            self._play = record(lambda: self._step(*self._batch))
        for place, value in zip(self._batch, batch, strict=True):
            place.copy_(value, non_blocking=True)
        return self._play().clone()  # the next call writes over it


def record(step: Play) -> Play:
    """What repeats on the current CUDA device what the step does there. The step itself has no effect.

    Raises:
        DepthubError: if the step waits for the device, which a recording cannot.
    """
    graph = torch.cuda.CUDAGraph()
    try:
        # a thread of the data loader may pin memory meanwhile
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            given = step()
    except RuntimeError as error:
        reason = str(error).strip().partition("\n")[0]
        raise DepthubError(f"this training step cannot be played from a CUDA graph ({reason}); run without --graphs") from error

    def play() -> Tensor:
        graph.replay()
        return given

    return play


@contextmanager
def _beside(device: torch.device) -> Iterator[None]:
    """A CUDA stream of its own, as recording needs of what comes before it; nothing on other devices."""
    if device.type != "cuda":
        yield
        return
    current, side = torch.cuda.current_stream(device), torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    side.wait_stream(current)
    with torch.cuda.stream(side):
        yield
    current.wait_stream(side)
