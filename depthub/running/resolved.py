"""A resolved spec: the run with everything that its numbers depend on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from depthub.compute import linear
from depthub.spec import RunSpec, Training

if TYPE_CHECKING:
    from pathlib import Path

    from depthub.data.dataset import Data
    from depthub.protocol import Protocol, Stage, Task
    from depthub.recipe import Length
    from depthub.running.staged import Staged


@dataclass(frozen=True, eq=False)
class Resolved:
    """A spec with everything that its numbers depend on.

    Args:
        spec: with every setting, digest and value of the recipe written out.
        staged: what it trains and tests; shared with runs of the same data, protocol, shots and sample.
        data: the data sets of the run, by name. The run's own is there under two names, with and without its path.
        code: of each component: distribution, version and SHA-256 of its source.
        files: SHA-256 of the files that settings name, by setting.
        places: files and folders that the numbers depend on; None where a data set does not say.
        packages: versions of the packages that compute the numbers.
    """

    spec: RunSpec
    staged: Staged
    data: Mapping[str, Data]
    code: Mapping[str, Any]
    files: Mapping[str, str] = field(default_factory=dict)
    places: tuple[Path, ...] | None = None
    packages: Mapping[str, str] = field(default_factory=dict)

    @property
    def run_id(self) -> str:
        """Of the spec."""
        return self.spec.run_id

    @property
    def protocol(self) -> Protocol:
        """Of the run."""
        return self.staged.protocol

    @property
    def stages(self) -> tuple[Stage, ...]:
        """To train and test."""
        return self.staged.stages

    @property
    def digests(self) -> Mapping[str, str]:
        """See `Staged.digests`."""
        return self.staged.digests

    @property
    def training(self) -> Training:
        """The recipe."""
        assert self.spec.training is not None, "a resolved spec has its recipe"
        return self.spec.training

    def length(self, stage: Stage) -> Length:
        """Of the training of a stage."""
        return self.training.length(stage.train.examples.labels, self.spec.shots)

    @property
    def epochs(self) -> int:
        """Of the longest training."""
        return max(self.length(stage).epochs for stage in self.stages)

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
            "data": {**self.staged.contents, **self.files},
            "backbone": backbone,
            "linear": linear.choice(),
            "packages": dict(self.packages),
        }


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
