"""Options that do not affect results: where files are, and how the work is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from depthub.errors import DepthubError, hint
from depthub.recipe import Training
from depthub.values.checks import choice

StackSize = int | Literal["auto", "off"]
TRACKERS = ("tensorboard", "trackio", "wandb")  # also the names of their packages
OnNote = Callable[[str], None]  # called with one line for the user


@dataclass(frozen=True)
class RunOptions:
    """Options that do not affect results.

    Args:
        data_root: folder that holds the data sets on this machine.
        force: run again even if there is a stored result.
        workers: data-loading processes.
        cache: keep image features on disk for later runs; see `depthub cache info`.
        image_cache: folder for decoded images, for methods that tune the image side and so read every image in every epoch.
        deterministic: the same bits every time, also on a GPU, where the order of some sums varies otherwise; slower there.
        graphs: on a GPU, replay training steps as CUDA graphs: one launch per step instead of hundreds; not with AdamW or
            rates that change by step.
        recompute: where image prompts are tuned, keep fewer activations and compute them again in the backward pass: less memory, more
            time.
        download: download weights that are not on this machine; otherwise nothing uses the network.
        stack: at most this many runs trained together; "auto": as many as memory allows; "off": none. Executors run them separately.
        tracker: "tensorboard", "trackio" or "wandb", which show the loss and the learning rates of every epoch; empty: none.
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
    stack: StackSize = "auto"
    tracker: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.stack, int) and self.stack < 1:
            raise DepthubError(f"stack is {self.stack}, expected auto, off or at least 1")
        if self.tracker:
            _require_tracker(self.tracker)
        for name in ("data_root", "image_cache"):
            folder = getattr(self, name)
            if folder is not None:
                object.__setattr__(self, name, Path(folder))

    def changed(self, changes: Mapping[str, Any]) -> RunOptions:
        """The options with new values for some of them.

        Args:
            changes: values by name.

        Raises:
            DepthubError: for a name that is not an option.
        """
        names = [field.name for field in fields(self)]
        for name in changes:
            if name not in names:
                raise DepthubError(f"unknown option {name!r}{hint(name, names)}")
        return replace(self, **changes)

    def require_replayable(self, recipe: Training) -> None:
        """Refuse graphs for a recipe whose steps differ in numbers of the host's.

        Raises:
            DepthubError: if steps are to be replayed as graphs, but their rates change, or the optimiser counts them.
        """
        for name, value in (("schedule", "step"), ("optimizer", "adamw"), ("optimizer", "adam")):
            if self.graphs and getattr(recipe, name) == value:
                raise DepthubError(f"--graphs replays equal steps, but with training.{name} {value} they differ; run without it")


def _require_tracker(name: str) -> None:
    """Refuse a tracker before the runs that it is to follow.

    Raises:
        DepthubError: for an unknown name, or a package that is not installed.
    """
    choice("tracker", name, TRACKERS)
    package = find_spec(name)
    if package is None or package.origin is None:  # without an origin: a folder that happens to have the name
        raise DepthubError(f"tracker is {name}, which is not installed; python -m pip install {name}")
