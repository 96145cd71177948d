"""The stages of runs, made once for all runs that have data, protocol, shots and sample in common."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from depthub.data.dataset import FingerprintMemory, contents
from depthub.registry import settings
from depthub.running.stages import stages_of
from depthub.spec import RunSpec, digest

if TYPE_CHECKING:
    from pathlib import Path

    from depthub.data.dataset import Examples
    from depthub.protocol import Protocol, Stage, Task
    from depthub.running.loaded_data import DataSets, LoadedData


@dataclass(frozen=True, eq=False)
class Staged:
    """What runs train and test, and the data behind it.

    Args:
        protocol: of the runs.
        stages: to train and test.
        sources: their data sets, by name without paths.
        fingerprints: of images, as far as they are known.
        root: folder that holds the data sets.
    """

    protocol: Protocol
    stages: tuple[Stage, ...]
    sources: Mapping[str, LoadedData]
    fingerprints: FingerprintMemory
    root: Path | None

    @property
    def digests(self) -> dict[str, str]:
        """Of the lists of images, by name without paths; empty where the name alone says which images these are."""
        return {label: loaded.digest for label, loaded in self.sources.items()}

    @cached_property
    def contents(self) -> dict[str, str]:
        """SHA-256 over the contents of all images that the runs use, by data set; only of data sets that are on disk."""
        parts: dict[str, list[Examples]] = {name: [] for name, of_list in self.digests.items() if of_list}
        for task in self._tasks():
            if task.examples.source in parts:
                parts[task.examples.source].append(task.examples)
        return {name: digest([contents(examples, self.fingerprints) for examples in of_set]) for name, of_set in parts.items()}

    @cached_property
    def places(self) -> tuple[Path, ...] | None:
        """All files and folders of data that the numbers depend on; None where a data set does not say."""
        parts = [task.examples for task in self._tasks()]
        places: list[Path] = []
        for label, loaded in self.sources.items():
            of_set = loaded.places([part for part in parts if part.source == label], self.root)
            if of_set is None:
                return None
            places += of_set
        return tuple(places)

    def _tasks(self) -> Iterator[Task]:
        for stage in self.stages:
            yield stage.train
            yield from stage.tests


class Stagings:
    """Makes the stages of runs, and remembers them.

    Args:
        data_sets: loads the data.
    """

    def __init__(self, data_sets: DataSets) -> None:
        self.data_sets = data_sets
        self._staged: dict[Hashable, Staged] = {}

    def __call__(self, spec: RunSpec, source: LoadedData) -> Staged:
        """The stages of a run.

        Args:
            spec: complete.
            source: the run's own data set.

        Raises:
            DepthubError: for data and tasks that cannot give a right number.
        """
        key = (spec.protocol, source.name, spec.data, spec.shots, spec.seed if spec.sample is None else spec.sample)
        if key not in self._staged:
            self._staged[key] = self._made(spec, source)
        return self._staged[key]

    def _made(self, spec: RunSpec, source: LoadedData) -> Staged:
        sets = self.data_sets
        protocol: Protocol = settings.make(spec.protocol, "protocols", sets.plugins)
        stages, sources = stages_of(spec, protocol, source, lambda name: sets.load_beside(name, spec.data, source))
        return Staged(protocol, stages, sources, sets.fingerprints, sets.root)
