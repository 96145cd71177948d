"""Trackers: loss, rates and scores of a run in TensorBoard, Weights & Biases or Trackio, through Accelerate's classes.

Files of TensorBoard and of Weights & Biases lie in the folder of runs, beside the runs' own folders: `tensorboard/<run id>` and `wandb`.
Trackio has a folder of its own (`TRACKIO_DIR`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import copy_context
from pathlib import Path
from typing import Any

from accelerate import tracking

from depthub.running.options import OnNote
from depthub.spec import RunSpec
from depthub.training.history import Line
from depthub.values.flat import flat

PROJECT = "depthub"  # of all runs, where a tracker has projects
Make = Callable[[RunSpec, Path, int], tracking.GeneralTracker]


class Tracker:
    """One run in a tracker, named by its run id. A tracker that fails is noted, and does not end the run.

    Args:
        name: of the tracker, one of `options.TRACKERS`.
        spec: of the run, with its recipe.
        folder: of the runs.
        note: called with the failure of the tracker, one line.
        epochs: of the longest of its trainings.
    """

    def __init__(self, name: str, spec: RunSpec, folder: Path, note: OnNote, epochs: int) -> None:
        self.name, self.spec, self.folder, self.note, self.epochs = name, spec, folder, note, epochs
        self._tracker: tracking.GeneralTracker | None = None
        self._failed = False

    def add(self, line: Line) -> None:
        """Log an epoch; epochs of several trainings are counted on."""
        rates = {f"rate/{part}": rate for part, rate in line["rates"].items()}
        self._log({"loss": line["loss"], **rates}, line["stage"] * self.epochs + line["epoch"])

    def end(self, scores: Mapping[str, float], stages: int) -> None:
        """Log the scores, in percent.

        Args:
            scores: by name.
            stages: number of trainings of the run.
        """
        self._log({f"score/{name}": score for name, score in scores.items()}, stages * self.epochs)

    def close(self) -> None:
        """Write everything; also after a run that failed."""
        if self._tracker:
            with suppress(Exception):  # what was logged is there, and the run has its result
                self._tracker.finish()
            self._tracker = None

    def _log(self, values: Mapping[str, float], step: int) -> None:
        if self._failed:
            return
        try:
            self._tracker = self._tracker or self._started(step)
            self._tracker.log(dict(values), step=step)
        except Exception as error:  # of the network, of an account, of another version
            self._failed = True
            self.note(f"{self.name} fails ({' '.join(str(error).split())[:120]}); run {self.spec.run_id[:12]} goes on without it")

    def _started(self, step: int) -> tracking.GeneralTracker:
        """The tracker; runs that train together have one each.

        Args:
            step: the first that is logged.
        """
        tracker = MAKE[self.name](self.spec, self.folder, step)
        copy_context().run(tracker.start)  # Trackio ends the earlier run of a context
        return tracker


def _tensorboard(spec: RunSpec, folder: Path, step: int) -> tracking.GeneralTracker:
    # steps of an earlier execution from this one on are not shown
    return tracking.TensorBoardTracker(spec.run_id, folder / "tensorboard", purge_step=step)


def _trackio(spec: RunSpec, folder: Path, step: int) -> tracking.GeneralTracker:
    return tracking.TrackioTracker(PROJECT, name=spec.run_id, config=_config(spec), resume="allow", embed=False)


def _wandb(spec: RunSpec, folder: Path, step: int) -> tracking.GeneralTracker:
    mode: Any = os.environ.get("WANDB_MODE") or "offline"  # nothing asks the network unless the user says so
    return tracking.WandBTracker(
        PROJECT, id=spec.run_id, name=spec.run_id, config=_config(spec), dir=folder, mode=mode, resume="allow", reinit="create_new"
    )


def _config(spec: RunSpec) -> dict[str, Any]:
    return flat(spec.without_places().as_dict())


MAKE: Mapping[str, Make] = {"tensorboard": _tensorboard, "trackio": _trackio, "wandb": _wandb}
