"""The course of a run: its history, and the user's tracker beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from depthub.running.trackers import Tracker
from depthub.training.history import History

if TYPE_CHECKING:
    from depthub.records.store import Store
    from depthub.running.options import OnNote, RunOptions
    from depthub.spec import RunSpec


class Course:
    """Records every epoch of a run.

    Args:
        spec: of the run, with its recipe.
        store: of the results.
        options: of the run; they name the tracker.
        note: called with a failure of the tracker.
        epochs: of the longest of its trainings.
    """

    def __init__(self, spec: RunSpec, store: Store, options: RunOptions, note: OnNote, epochs: int) -> None:
        self.folder = store.path(spec)
        self._tracker = Tracker(options.tracker, spec, store.root, note, epochs) if options.tracker else None

    def of_stage(self, number: int) -> History:
        """The history of a training, which the tracker follows."""
        return History(self.folder, number, self._tracker.add if self._tracker else None)

    def end(self, scores: Mapping[str, float], stages: int) -> None:
        """Show the scores of the run, in percent, after its `stages` trainings."""
        if self._tracker:
            self._tracker.end(scores, stages)

    def close(self) -> None:
        """Write everything; also after a run that failed."""
        if self._tracker:
            self._tracker.close()
