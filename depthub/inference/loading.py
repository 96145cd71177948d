"""A classifier from a run's folder: the frozen model and the tuned parameters, both compared with the run's records."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from depthub.errors import DepthubError
from depthub.identity.file_digests import file_sha256
from depthub.inference.classifier import Classifier
from depthub.inference.finished_run import finished, with_runs
from depthub.records.result import RunResult, TrainedStage
from depthub.registry.plugins import installed
from depthub.running.models import frozen, untrained
from depthub.spec import BackboneSpec
from depthub.system.activity import tell
from depthub.training.checkpoint import Checkpoint
from depthub.training.tuner import overrides

if TYPE_CHECKING:
    from depthub.encoding.backbone import Backbone
    from depthub.training.tuner import Tuner


def load(
    run: RunResult | Path | str, *, backbone: BackboneSpec | None = None, stage: int = 0, download: bool = False, texts: str = ""
) -> Classifier:
    """The trained classifier of a finished run.

    Args:
        run: a result, or the run's folder.
        backbone: the place of the backbone's weights, if it is not the one that the run names; other weights are refused.
        stage: number of the run's training.
        download: whether weights that are not on this machine may be downloaded.
        texts: the place of the run's file of class texts, if it is not in this folder; other texts are refused.

    Raises:
        DepthubError: if files of the run are missing or damaged, the weights are not the run's, or its method or head is not installed.
    """
    tell("loading the run")
    result, folder = finished(run, stage, texts)
    trained = result.stages[stage]
    weights = replace(backbone or result.spec.backbone, sha256=result.spec.backbone.sha256)
    remedy = "" if backbone else "; name their place with backbone (--backbone.model, --backbone.pretrained)"
    model = _model(weights, download, remedy)
    expected = result.provenance["inputs"]["backbone"]
    if (present := model.digest()) != expected:
        raise DepthubError(
            f"the backbone's weights are not the run's: sha256 {present[:12]}, expected {expected[:12]}; name the right ones with backbone"
        )
    tuner = untrained(with_runs(result.spec, folder.parent), model, trained.classes, installed())
    _restore(result, folder / f"tuned-{stage}.safetensors", tuner)
    return Classifier(result, tuner, _with_final_tests(trained, result), weights)


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
    if not tuner.tuned() and not overrides(tuner.method, "prepare"):
        return
    if not path.is_file():
        raise DepthubError(f"no {path}: it holds what the run tuned; run it again with --force")
    if file_sha256(path) != result.files.get(path.name):
        raise DepthubError(f"{path} is not the file that the run beside it was written with; run it again with --force")
    Checkpoint(path, result.spec.run_id).restore(tuner)
