"""Records of trainings of layers inside the towers, on cached states of the layers before and on some of the classes at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from depthub.encoding import overlaid
from depthub.head import ITM
from depthub.registry.plugins import installed
from depthub.registry.settings import complete, make
from depthub.spec import Component
from depthub.testing.golden import model as small_clip
from depthub.testing.golden.comparison import Comparison
from depthub.training.tuner import Tuner
from depthub.types import ClassSet

SETTINGS = {"START_LAYER": "first_layer", "TOP_RATIO": "top_ratio", "MAX_TOP": "max_top", "LAMBDA": "decay"}
TOWERS = {"image_encoder.": "image", "learnable_params.text_encoder.": "text"}  # beginnings of published names
LAYER = "transformer.resblocks."
RECORDED = (1, 5)  # steps after which parameters are recorded
EVALUATIONS = {0: "eval_start", 5: "eval_after5"}


def class_subsets(comparison: Comparison, model: Path | None) -> None:
    """Compare all of such a training: cached states, chosen classes, losses, gradients, parameters, and the evaluations."""
    Case(comparison, model).compare()


class Case:
    """A training case.

    Args:
        comparison: the comparison of its record.
        model: folder of the model; None: see `model.load`.

    Raises:
        DepthubError: if a key or an array is missing or invalid.
    """

    def __init__(self, comparison: Comparison, model: Path | None) -> None:
        self.comparison, self.record = comparison, comparison.record
        record = self.record
        self.backbone = small_clip.load(record.path, model, comparison.dtype)
        names, size = tuple(record.entries(str, "classes")), self.backbone.image_size
        self.classes = ClassSet("golden", tuple(range(len(names))), names, record.key(str, "template"))
        self.images = comparison.floats("images_train", None, None, 3, *size)
        self.labels = comparison.labels("labels_train", len(names), *self.images.shape[:2])
        self.images_eval = comparison.floats("images_eval", None, 3, *size)
        rates = record.key(dict, "optimizer", "lr_of_parameter")
        self.rates = {name: record.rate("optimizer", "lr_of_parameter", name) for name in rates}
        self.tuner = self._tuner()
        self.parameters = {name: self.tuner.get_parameter(_place(name)) for name in self.rates}

    def compare(self) -> None:
        """Compare everything in the order of the training."""
        self._compare_states()
        optimizer = torch.optim.SGD(
            [{"params": [parameter], "lr": self.rates[name]} for name, parameter in self.parameters.items()],
            momentum=self.record.rate("optimizer", "momentum"),
            weight_decay=self.record.rate("optimizer", "weight_decay"),
        )
        losses = list[float]()
        self._evaluate(0)
        for step, (images, labels) in enumerate(zip(self.images, self.labels, strict=True), start=1):
            self._compare_classes(step - 1, images, labels)
            optimizer.zero_grad()
            loss = torch.stack(list(self.tuner(self._states(images), self.classes, labels).values())).sum()
            losses.append(loss.item())
            loss.backward()  # type: ignore[no-untyped-call]
            if step == 1:
                self._compare_gradients()
            optimizer.step()
            if step in RECORDED:
                for name, parameter in self.parameters.items():
                    self.comparison.compare(f"after{step}/{name}", parameter)
                self._evaluate(step)
        self.comparison.compare("loss", torch.tensor(losses, dtype=torch.float64))

    def _tuner(self) -> Tuner:
        record, plugins = self.record, installed()
        settings: dict[str, Any] = {ours: record.key(float, "config", name) for name, ours in SETTINGS.items()}
        whole = {ours: int(settings[ours]) for ours in ("first_layer", "max_top")}
        component = complete(Component(record.key(str, "made_with", "trainer"), settings | whole), "methods", plugins)
        with torch.random.fork_rng(devices=[]):
            method = make(component, "methods", plugins, self.backbone, self.classes)
        return Tuner(self.backbone, method, ITM(self.backbone.dim, self.classes)).to(self.comparison.dtype)

    def _states(self, images: Tensor) -> Tensor:
        """What the training is given of images: the tokens before the first tuned layer."""
        return self.backbone.image_states(images, self.tuner.method.first_image_layer)

    def _compare_states(self) -> None:
        layer, backbone = self.tuner.method.first_image_layer, self.backbone
        sentences = backbone.sentences_of(self.classes)
        self.comparison.equal("tokens", sentences.ids)
        text = overlaid.states(backbone.text, sentences, layer)[0].transpose(0, 1)
        name = f"{self.comparison.precision}/cached_text"
        if name in self.record.arrays:  # recorded with the padding, which no feature depends on
            recorded = self.comparison.input(name, backbone.context_length, *text.shape[1:])
            self.comparison.note("cached_text", recorded[: len(text)], text.detach().numpy())
        images = torch.stack([self._states(batch).transpose(0, 1) for batch in self.images])
        self.comparison.compare("cached_images", images)
        self.comparison.compare("class_prototypes", getattr(self.tuner.method, "prototypes", None))

    def _compare_classes(self, step: int, images: Tensor, labels: Tensor) -> None:
        """Compare the classes that take part in a step. Which places of the order are kept is chance: it is read from the first step."""
        name, method, number = f"kept_classes/{step}", self.tuner.method, len(self.classes)
        if name not in self.record.arrays:
            return
        recorded = self.comparison.labels(name, number, None)
        with torch.no_grad():
            order: Tensor = method.similarity(self.tuner.features(self._states(images), self.classes).image, labels)  # type: ignore[operator]
        if step == 0 and len(recorded) < number:
            mask = torch.isin(order.argsort(descending=True, stable=True), recorded)
            self.comparison.note("places that are always kept", 1.0, float(mask[: method.top].all()))
            kept: Any = method.kept
            kept.copy_(mask)
        chosen = method.chosen(order)  # type: ignore[operator]
        self.comparison.equal(name, chosen)
        self.comparison.equal(f"kept_labels/{step}", [chosen.index(label) for label in labels.tolist()])

    def _compare_gradients(self) -> None:
        for name, parameter in self.parameters.items():
            self.comparison.compare(f"grad/{name}", parameter.grad)
        names = self.record.entries(str, "grad_norm_names")
        norms = [self.parameters[name].grad.norm().item() if name in self.parameters else float("inf") for name in names]  # type: ignore[union-attr]
        self.comparison.compare("grad_norm", torch.tensor(norms, dtype=torch.float64))

    @torch.no_grad()
    def _evaluate(self, step: int) -> None:
        if step in EVALUATIONS:
            self.comparison.compare(f"{EVALUATIONS[step]}/logits", self.tuner(self.images_eval, self.classes))


def _place(name: str) -> str:
    """Our name of a published parameter: `image_encoder.proj` is `method.image.end.proj`."""
    start = next((start for start in TOWERS if name.startswith(start)), "")
    rest = name.removeprefix(start)
    inner = f"layers.{rest.removeprefix(LAYER)}" if rest.startswith(LAYER) else f"end.{rest}"
    return f"method.{TOWERS.get(start, '')}.{inner}"
