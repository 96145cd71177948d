"""The trained classifier of a finished run: from pictures to classes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from depthub.compute.device import accelerator
from depthub.encoding.image_features import BATCH, LEAST
from depthub.errors import DepthubError
from depthub.inference.classified import Classified
from depthub.inference.input_images import InputImages, Picture
from depthub.inference.label_space import LabelSpace
from depthub.records.predictions import Predictions
from depthub.records.result import RunResult, TrainedStage
from depthub.spec import BackboneSpec
from depthub.training.evaluation import evaluate
from depthub.training.tuner import Tuner
from depthub.types import ClassSet, Features


class Classifier:
    """The trained method and head of a run, as a function of pictures. Made by `depthub.load`.

    Args:
        result: of the run.
        tuner: backbone, and trained method and head.
        stage: what of the run was trained, with its tests after the last epoch.
        weights: place of the backbone's weights on this machine.
    """

    def __init__(self, result: RunResult, tuner: Tuner, stage: TrainedStage, weights: BackboneSpec) -> None:
        assert result.spec.training is not None, "the spec of a result is resolved"
        self.accelerator = accelerator(result.spec.training.precision)
        self.result, self.stage, self.weights = result, stage, weights
        self.tuner = tuner.to(self.accelerator.device).eval()
        self._images = InputImages(tuner.backbone, result.spec.data)
        self._space = LabelSpace(result, stage)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes of the training."""
        return self.stage.classes.names

    def classify(self, images: Sequence[Picture] | Picture, class_names: Sequence[str] | None = None, *, task: str = "") -> Classified:
        """Tell classes apart in N images.

        Among classes of the training alone, the head reads its own rows, as in the run; as soon as one class is new, it reads all as new
        classes: DePT, for example, by image-text matching alone.

        Args:
            images: pictures, paths of picture files, or pixels (N, 3, H, W) or (3, H, W) as the backbone reads them, normalised.
            class_names: the classes to tell apart; by default, without a task, those of the training.
            task: a test task of the run, in place of class names.

        Raises:
            DepthubError: for a class that this method or head cannot name, or a picture that cannot be read.
        """
        classes = self.classes(class_names, task)
        scores = torch.cat([self._scores(self.inputs(pixels), classes) for pixels in self._images.batches(images)])
        return Classified(classes.names, scores, scores if self.tuner.gives_probabilities(classes) else scores.softmax(dim=1))

    def predict(self, inputs: Tensor, labels: Sequence[int], classes: ClassSet, task: str = "") -> Predictions:
        """Predictions of N labelled images, as a run records them.

        Args:
            inputs: pixels (N, 3, H, W), or features (N, d) where the method does not tune the image side.
            labels: N indices into `classes`.
            classes: the M classes to tell apart.
            task: its name, for messages.
        """
        return evaluate(self.tuner, TensorDataset(inputs, torch.tensor(labels)), classes, self.accelerator, task=task)

    def classes(self, class_names: Sequence[str] | None = None, task: str = "") -> ClassSet:
        """The class set of names, or of a test task; a class of the run keeps its identity.

        Raises:
            DepthubError: for anything but names that texts can tell apart, and that the method and head can name.
        """
        if class_names is not None and task:
            raise DepthubError("give class_names or a task, not both")
        if task:
            return self._space.of_task(task)
        if class_names is None:
            return self.stage.classes
        return self._nameable(self._space.of_names(class_names))

    def recognised(self, classes: ClassSet, where: str = "classes", homonyms: Sequence[str] = ()) -> ClassSet:
        """Classes of another list, in the run's label space: one with the words of a class of the run is that class.

        Args:
            classes: M of them; their templates are kept.
            where: the origin of the list, for messages.
            homonyms: words that several of them share in the published list itself.

        Raises:
            DepthubError: for classes that no text tells apart, or that the method or head cannot name.
        """
        return self._nameable(self._space.recognised(classes, where, homonyms))

    def _nameable(self, classes: ClassSet) -> ClassSet:
        self.tuner.check(classes)
        return classes

    @torch.no_grad()
    def image_features(self, images: Sequence[Picture] | Picture) -> Tensor:
        """Features of N images, (N, d), not normalised."""
        batches = (self.inputs(pixels) for pixels in self._images.batches(images))
        return torch.cat([self._features(batch, self.stage.classes).image.cpu() for batch in batches])

    @torch.no_grad()
    def inputs(self, pixels: Tensor) -> Tensor:
        """The method's inputs of pixels (N, 3, H, W): themselves, or features (N, d) where it does not tune the image side."""
        if self.tuner.method.tunes_image:
            return pixels
        # fewer than LEAST images are encoded together with copies of themselves, as in a run, so that their features are the same
        parts = [part if len(part) >= LEAST else part[torch.arange(LEAST) % len(part)] for part in torch.split(pixels, BATCH)]
        device = self.tuner.backbone.scale.device
        return torch.cat([self.tuner.backbone.encode_image(part.to(device)).cpu() for part in parts])[: len(pixels)]

    def text_features(self, class_names: Sequence[str] | None = None, *, task: str = "") -> Tensor:
        """Features of M classes, (M, d), not normalised.

        Raises:
            DepthubError: if they depend on the image, or as `classes` does.
        """
        self.require_static_text("classify images instead")
        return self._features(self._blank(), self.classes(class_names, task)).text.cpu()

    @torch.no_grad()
    def require_static_text(self, remedy: str) -> None:
        """Refuse to go on where the text features depend on the image.

        Args:
            remedy: for the message.

        Raises:
            DepthubError: if they do.
        """
        if self.tuner.method.needs_image or self._features(self._blank(), self.stage.classes).text.ndim != 2:
            raise DepthubError(f"the text features of {self.result.spec.method.name} depend on the image; {remedy}")

    def pixels(self, images: Sequence[Picture] | Picture) -> Tensor:
        """Pixels (N, 3, H, W).

        Raises:
            DepthubError: for a picture that cannot be read, and pixels of another shape than the backbone reads.
        """
        return torch.cat(list(self._images.batches(images)))

    def _blank(self) -> Tensor:
        """The method's input of one black image."""
        return self.inputs(torch.zeros(1, 3, *self.tuner.backbone.image_size))

    @torch.no_grad()
    def _scores(self, inputs: Tensor, classes: ClassSet) -> Tensor:
        """Scores (N, M), on the CPU."""
        device = self.accelerator.device
        with self.accelerator.autocast():
            return torch.cat([self.tuner(batch.to(device), classes).float().cpu() for batch in torch.split(inputs, BATCH)])

    @torch.no_grad()
    def _features(self, batch: Tensor, classes: ClassSet) -> Features:
        return self.tuner.method.features(self.tuner.backbone, batch.to(self.accelerator.device), classes)
