"""A finished run at work: pictures to classes, with nothing but the run's folder and the backbone's weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from PIL.Image import Image
from torch import Tensor
from torch.utils.data import TensorDataset

from depthub.boundary import check_classes
from depthub.compute.device import accelerator
from depthub.data import pictures
from depthub.data.class_names import words
from depthub.data.views import transform
from depthub.encoding.backbone import Backbone
from depthub.encoding.image_features import BATCH, LEAST
from depthub.errors import DepthubError, UnknownNameError
from depthub.identity.file_digests import file_sha256
from depthub.identity.inputs import differences, saying
from depthub.inference.classified import Classified
from depthub.records.document import read
from depthub.records.predictions import Predictions
from depthub.records.result import RunResult, TrainedStage
from depthub.registry.plugins import Plugins, installed
from depthub.running.models import frozen, untrained
from depthub.running.resolving import code_of
from depthub.spec import BackboneSpec
from depthub.system.activity import tell
from depthub.training.checkpoint import Checkpoint
from depthub.training.evaluation import evaluate
from depthub.training.tuner import Tuner
from depthub.types import ClassSet, Features

Picture = Image | Path | str | Tensor


class Classifier:
    """What a run trained, as a function of pictures. Made by `depthub.load`.

    Args:
        result: of the run.
        tuner: backbone, and trained method and head.
        stage: what of the run was trained.
        weights: where the backbone's weights lie on this machine.
    """

    def __init__(self, result: RunResult, tuner: Tuner, stage: TrainedStage, weights: BackboneSpec) -> None:
        assert result.spec.training is not None, "the spec of a result is resolved"
        self.accelerator = accelerator(result.spec.training.precision)
        self.result, self.tuner, self.stage, self.weights = result, tuner.to(self.accelerator.device).eval(), stage, weights
        backbone = tuner.backbone
        self._transform = transform(backbone.image_size, backbone.image_statistics, augment=False)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes that it was trained on."""
        return self.stage.classes.names

    def classify(self, images: Sequence[Picture] | Picture, class_names: Sequence[str] | None = None, *, task: str = "") -> Classified:
        """Tell classes apart in N images.

        On the classes that it was trained on, or some of them, the head reads its own rows, as in the run; where a class is new, as it
        reads new classes: DePT, for example, by image-text matching alone.

        Args:
            images: pictures, paths of picture files, or pixels (N, 3, H, W) or (3, H, W) as the backbone reads them, normalised.
            class_names: the classes to tell apart; those of the training if neither they nor a task are given.
            task: a test task of the run, whose classes are told apart.

        Raises:
            DepthubError: for a class that this method or head cannot name, or a picture that cannot be read.
        """
        classes = self.classes(class_names, task)
        scores = torch.cat([self._scores(self.inputs(pixels), classes) for pixels in self._batches(images)])
        return self._classified(scores, classes)

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
        """The class set of names, or of a test task; a class that the run knows keeps its identity.

        Raises:
            DepthubError: for names that are no classes, or that the method or head cannot name.
        """
        if class_names is not None and task:
            raise DepthubError("give class_names or a task, not both")
        if task:
            if task not in self.stage.tests:
                raise UnknownNameError("test task", task, self.stage.tests)
            return self.result.tasks[task].classes
        return self.stage.classes if class_names is None else self._named(class_names)

    def recognised(self, classes: ClassSet, where: str = "classes", homonyms: Sequence[str] = ()) -> ClassSet:
        """Classes of another list, in the run's label space: one with the words of a class that the run knows is that class.

        Args:
            classes: M of them; their templates are kept.
            where: whose they are, for messages.
            homonyms: words that several of them share in the published list itself.

        Raises:
            DepthubError: for classes that no text tells apart, or that the method or head cannot name.
        """
        space, known = self.stage.classes.space, self._known()
        said = [words(name) for name in classes.names]
        if classes.space != space or any(known.get(i, name) != name for i, name in zip(classes.ids, said, strict=True)):
            ids = {name: i for i, name in reversed(known.items())}  # of classes with the same words the first, a trained one
            new = max(known) + 1
            # a second class with the same words gets a number of its own, and is refused below
            classes = replace(classes, space=space, ids=tuple(ids.pop(name, new + place) for place, name in enumerate(said)))
        check_classes(classes, where, homonyms)
        self.tuner.check(classes)
        return classes

    def _known(self) -> dict[int, str]:
        """Words of every class of the run's label space by its id, the trained ones first."""
        tasks = [task.classes for task in self.result.tasks.values() if task.classes.space == self.stage.classes.space]
        pairs = [pair for known in (self.stage.classes, *tasks) for pair in zip(known.ids, known.names, strict=True)]
        return dict(zip((i for i, _ in pairs), (words(name) for _, name in pairs), strict=True))

    @torch.no_grad()
    def image_features(self, images: Sequence[Picture] | Picture) -> Tensor:
        """Features of N images, (N, d), not normalised."""
        batches = (self.inputs(pixels) for pixels in self._batches(images))
        return torch.cat([self._features(batch, self.stage.classes).image.cpu() for batch in batches])

    @torch.no_grad()
    def inputs(self, pixels: Tensor) -> Tensor:
        """What the method reads of pixels (N, 3, H, W): themselves, or features (N, d) where it does not tune the image side."""
        if self.tuner.method.tunes_image:
            return pixels
        parts = [part if len(part) >= LEAST else part[torch.arange(LEAST) % len(part)] for part in torch.split(pixels, BATCH)]
        device = self.tuner.backbone.scale.device  # a few images are encoded with copies of them beside, as in a run
        return torch.cat([self.tuner.backbone.encode_image(part.to(device)).cpu() for part in parts])[: len(pixels)]

    def text_features(self, class_names: Sequence[str] | None = None, *, task: str = "") -> Tensor:
        """Features of M classes, (M, d), not normalised.

        Raises:
            DepthubError: if they depend on the image, or as `classes` does.
        """
        self.require_static_text("classify images instead")
        blank = self.inputs(torch.zeros(1, 3, *self.tuner.backbone.image_size))
        return self._features(blank, self.classes(class_names, task)).text.cpu()

    @torch.no_grad()
    def require_static_text(self, remedy: str) -> None:
        """Refuse to go on where the text features depend on the image.

        Args:
            remedy: what to do then, for the message.

        Raises:
            DepthubError: if they do.
        """
        blank = self.inputs(torch.zeros(1, 3, *self.tuner.backbone.image_size))
        if self.tuner.method.needs_image or self._features(blank, self.stage.classes).text.ndim != 2:
            raise DepthubError(f"the text features of {self.result.spec.method.name} depend on the image; {remedy}")

    def pixels(self, images: Sequence[Picture] | Picture) -> Tensor:
        """Pixels (N, 3, H, W).

        Raises:
            DepthubError: for a picture that cannot be read, and pixels of another shape than the backbone reads.
        """
        return torch.cat(list(self._batches(images)))

    def _batches(self, images: Sequence[Picture] | Picture) -> Iterator[Tensor]:
        """Pixels of images, at most `BATCH` of them at a time; none are an error."""
        if isinstance(images, Tensor):
            yield from torch.split(self._checked(images), BATCH)
            return
        if isinstance(images, Image | Path | str):
            images = [images]
        if not len(images):
            raise DepthubError("no images are given; expected at least one")
        for start in range(0, len(images), BATCH):
            yield torch.stack([self._read(image) for image in images[start : start + BATCH]])

    def _checked(self, pixels: Tensor) -> Tensor:
        size = self.tuner.backbone.image_size
        if pixels.shape[-3:] != (3, *size) or pixels.ndim not in (3, 4) or not pixels.numel() or not pixels.is_floating_point():
            given = f"{pixels.dtype} of shape {tuple(pixels.shape)}"
            raise DepthubError(f"images are {given}, expected normalised pixels of shape (N, 3, {size[0]}, {size[1]})")
        return pixels if pixels.ndim == 4 else pixels[None]

    def _read(self, image: Picture) -> Tensor:
        if isinstance(image, Tensor):
            return self._checked(image)[0]
        if not isinstance(image, Image | Path | str):
            raise DepthubError(f"an image is a {type(image).__name__}, expected a picture (PIL.Image.Image), a path or pixels (3, H, W)")
        data = self.result.spec.data
        if isinstance(image, Image):
            return self._transform(pictures.rgb(image, data.background))
        edge = 2 * max(self.tuner.backbone.image_size) if data.decoding == "draft" else 0
        return self._transform(pictures.read(Path(image), data.background, edge))

    def _named(self, names: Sequence[str]) -> ClassSet:
        if isinstance(names, str) or not len(names) or not all(isinstance(name, str) for name in names):
            raise DepthubError(f"class_names is {names!r:.80}, expected a list of names")
        named = replace(self.stage.classes, space="", ids=tuple(range(len(names))), names=tuple(names))
        return self.recognised(named, "class_names")

    @torch.no_grad()
    def _scores(self, inputs: Tensor, classes: ClassSet) -> Tensor:
        """Scores (N, M), on the CPU."""
        device = self.accelerator.device
        with self.accelerator.autocast():
            return torch.cat([self.tuner(batch.to(device), classes).float().cpu() for batch in torch.split(inputs, BATCH)])

    @torch.no_grad()
    def _features(self, batch: Tensor, classes: ClassSet) -> Features:
        return self.tuner.method.features(self.tuner.backbone, batch.to(self.accelerator.device), classes)

    def _classified(self, scores: Tensor, classes: ClassSet) -> Classified:
        given = self.tuner.gives_probabilities(classes)
        return Classified(classes.names, scores, scores if given else scores.softmax(dim=1))


