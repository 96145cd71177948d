"""What changes no number of a run: where things lie, and how the work is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from depthub.errors import DepthubError, hint

Stack = int | Literal["auto", "off"]


@dataclass(frozen=True)
class RunOptions:
    """Options that do not affect results.

    Args:
        data_root: the folder that holds data sets on this machine.
        force: run again what is already done.
        workers: data-loading processes.
        cache: keep image features on disk for later runs; see `depthub cache info`.
        image_cache: a folder where images are kept decoded, for methods that tune the image side and read them again and again.
        deterministic: the same bits every time, also on a GPU, where some sums have no fixed order otherwise and this is slower.
        graphs: on a GPU, replay training steps as CUDA graphs: one launch a step instead of hundreds.
        recompute: where image prompts are tuned, keep less for the backward pass and compute it again: less memory, more time.
        download: ask the network for weights that are not on this machine; without, nothing does.
        stack: at most so many runs trained together; "auto": as many as memory allows; "off": none. Executors run them separately.
    """

    data_root: Path | None = None
    force: bool = False
    workers: int = 0
    cache: bool = True
    image_cache: Path | None = None
    deterministic: bool = False
    graphs: bool = False
    recompute: bool = False
    download: bool = False
    stack: Stack = "auto"

    def __post_init__(self) -> None:
        if isinstance(self.stack, int) and self.stack < 1:
            raise DepthubError(f"stack is {self.stack}, expected auto, off or at least 1")
        for name in ("data_root", "image_cache"):
            if (place := getattr(self, name)) is not None:
                object.__setattr__(self, name, Path(place))

    def changed(self, changes: Mapping[str, Any]) -> RunOptions:
        """The options with some of them changed.

        Raises:
            DepthubError: for a name that no option has.
        """
        names = [field.name for field in fields(self)]
        for name in changes:
            if name not in names:
                raise DepthubError(f"unknown option {name!r}{hint(name, names)}")
        return replace(self, **changes)
