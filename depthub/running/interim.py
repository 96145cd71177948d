"""Findings of the epochs that a training was tested after, in a file beside its checkpoint until the run is finished.

A killed run goes on from its checkpoint, which holds the parameters of its last epoch alone: earlier ones cannot be tested again. The file
is written whole after each tested epoch:

    SHA-256 of all that follows LF
    {"run_id": "...", "inputs": {...}, "epochs": {"1": {"seconds": {"eval_s": 0.8}, "sentences": {"base, epoch 1": [["X X cat."]]}}}} LF
    predictions of all tasks, as `records.predictions.dumps` gives them
"""

from __future__ import annotations

import hashlib
import json
from collections import ChainMap
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from depthub.records import predictions
from depthub.records.entries import INTERIM
from depthub.running.findings import Findings
from depthub.system.files import atomic_write

if TYPE_CHECKING:
    from pathlib import Path

    from depthub.protocol import Stage, Task
    from depthub.records.predictions import Predictions


@dataclass
class TestedEpoch:
    """The tests after one epoch.

    Args:
        findings: of its tasks.
        seconds: of these tests, by the names of a run's cost.
    """

    __test__ = False  # pytest would collect it by its name

    findings: Findings = field(default_factory=Findings)
    seconds: Mapping[str, float] = field(default_factory=dict)


class Interim:
    """The tested epochs of a stage, in memory and in their file. A file of other inputs, or a damaged one, counts as none.

    Args:
        path: the file; it need not exist.
        stage: of the run.
        run_id: of the run.
        inputs: everything besides the spec that the numbers depend on.
        writes: whether this process is the one that writes the file.

    Attributes:
        tasks: the stage's test tasks by the epoch that they are tested after, in its order.
    """

    def __init__(self, path: Path, stage: Stage, run_id: str, inputs: Mapping[str, Any], *, writes: bool) -> None:
        self.path, self.run_id, self.inputs, self.writes = path, run_id, json.loads(json.dumps(inputs)), writes
        epochs = sorted({task.epoch for task in stage.tests if task.epoch is not None})
        self.tasks: dict[int, Sequence[Task]] = {epoch: [task for task in stage.tests if task.epoch == epoch] for epoch in epochs}
        self.tested: dict[int, TestedEpoch] = self._read()

    def unfit(self, done: int) -> str:
        """Why a training cannot go on after so many epochs: the tests of an earlier one are missing. Empty if it can."""
        missing = [epoch for epoch in self.tasks if epoch < done and epoch not in self.tested]
        return f"the tests after epoch {missing[0]} are missing or damaged" if missing else ""

    def keep(self, done: int) -> None:
        """Keep the tests of the first epochs alone: a training that starts anew has nothing to do with those of an earlier one.

        Args:
            done: epochs that the training has done.

        Raises:
            DepthubError: if the file cannot be written.
        """
        if any(epoch > done for epoch in self.tested) or not self.tested:
            self.tested = {epoch: tested for epoch, tested in self.tested.items() if epoch <= done}
            self._write()

    def add(self, epoch: int, tested: TestedEpoch) -> None:
        """Record the tests after an epoch.

        Raises:
            DepthubError: if the file cannot be written.
        """
        self.tested[epoch] = tested
        self._write()

    def remove(self) -> None:
        """Remove the file, if there is one."""
        if self.writes:
            self.path.unlink(missing_ok=True)

    def _write(self) -> None:
        if not self.writes:
            return
        if not self.tested:
            self.path.unlink(missing_ok=True)
            return
        epochs = {epoch: _described(tested) for epoch, tested in self.tested.items()}
        header = json.dumps({"run_id": self.run_id, "inputs": self.inputs, "epochs": epochs})
        by_task = ChainMap(*(tested.findings.predictions for tested in self.tested.values()))
        content = f"{header}\n".encode() + predictions.dumps(by_task)
        atomic_write(self.path, f"{hashlib.sha256(content).hexdigest()}\n".encode() + content)

    def _read(self) -> dict[int, TestedEpoch]:
        """The tests in the file, by epoch."""
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError):
            digest, content = self.path.read_bytes().split(b"\n", 1)
            header, body = content.split(b"\n", 1)
            fields = json.loads(header)
            of_run = (fields["run_id"], fields["inputs"]) == (self.run_id, self.inputs)
            if of_run and hashlib.sha256(content).hexdigest() == digest.decode():
                recorded = {int(epoch): of_epoch for epoch, of_epoch in fields["epochs"].items()}
                tasks = [task for epoch in recorded for task in self.tasks[epoch]]
                by_task = predictions.loads(body, {task.name: len(task.classes) for task in tasks})
                return {epoch: _tested(self.tasks[epoch], of_epoch, by_task) for epoch, of_epoch in recorded.items()}
        return {}


def interim_file(folder: Path, stage: int) -> Path:
    """The file of a training of a run.

    Args:
        folder: of the run.
        stage: number of the training, from 0.
    """
    return folder / INTERIM.replace("*", str(stage))


def _described(tested: TestedEpoch) -> dict[str, Any]:
    return {"seconds": dict(tested.seconds), "sentences": {name: task.sentences for name, task in tested.findings.tasks.items()}}


def _tested(tasks: Sequence[Task], recorded: Mapping[str, Any], by_task: Mapping[str, Predictions]) -> TestedEpoch:
    """The inverse of `_described`, with the predictions of the tasks."""
    findings = Findings()
    for task in tasks:
        findings.put(task, by_task[task.name], tuple(map(tuple, recorded["sentences"][task.name])))
    return TestedEpoch(findings, {name: float(seconds) for name, seconds in recorded["seconds"].items()})