def load(run: RunResult | Path | str, *, backbone: BackboneSpec | None = None, stage: int = 0, download: bool = False) -> Classifier:
    """What a finished run trained.

    Args:
        run: a result, or the run's folder.
        backbone: where the backbone's weights lie, if not where the run found them; other weights are refused.
        stage: which of the run's trainings.
        download: whether the network may be asked for weights that are not on this machine.

    Raises:
        DepthubError: if files of the run are missing or damaged, the weights are not the run's, or its method or head is not installed.
    """
    tell("loading the run")
    result = run if isinstance(run, RunResult) else read(Path(run))
    inputs = result.provenance.get("inputs")
    if not result.stages or inputs is None:
        raise DepthubError("this run has schema 1.0, which did not record its classes; run it again to use it")
    if result.folder is None or not 0 <= stage < len(result.stages):
        raise DepthubError(f"stage is {stage}, expected 0 to {len(result.stages) - 1} of a run on disk")
    plugins, trained = installed(), result.stages[stage]
    require_code(result, plugins)
    weights = replace(backbone or result.spec.backbone, sha256=result.spec.backbone.sha256)
    model = _model(weights, download, "" if backbone else "; name their place with backbone (--backbone.model, --backbone.pretrained)")
    if (present := model.digest()) != inputs["backbone"]:
        raise DepthubError(
            f"the backbone's weights are not the run's: sha256 {present[:12]}, expected {inputs['backbone'][:12]}; "
            "name the right ones with backbone"
        )
    tuner = untrained(result.spec, model, trained.classes, plugins)
    _restore(result, result.folder / f"tuned-{stage}.safetensors", tuner)
    return Classifier(result, tuner, trained, weights)


def require_code(result: RunResult, plugins: Plugins) -> None:
    """Refuse a run whose method and head are other code than what is installed.

    Raises:
        DepthubError: if they are, or are not installed at all.
    """
    present = code_of(result.spec, plugins)
    recorded = {part: code for part, code in result.provenance["inputs"]["code"].items() if part.startswith(("methods", "heads"))}
    if differing := differences(saying(recorded), saying({part: present.get(part) for part in recorded})):
        raise DepthubError(
            f"this run cannot be used with the code that is installed: {'; '.join(differing)}; install that version, or run it again"
        )


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
    """Load what was tuned."""
    if not tuner.tuned():
        return
    if not path.is_file():
        raise DepthubError(f"no {path}: it holds what the run tuned; run it again with --force")
    if file_sha256(path) != result.files.get(path.name):
        raise DepthubError(f"{path} is not the file that the run beside it was written with; run it again with --force")
    Checkpoint(path, result.spec.run_id).restore(tuner, torch.optim.SGD(tuner.tuned().values()))
