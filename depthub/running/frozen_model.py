"""The frozen model of a run, and the check that no method changes it: the runs that follow share it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from depthub.boundary.frozen import check_hooks, check_unchanged, marks
from depthub.boundary.outputs import explain_constructor_error
from depthub.encoding.sentences import check_texts
from depthub.running.models import forget_models, frozen, untrained

if TYPE_CHECKING:
    import torch

    from depthub.protocol import Stage
    from depthub.registry.plugins import Plugins
    from depthub.running.options import RunOptions
    from depthub.spec import RunSpec
    from depthub.training.tuner import Tuner


class FrozenModel:
    """The backbone of a run, with a mark of each of its parts at the start.

    Args:
        spec: of the run, resolved.
        options: of the run.
        device: to compute on.

    Raises:
        DepthubError: for weights that cannot be loaded.
    """

    def __init__(self, spec: RunSpec, options: RunOptions, device: torch.device) -> None:
        self.spec, self.device = spec, device
        self.backbone = frozen(spec.backbone, options.download).to(device)
        self.backbone.recompute = options.recompute
        self._marks = marks(self.backbone)

    def tuner(self, stage: Stage, plugins: Plugins) -> Tuner:
        """The untrained method and head of a stage around the model.

        Args:
            stage: of the run.
            plugins: that provide method and head.

        Raises:
            DepthubError: if the model cannot read the texts of a class, or if method or head cannot be made, cannot name a test task's
                classes, or changed the model.
        """
        for classes in {stage.train.classes, *(task.classes for task in stage.tests)}:
            check_texts(self.backbone.tokenizer, self.backbone.context_length, classes)
        try:
            tuner = untrained(self.spec, self.backbone, stage.train.classes, plugins)
        except Exception as error:
            explain_constructor_error(error)
            raise
        self.check(tuner)
        for task in stage.tests:
            tuner.check(task.classes)
        return tuner.to(self.device)

    def check(self, tuner: Tuner) -> None:
        """Check that the model is unchanged; if it is not, the next run loads a new one.

        Raises:
            DepthubError: if the method changed the model, or added something to it that is never called.
        """
        if marks(self.backbone) != self._marks:
            forget_models()
            check_unchanged(self._marks, self.backbone, tuner.method)
            check_hooks(self.backbone, tuner.method)
