"""Backbone, method and head as one module: the single forward pass that training and evaluation share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from depthub.boundary import outputs
from depthub.boundary.frozen import check_hooks
from depthub.boundary.outputs import HEAD
from depthub.boundary.owner import owner_name, refuse, within
from depthub.encoding.backbone import Backbone
from depthub.encoding.prompt_checks import PromptsError
from depthub.errors import DepthubError
from depthub.head import Head
from depthub.method import Method, PromptMethod
from depthub.types import ClassSet, Features

FULL = (torch.float32, torch.float64)
MOST = 1e38  # learning rate; near the largest number of fp32


class Tuner(nn.Module):
    """Tuned method and head around a frozen backbone. All trainable parts are used in `forward`, which mixed precision wraps.

    Results of method and head are checked: features and probabilities in the first batch of every training and test task, the rest always.

    Raises:
        DepthubError: if the method or head is not a module, or its constructor does not call that of the base class.
    """

    def __init__(self, backbone: Backbone, method: Method, head: Head) -> None:
        super().__init__()
        outputs.check_part(method, "method")
        outputs.check_part(head, "head")
        self.backbone, self.method, self.head = backbone, method, head
        self._checked: dict[tuple[str, bool], ClassSet] = {}  # (what, in training or not) -> classes of the last check

    def forward(self, images: Tensor, classes: ClassSet, labels: Tensor | None = None) -> Tensor | dict[str, Tensor]:
        """Scores, or with labels the losses to add up.

        Args:
            images: pixels (B, 3, H, W), or image features (B, d) for methods that do not tune the image side.
            classes: the M classes to tell apart.
            labels: (B,), indices into `classes`, in training.

        Returns:
            Scores (B, M); with labels a dict of losses, each ().

        Raises:
            DepthubError: for features, scores and losses of another shape.
        """
        features = self.features(images, classes, labels)
        if labels is None:
            return self.scores(features)
        return self.losses(features, labels if features.classes is classes else self._remapped(features.classes, classes, labels))

    def features(self, images: Tensor, classes: ClassSet, labels: Tensor | None = None) -> Features:
        """The method's features of B images, as in `forward`, and M classes; with labels those of a training step.

        Raises:
            DepthubError: if they have other shapes, or the backbone cannot read the method's prompts.
        """
        method, layer = self.method, self.method.first_image_layer
        chooses = labels is not None and overrides(method, "training_features")
        with within("method", method), self.backbone.from_states(layer) if layer else nullcontext():
            try:
                if labels is None:
                    features = method.features(self.backbone, images, classes)
                else:
                    features = method.training_features(self.backbone, images, classes, labels)
            except PromptsError as error:
                self._refuse_prompts(error)
        if self._first("features", classes):
            check_hooks(self.backbone, method)
            outputs.check_features(method, features, len(images), classes, self.backbone.scale, self.backbone.dim, step=chooses)
        return features

    def prepare(self, images: Tensor, labels: Tensor) -> None:
        """Give the method the training set before the first step, see `Method.prepare`.

        Raises:
            DepthubError: if it returns a value.
        """
        outputs.prepare(self.method, self.backbone, images, labels)

    def scores(self, features: Features) -> Tensor:
        """The head's scores of the features, (B, M).

        Raises:
            DepthubError: if they have another shape, or are not probabilities though the head says so.
        """
        with full_precision(features) as precise, within("head", self.head):
            scores: Tensor = self.head(precise)
        outputs.check_scores(self.head, scores, len(features.image), len(features.classes))
        if self._first("scores", features.classes) and self.gives_probabilities(features.classes):
            outputs.check_probabilities(self.head, scores)
        return scores

    def losses(self, features: Features, labels: Tensor) -> dict[str, Tensor]:
        """The head's loss and the method's own, each (), by name; labels (B,) index the features' classes.

        Raises:
            DepthubError: if one is not a single number, or one of the method's has the head's name.
        """
        with full_precision(features) as precise:
            with within("head", self.head):
                loss = self.head.loss(precise, labels)
            with within("method", self.method):
                regularisers = self.method.losses(replace(precise, labels=labels)) if overrides(self.method, "losses") else {}
        outputs.check_losses(self.method, regularisers)
        outputs.check_loss(self.head, loss)
        weight = self.method.head_weight
        return {HEAD: loss if weight == 1 else weight * loss, **regularisers}

    def gives_probabilities(self, classes: ClassSet) -> bool:
        """Whether the head's scores over these classes are probabilities, see `Head.gives_probabilities`.

        Raises:
            DepthubError: if the answer is neither True nor False.
        """
        return outputs.gives_probabilities(self.head, classes)

    def check(self, classes: ClassSet) -> None:
        """Refuse classes that the method cannot name or the head cannot read.

        Raises:
            DepthubError: if one cannot, or its `check` returns a value or raises another error.
        """
        outputs.call_check(self.method, "method", classes)
        outputs.call_check(self.head, "head", classes)

    def after_epoch(self, epoch: int, epochs: int) -> None:
        """Call the method's `after_epoch`.

        Raises:
            DepthubError: if it returns a value.
        """
        outputs.after_epoch(self.method, epoch, epochs)

    def tuned(self) -> dict[str, nn.Parameter]:
        """Every trainable parameter by name; nothing of the backbone."""
        return {name: p for name, p in self.named_parameters() if p.requires_grad}

    def parameter_groups(self, lr: float) -> list[dict[str, Any]]:
        """For the optimiser, by name: the method at `lr`, the head at `lr` times its own scale.

        Raises:
            DepthubError: if the head's rate is negative, or too large for fp32.
        """
        scale = self.head.lr_scale
        if not isinstance(scale, int | float) or not 0 <= scale * lr <= MOST:
            raise DepthubError(f"{owner_name('head', self.head)}: lr_scale is {scale!r}, expected a factor of 0 to {MOST / (lr or 1):g}")
        groups = [*_groups_of(self.method, lr), {"name": "head", "params": _trainable(self.head), "lr": lr * scale}]
        return [group for group in groups if group["params"]]

    def _remapped(self, chosen: ClassSet, classes: ClassSet, labels: Tensor) -> Tensor:
        """Labels (B,), indices into `classes`, as indices into the classes that the method has chosen for a step.

        Raises:
            DepthubError: if a label's class is not among them, or the head compares all training classes.
        """
        rows = chosen.rows_in(classes)
        place = torch.full((len(classes),), -1, device=labels.device)
        if rows is not None:
            place[torch.tensor(rows, device=labels.device)] = torch.arange(len(rows), device=labels.device)
        remapped = place[labels]
        owner = owner_name("method", self.method)
        if rows is None or (remapped < 0).any():
            expected = "training classes, and every label's among them"
            refuse(owner, type(self.method).training_features, "training_features() chooses other classes", expected)
        if not self.head.takes_subsets and chosen != classes:
            head = owner_name("head", self.head)
            raise DepthubError(
                f"{owner} trains on some of the classes at a time, but {head} compares all: take another, or say takes_subsets"
            )
        return remapped

    def _first(self, what: str, classes: ClassSet) -> bool:
        """Whether the classes differ from those of the last call in this mode: a training or a test task begins."""
        key = (what, self.training)
        first = self._checked.get(key) is not classes
        self._checked[key] = classes
        return first

    def _refuse_prompts(self, error: PromptsError) -> NoReturn:
        """Refuse prompts in the name of the method.

        Raises:
            DepthubError: always.
        """
        owner = owner_name("method", self.method)
        if isinstance(self.method, PromptMethod):
            refuse(owner, self.method.prompts, f"prompts() gives {error.description}", error.expected)
        refuse(owner, self.method.features, f"features() gives the backbone {error.description}", error.expected)


def overrides(method: Method | type[Method], name: str) -> bool:
    """Whether a method has its own implementation of an optional part of the contract."""
    return getattr(method if isinstance(method, type) else type(method), name) is not getattr(Method, name)


def _trainable(part: nn.Module) -> list[nn.Parameter]:
    return [p for p in part.parameters() if p.requires_grad]


def _groups_of(method: Method, lr: float) -> list[dict[str, Any]]:
    """The method's parameter groups: one for each of its `lr_scales`, and one for the rest.

    Raises:
        DepthubError: for a name that no parameter has, or a factor that is none.
    """
    owner, rest, groups = owner_name("method", method), {name: p for name, p in method.named_parameters() if p.requires_grad}, []
    for part, scale in method.lr_scales.items():
        named = [name for name in rest if name == part or name.startswith(f"{part}.")]
        if not named or not isinstance(scale, int | float) or not 0 <= scale * lr <= MOST:
            raise DepthubError(f"{owner}: lr_scales has {scale!r} for {part!r}, expected a factor of at least 0 for a trained part")
        groups.append({"name": f"method.{part}", "params": [rest.pop(name) for name in named], "lr": lr * scale})
    return [{"name": "method", "params": [*rest.values()], "lr": lr}, *groups]


@contextmanager
def full_precision(features: Features) -> Iterator[Features]:
    """The features in fp32, or in fp64 if they are, for a block without autocast: in lower precision scores of different classes tie, and
    losses lose their small differences."""
    parts = {name: getattr(features, name) for name in ("image", "text", "scale", "reference", "added")}
    lower = {name: part.float() for name, part in parts.items() if part is not None and part.dtype not in FULL}
    with torch.autocast(features.image.device.type, enabled=False):
        if features.readouts and any(value.dtype not in FULL for value in features.readouts.values()):
            features = replace(features, readouts={name: value.float() for name, value in features.readouts.items()})
        yield replace(features, **lower) if lower else features
