"""The stages of runs, made once for all runs that have data, protocol, shots, sample and class texts in common."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from depthub.data.dataset import FingerprintMemory, contents
from depthub.registry import settings
from depthub.running.stages import stages_of
from depthub.running.text_files import TextFiles
from depthub.spec import RunSpec, digest

if TYPE_CHECKING:
    from pathlib import Path

    from depthub.data.class_texts import ClassTexts
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
        texts: of the classes, if the runs have some.
    """

    protocol: Protocol
    stages: tuple[Stage, ...]
    sources: Mapping[str, LoadedData]
    fingerprints: FingerprintMemory
    root: Path | None
    texts: ClassTexts | None = None

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
        places = [self.texts.path] if self.texts else []
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

    Attributes:
        texts: loads class texts.
    """

    def __init__(self, data_sets: DataSets) -> None:
        self.data_sets, self.texts = data_sets, TextFiles(data_sets.plugins)
        self._staged: dict[Hashable, Staged] = {}

    def __call__(self, spec: RunSpec, source: LoadedData) -> Staged:
        """The stages of a run.

        Args:
            spec: complete.
            source: the run's own data set.

        Raises:
            DepthubError: for data and tasks that cannot give a right number, and for classes without texts where there are some.
        """
        key = (spec.protocol, source.name, spec.data, spec.shots, spec.seed if spec.sample is None else spec.sample, spec.texts)
        if key not in self._staged:
            self._staged[key] = self._made(spec, source)
        return self._staged[key]

    def _made(self, spec: RunSpec, source: LoadedData) -> Staged:
        sets = self.data_sets
        texts = self.texts.load(spec.texts) if spec.texts else None
        protocol: Protocol = settings.make(spec.protocol, "protocols", sets.plugins)
        stages, sources = stages_of(spec, protocol, source, lambda name: sets.load_beside(name, spec.data, source), texts)
        return Staged(protocol, stages, sources, sets.fingerprints, sets.root, texts)
