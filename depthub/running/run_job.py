"""One run, from training to training: each stage is trained by the caller and then tested here, and at the end the result is stored."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, cast

from accelerate import Accelerator

from depthub.compute.device import accelerator
from depthub.registry.plugins import installed
from depthub.running.course import Course
from depthub.running.findings import Findings
from depthub.running.frozen_model import FrozenModel
from depthub.running.recording import files_of, provenance_of, result_of, with_digests
from depthub.running.run_images import RunImages
from depthub.system.activity import tell
from depthub.system.provenance import Stopwatch
from depthub.training.checkpoint import Checkpoint
from depthub.training.evaluation import evaluate
from depthub.training.job import OnEpoch, TrainingJob

if TYPE_CHECKING:
    from pathlib import Path

    from depthub.protocol import Stage, Task
    from depthub.records.result import RunResult
    from depthub.records.store import Store
    from depthub.running.options import OnNote, RunOptions
    from depthub.running.resolved import Resolved
    from depthub.training.tuner import Tuner


class RunJob:
    """One run on its way to a result. The caller drives it, so that it can train several runs together:

        while not (result := run.advance()):
            fit_together([run.job], run.accelerator)

    Args:
        resolved: the run.
        store: of the results.
        options: of the run.
        on_epoch: called with the number of epochs done and the mean loss.
        note: called with each difference from an earlier checkpoint, one line.

    Attributes:
        job: the training that is next; there from the first `advance` on.
        stacked: largest number of runs that trained together with this one, itself included.
    """

    job: TrainingJob

    def __init__(self, resolved: Resolved, store: Store, options: RunOptions, on_epoch: OnEpoch | None, note: OnNote) -> None:
        self.resolved, self.spec, self.store, self.options = resolved, resolved.spec, store, options
        self.on_epoch, self.note = on_epoch, note
        self.plugins = installed()
        self.images = RunImages(self.spec, options)
        self.course = Course(self.spec, store, options, note)
        self.stacked = 1
        self._steps = self._trainings()

    def advance(self) -> RunResult | None:
        """Go on until the next training, which is `job` then, or to the end of the run, which returns its result.

        Raises:
            Exception: the failure of the run.
        """
        try:
            self.job = next(self._steps)
        except StopIteration as end:
            return cast("RunResult", end.value)
        return None

    @property
    def folder(self) -> Path:
        """Of the run on disk."""
        return self.store.path(self.spec)

    @cached_property
    def accelerator(self) -> Accelerator:
        """Device, precision and processes.

        Raises:
            DepthubError: if the device cannot compute as the run asks.
        """
        return accelerator(self.resolved.training.precision, graphs=self.options.graphs)

    def _trainings(self) -> Generator[TrainingJob, None, RunResult]:
        """Yield each training of the run, to be carried out before the next is asked for; return the result."""
        with closing(self.course):  # also if the run fails in its training: the caller then drops it
            return (yield from self._stages())

    def _stages(self) -> Generator[TrainingJob, None, RunResult]:
        main = self.accelerator.is_main_process
        if main:
            self.plugins.notify("depthub_run_started", spec=self.spec)
        tell("loading the backbone")
        self.model = FrozenModel(self.spec, self.options, self.accelerator.device)
        tell("comparing code, data and weights")
        self.inputs = self.resolved.inputs(self.model.backbone.digest())
        earlier = self.store.set_aside(self.spec) if main else None
        findings, watch, parameters = Findings(), Stopwatch(), (0, 0)
        for number, stage in enumerate(self.resolved.stages):
            tuner = yield from self._train(stage, number, watch)
            self._test(stage, tuner, findings, watch)
            parameters = _parameters(tuner)
        result = result_of(self.resolved, findings, watch.cost(*parameters), self._provenance(), self.folder)
        if main:
            files = files_of(findings, self._tuned_files(), self.model.backbone.scale)
            result = with_digests(result, files)
            self.store.save(result, files)
            self.store.drop_repeated(earlier, result)
            self.course.end(result.scores, len(self.resolved.stages))
            self.plugins.notify("depthub_run_finished", result=result)
        self.accelerator.wait_for_everyone()
        return result

    def _train(self, stage: Stage, number: int, watch: Stopwatch) -> Generator[TrainingJob, None, Tuner]:
        """Yield the training of a stage and return its tuner, trained."""
        checkpoint = self._checkpoint(number)
        tuner = self.model.tuner(stage, self.plugins)
        if self.options.force and self.accelerator.is_main_process:
            checkpoint.path.unlink(missing_ok=True)
        self.accelerator.wait_for_everyone()
        recipe = self.resolved.training
        with watch.measure("encode_s"):
            images = self.images.of(stage.train, tuner, random_views=recipe.augmentation == "published")
        seed, workers, graphs = self.spec.seed, self._workers(tuner), self.options.graphs
        history = self.course.of_stage(number)
        job = TrainingJob(tuner, images, stage.train.classes, recipe, seed, checkpoint, self.on_epoch, workers, graphs, history)
        encoded = self.images.encoding_seconds
        tell("training")
        yield job
        self.model.check(tuner)
        # views of an epoch are encoded while it trains, for all runs of a stack together
        views = (self.images.encoding_seconds - encoded) / self.stacked
        watch.seconds["encode_s"] += views
        watch.seconds["train_s"] += max(0.0, job.seconds - views)
        watch.resumed += checkpoint.seconds > 0
        return tuner

    def _test(self, stage: Stage, tuner: Tuner, findings: Findings, watch: Stopwatch) -> None:
        for task in stage.tests:
            self._test_task(task, tuner, findings, watch)
        self.model.check(tuner)

    def _test_task(self, task: Task, tuner: Tuner, findings: Findings, watch: Stopwatch) -> None:
        with watch.measure("encode_s"):
            images = self.images.of(task, tuner, random_views=False)
        with watch.measure("eval_s"):
            on_progress = partial(tell, f"testing {task.name}")
            workers = self._workers(tuner)
            predictions = evaluate(tuner, images, task.classes, self.accelerator, workers, task=task.name, on_progress=on_progress)
        findings.add(task, predictions, tuner, images)

    def _workers(self, tuner: Tuner) -> int:
        """Data-loading processes; none where the images are features, which are in memory."""
        return self.options.workers if tuner.method.tunes_image else 0

    def _checkpoint(self, stage: int) -> Checkpoint:
        path = self.folder / f"tuned-{stage}.safetensors"
        return Checkpoint(path, self.spec.run_id, self.inputs, self.note)

    def _tuned_files(self) -> list[Path]:
        return [self._checkpoint(number).path for number in range(len(self.resolved.stages))]

    def _provenance(self) -> dict[str, Any]:
        execution: dict[str, Any] = {"stacked": self.stacked} if self.stacked > 1 else {}
        if self.options.graphs:
            execution["graphs"] = True
        return provenance_of(self.resolved, self.plugins, self.inputs, execution, self.accelerator.num_processes)


def _parameters(tuner: Tuner) -> tuple[int, int]:
    """How many numbers training changes, and how many there are."""
    return sum(p.numel() for p in tuner.tuned().values()), sum(p.numel() for p in tuner.parameters())
