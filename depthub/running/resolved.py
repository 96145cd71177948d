"""A resolved spec: the run with everything that its numbers depend on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from depthub.compute import linear
from depthub.data.dataset import FingerprintMemory, contents
from depthub.spec import RunSpec, Training, digest
from depthub.system.provenance import COMPARED, version

if TYPE_CHECKING:
    from pathlib import Path

    from depthub.data.dataset import Data, Examples
    from depthub.protocol import Protocol, Stage, Task


@dataclass(frozen=True, eq=False)
class Resolved:
    """A spec with everything that its numbers depend on.

    Args:
        spec: with every setting, digest and value of the recipe written out.
        protocol: of the run.
        stages: to train and test.
        data: the data sets of the run, by name. The run's own is there under two names, with and without its path.
        digests: of their lists of images, by name without paths; empty where the name alone says which images these are.
        code: of each component: distribution, version and SHA-256 of its source.
        files: SHA-256 of the files that settings name, by setting.
        places: files and folders that the numbers depend on; None where a data set does not say.
        fingerprints: of images, as far as they are known.
    """

    spec: RunSpec
    protocol: Protocol
    stages: tuple[Stage, ...]
    data: Mapping[str, Data]
    digests: Mapping[str, str]
    code: Mapping[str, Any]
    files: Mapping[str, str] = field(default_factory=dict)
    places: tuple[Path, ...] | None = None
    fingerprints: FingerprintMemory = field(default_factory=FingerprintMemory)

    @property
    def training(self) -> Training:
        """The recipe."""
        assert self.spec.training is not None, "a resolved spec has its recipe"
        return self.spec.training

    @property
    def notes(self) -> list[str]:
        """Remarks on the data for readers of the numbers, one line each."""
        notes = [note for data in self.data.values() for note in data.notes]
        return list(dict.fromkeys([*notes, *_classes_left_out(self), *_short_classes(self)]))

    def tasks(self) -> Iterator[Task]:
        """The training task and the test tasks of every stage."""
        for stage in self.stages:
            yield stage.train
            yield from stage.tests

    def inputs(self, backbone: str) -> dict[str, Any]:
        """Everything besides the spec that the numbers depend on, see `depthub.identity.inputs`.

        Args:
            backbone: SHA-256 of the weights as loaded.
        """
        return {
            "code": dict(self.code),
            "data": {**self._contents(), **self.files},
            "backbone": backbone,
            "linear": linear.choice(),
            "packages": {name: present for name in COMPARED if (present := version(name))},
        }

    def _contents(self) -> dict[str, str]:
        """SHA-256 over the contents of all images that the run uses, by data set; only of data sets that are on disk."""
        parts: dict[str, list[Examples]] = {name: [] for name, of_list in self.digests.items() if of_list}
        for task in self.tasks():
            if task.examples.source in parts:
                parts[task.examples.source].append(task.examples)
        return {name: digest([contents(examples, self.fingerprints) for examples in of_set]) for name, of_set in parts.items()}


def _classes_left_out(resolved: Resolved) -> list[str]:
    """Classes of the run's data set that take part in no task, for want of training images for example."""
    source = resolved.data[resolved.spec.data.name].classes
    used = {i for task in resolved.tasks() if task.classes.space == source.space for i in task.classes.ids}
    unused = [name for i, name in zip(source.ids, source.names, strict=True) if i not in used]
    return [f"classes that take part in no task, since they have no training images: {', '.join(unused)}"] if unused else []


def _short_classes(resolved: Resolved) -> list[str]:
    """Training classes with fewer images than the run's shots, a line for each stage."""
    lines, shots = [], resolved.spec.shots
    for stage in resolved.stages:
        counts = [0] * len(stage.train.classes)
        for label in stage.train.examples.labels:
            counts[label] += 1
        short = [f"{name} ({count})" for name, count in zip(stage.train.classes.names, counts, strict=True) if count < shots]
        lines += [f"fewer than {shots} training images, all are used: {', '.join(short)}"] if short else []
    return lines
