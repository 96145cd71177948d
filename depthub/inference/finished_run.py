"""A finished run, ready to be loaded: its result, with what lies beside its file on this machine."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from depthub.errors import DepthubError
from depthub.inference.installed_code import require_code
from depthub.records.document import read
from depthub.records.result import RunResult
from depthub.registry.plugins import installed
from depthub.running.text_files import TextFiles, with_texts
from depthub.spec import RunSpec
from depthub.values.places import absolute_run, changed


def finished(run: RunResult | Path | str, stage: int, texts: str) -> tuple[RunResult, Path]:
    """The result of a run with the texts of its classes, and the run's folder.

    Args:
        run: a result, or the run's folder.
        stage: number of the run's training.
        texts: the place of the run's file of class texts; empty: the name that the run has for it.

    Raises:
        DepthubError: if files of the run are missing or damaged, or its method or head is not installed.
    """
    result = run if isinstance(run, RunResult) else read(Path(run))
    folder = _folder(result, stage)
    require_code(result, installed())
    return _with_texts(result, texts), folder


def with_runs(spec: RunSpec, root: Path) -> RunSpec:
    """The spec with the folders of finished runs that the method's settings name, which lie beside the run's own."""
    return replace(spec, method=replace(spec.method, settings=changed(spec.method.settings, partial(absolute_run, root=root))))


def _folder(result: RunResult, stage: int) -> Path:
    """The folder of a run that can be loaded.

    Raises:
        DepthubError: if it has none, or lacks records that are needed.
    """
    if not result.stages or result.provenance.get("inputs") is None:
        raise DepthubError("this run has schema 1.0, which did not record its classes; run it again to use it")
    if result.folder is None:
        raise DepthubError("this run has no folder with its tuned parameters, as packed runs have none; run it again to use it")
    if not 0 <= stage < len(result.stages):
        raise DepthubError(f"stage is {stage}, expected 0 to {len(result.stages) - 1}")
    return result.folder


def _with_texts(result: RunResult, place: str) -> RunResult:
    """The result with the texts of its classes, which run files do not repeat, in a run that has some.

    Raises:
        DepthubError: if they are not there, or not the run's.
    """
    spec = with_texts(result.spec, place)
    if spec.texts is None:
        return result
    texts = TextFiles(installed()).load(spec.texts)
    stages = tuple(replace(stage, classes=texts.of(stage.classes)) for stage in result.stages)
    tasks = {name: replace(task, classes=texts.of(task.classes)) for name, task in result.tasks.items()}
    return replace(result, spec=spec, stages=stages, tasks=tasks)
