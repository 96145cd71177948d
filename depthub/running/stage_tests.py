"""The tests of a stage: after chosen epochs of its training, and after the last."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from depthub.running.findings import Findings
from depthub.running.interim import Interim, TestedEpoch
from depthub.system.activity import tell
from depthub.training.evaluation import evaluate

if TYPE_CHECKING:
    from accelerate import Accelerator

    from depthub.protocol import Stage, Task
    from depthub.running.run_images import RunImages
    from depthub.system.provenance import Stopwatch
    from depthub.training.job import TrainingJob


class StageTests:
    """Carries out the tests of a stage.

    Args:
        stage: of the run.
        interim: keeps the tests of chosen epochs while the stage trains.
        images: of the run.
        accelerator: gives device, precision and processes.

    Attributes:
        epochs: that the training is tested after, in their order; None: the last.
        findings: of the tests so far.
    """

    def __init__(self, stage: Stage, interim: Interim, images: RunImages, accelerator: Accelerator) -> None:
        self.stage, self.interim, self._images, self._accelerator = stage, interim, images, accelerator
        self.epochs = [*interim.tasks, None]
        self.findings = Findings()

    def carry_out(self, epoch: int | None, job: TrainingJob, watch: Stopwatch) -> None:
        """Carry out the tests after an epoch, or take those that an interrupted execution has carried out.

        Args:
            epoch: one of `epochs`. The training has done it, and no later one unless its tests are kept.
            job: the stage's training.
            watch: of the run.
        """
        tested = None if epoch is None else self.interim.tested.get(epoch)
        if tested:
            for name, seconds in tested.seconds.items():
                watch.seconds[name] += seconds
        else:
            assert epoch is None or job.epochs in (epoch, 0), "the parameters are of another epoch; 0: there are none"
            tested = self._tested([task for task in self.stage.tests if task.epoch == epoch], job, watch)
            if epoch is not None:
                self.interim.add(epoch, tested)
        self.findings.take(tested.findings, tested.findings.tasks)

    def _tested(self, tasks: Iterable[Task], job: TrainingJob, watch: Stopwatch) -> TestedEpoch:
        before, findings = dict(watch.seconds), Findings()
        for task in tasks:
            self._test(task, job, findings, watch)
        return TestedEpoch(findings, {name: seconds - before[name] for name, seconds in watch.seconds.items()})

    def _test(self, task: Task, job: TrainingJob, findings: Findings, watch: Stopwatch) -> None:
        with watch.measure("encode_s"):
            images = self._images.of(task, job.tuner, random_views=False)
        with watch.measure("eval_s"):
            on_progress = partial(tell, f"testing {task.name}")
            predictions = evaluate(job.tuner, images, task.classes, self._accelerator, job.workers, task=task.name, on_progress=on_progress)
        findings.add(task, predictions, job.tuner, images)


def findings_of(tests: Iterable[StageTests]) -> Findings:
    """The findings of all tests of a run, in the order of its stages and their tasks."""
    findings = Findings()
    for of_stage in tests:
        findings.take(of_stage.findings, [task.name for task in of_stage.stage.tests])
    return findings
