"""A classifier from a run's folder: the frozen model and the tuned parameters, both compared with the run's records."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from depthub.errors import DepthubError
from depthub.identity.file_digests import file_sha256
from depthub.inference.classifier import Classifier
from depthub.inference.installed_code import require_code
from depthub.records.document import read
from depthub.records.result import RunResult, TrainedStage
from depthub.registry.plugins import installed
from depthub.running.models import frozen, untrained
from depthub.spec import BackboneSpec
from depthub.system.activity import tell
from depthub.training.checkpoint import Checkpoint

if TYPE_CHECKING:
    from depthub.encoding.backbone import Backbone
    from depthub.training.tuner import Tuner


def load(run: RunResult | Path | str, *, backbone: BackboneSpec | None = None, stage: int = 0, download: bool = False) -> Classifier:
    """The trained classifier of a finished run.

    Args:
        run: a result, or the run's folder.
        backbone: the place of the backbone's weights, if it is not the one that the run names; other weights are refused.
        stage: number of the run's training.
        download: whether weights that are not on this machine may be downloaded.

    Raises:
        DepthubError: if files of the run are missing or damaged, the weights are not the run's, or its method or head is not installed.
    """
    tell("loading the run")
    result = run if isinstance(run, RunResult) else read(Path(run))
    folder = _folder(result, stage)
    plugins, trained = installed(), result.stages[stage]
    require_code(result, plugins)
    weights = replace(backbone or result.spec.backbone, sha256=result.spec.backbone.sha256)
    remedy = "" if backbone else "; name their place with backbone (--backbone.model, --backbone.pretrained)"
    model = _model(weights, download, remedy)
    expected = result.provenance["inputs"]["backbone"]
    if (present := model.digest()) != expected:
        raise DepthubError(
            f"the backbone's weights are not the run's: sha256 {present[:12]}, expected {expected[:12]}; name the right ones with backbone"
        )
    tuner = untrained(result.spec, model, trained.classes, plugins)
    _restore(result, folder / f"tuned-{stage}.safetensors", tuner)
    return Classifier(result, tuner, _with_final_tests(trained, result), weights)


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


def _with_final_tests(stage: TrainedStage, result: RunResult) -> TrainedStage:
    """The training with the tests after its last epoch alone: the run keeps the parameters of no other."""
    return replace(stage, tests=tuple(task for task in stage.tests if result.tasks[task].epoch is None))


def _model(weights: BackboneSpec, download: bool, remedy: str) -> Backbone:
    """The frozen model of a run.

    Raises:
        DepthubError: if it is not there; `remedy` ends the message.
    """
    try:
        return frozen(weights, download)
    except DepthubError as error:
        raise DepthubError(f"{error}{remedy}") from error


def _restore(result: RunResult, path: Path, tuner: Tuner) -> None:
    """Load the tuned parameters."""
    if not tuner.tuned():
        return
    if not path.is_file():
        raise DepthubError(f"no {path}: it holds what the run tuned; run it again with --force")
    if file_sha256(path) != result.files.get(path.name):
        raise DepthubError(f"{path} is not the file that the run beside it was written with; run it again with --force")
    Checkpoint(path, result.spec.run_id).restore(tuner, torch.optim.SGD(tuner.tuned().values()))
