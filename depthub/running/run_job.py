"""One run, from training to training: each is carried out by the caller and then tested here, and at the end the result is stored."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from accelerate import Accelerator

from depthub.compute.device import accelerator
from depthub.registry.plugins import installed
from depthub.running.course import Course
from depthub.running.frozen_model import FrozenModel
from depthub.running.interim import Interim, interim_file
from depthub.running.recording import files_of, provenance_of, result_of, with_digests
from depthub.running.run_images import RunImages
from depthub.running.stage_tests import StageTests, findings_of
from depthub.system.activity import tell
from depthub.system.provenance import Stopwatch
from depthub.training.checkpoint import Checkpoint
from depthub.training.job import OnEpoch, TrainingJob

if TYPE_CHECKING:
    from pathlib import Path

    from depthub.protocol import Stage
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
        announced: whether plugins hear that the run begins and ends.
    """

    job: TrainingJob

    def __init__(self, resolved: Resolved, store: Store, options: RunOptions, on_epoch: OnEpoch | None, note: OnNote) -> None:
        self.resolved, self.spec, self.store, self.options = resolved, resolved.spec, store, options
        self.on_epoch, self.note = on_epoch, note
        self.plugins = installed()
        self.images = RunImages(self.spec, options)
        self.course = Course(self.spec, store, options, note, resolved.epochs)
        self.stacked, self.announced = 1, True
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

    def close(self) -> None:
        """End the run where it is, as a failure would."""
        self._steps.close()

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
        """Yield each training of the run, or part of one, to be carried out before the next is asked for; return the result."""
        with closing(self.course):  # also if the run fails in its training: the caller then drops it
            return (yield from self._stages())

    def _stages(self) -> Generator[TrainingJob, None, RunResult]:
        main = self.accelerator.is_main_process
        if main and self.announced:
            self.plugins.notify("depthub_run_started", spec=self.spec)
        tell("loading the backbone")
        self.model = FrozenModel(self.spec, self.options, self.accelerator.device)
        tell("comparing code, data and weights")
        self.inputs = self.resolved.inputs(self.model.backbone.digest())
        earlier = self.store.set_aside(self.spec) if main else None
        watch, tests = Stopwatch(), []
        for number, stage in enumerate(self.resolved.stages):
            tests.append((yield from self._stage(stage, number, watch)))
        findings = findings_of(tests)
        result = result_of(self.resolved, findings, watch.cost(*_parameters(self.job.tuner)), self._provenance(), self.folder)
        if main:
            files = files_of(findings, self._tuned_files(), self.model.backbone.scale)
            result = with_digests(result, files)
            self.store.save(result, files)
            for of_stage in tests:
                of_stage.interim.remove()
            self.store.drop_repeated(earlier, result)
            self.course.end(result.scores, len(self.resolved.stages))
            if self.announced:
                self.plugins.notify("depthub_run_finished", result=result)
        self.accelerator.wait_for_everyone()
        return result

    def _stage(self, stage: Stage, number: int, watch: Stopwatch) -> Generator[TrainingJob, None, StageTests]:
        """Yield the training of a stage, in parts if it is tested after some of its epochs; return its tests."""
        tuner = self.model.tuner(stage, self.plugins)
        if self.options.force and self.accelerator.is_main_process:
            for path in (self._tuned_file(number), interim_file(self.folder, number)):
                path.unlink(missing_ok=True)
        self.accelerator.wait_for_everyone()
        interim = self._interim(stage, number)
        tests, job = StageTests(stage, interim, self.images, self.accelerator), self._training(stage, number, tuner, interim, watch)
        for epoch in tests.epochs:
            job.until = epoch
            yield from self._train(job, watch)
            tests.carry_out(epoch, job, watch)
            self.model.check(tuner)
        return tests

    def _training(self, stage: Stage, number: int, tuner: Tuner, interim: Interim, watch: Stopwatch) -> TrainingJob:
        recipe = self.resolved.training
        with watch.measure("encode_s"):
            images = self.images.of(stage.train, tuner, random_views=recipe.augmentation == "published", training=True)
            prepared = self.images.prepared(stage.train, tuner)
        seed, workers, graphs = self.spec.seed, self._workers(tuner), self.options.graphs
        checkpoint, history = self._checkpoint(number, interim), self.course.of_stage(number)
        job = TrainingJob(tuner, images, stage.train.classes, recipe, seed, checkpoint, self.on_epoch, workers, graphs, history)
        job.on_start, job.labels, job.shots = interim.keep, stage.train.examples.labels, self.spec.shots
        job.prepared = prepared
        return job

    def _train(self, job: TrainingJob, watch: Stopwatch) -> Generator[TrainingJob, None, None]:
        """Yield a training, or the next part of one, and note the seconds that it took."""
        encoded, before = self.images.encoding_seconds, job.seconds
        tell("training")
        yield job
        self.model.check(job.tuner)
        # views of an epoch are encoded while it trains, for all runs of a stack together
        views = (self.images.encoding_seconds - encoded) / self.stacked
        watch.seconds["encode_s"] += views
        watch.seconds["train_s"] += max(0.0, job.seconds - before - views)
        watch.resumed += not before and job.checkpoint is not None and job.checkpoint.seconds > 0

    def _workers(self, tuner: Tuner) -> int:
        """Data-loading processes; none where the images are features, which are in memory."""
        return self.options.workers if tuner.method.tunes_image else 0

    def _checkpoint(self, stage: int, interim: Interim) -> Checkpoint:
        return Checkpoint(self._tuned_file(stage), self.spec.run_id, self.inputs, self.note, interim.unfit)

    def _interim(self, stage: Stage, number: int) -> Interim:
        return Interim(interim_file(self.folder, number), stage, self.spec.run_id, self.inputs, writes=self.accelerator.is_main_process)

    def _tuned_file(self, stage: int) -> Path:
        return self.folder / f"tuned-{stage}.safetensors"

    def _tuned_files(self) -> list[Path]:
        return [self._tuned_file(number) for number in range(len(self.resolved.stages))]

    def _provenance(self) -> dict[str, Any]:
        execution: dict[str, Any] = {"stacked": self.stacked} if self.stacked > 1 else {}
        if self.options.graphs:
            execution["graphs"] = True
        return provenance_of(self.resolved, self.plugins, self.inputs, execution, self.accelerator.num_processes)


def _parameters(tuner: Tuner) -> tuple[int, int]:
    """How many numbers training changes, and how many there are."""
    return sum(p.numel() for p in tuner.tuned().values()), sum(p.numel() for p in tuner.parameters())
