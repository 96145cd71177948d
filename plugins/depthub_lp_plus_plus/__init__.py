"""LP++: a linear probe that adds the text features with learned weights, by steps whose sizes follow from the data.

Huang et al., CVPR 2024, https://arxiv.org/abs/2404.02285.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from depthub import Backbone, ClassSet, DepthubError, Features, Method, Preset, hookimpl

MOMENTUM = 0.9
STRENGTH = 250.0  # of the text at the start
EVERY = 10  # steps between two of the text's weights


class LPPlusPlus(Method):
    """Logits are w_c . f + b_c + alpha_c t_c . f for normalised image features f and text features t. Weights w, b and alpha are computed
    once from the whole training set, by gradient descent with step sizes from bounds of the curvature. New classes have zero-shot logits.

    Args:
        steps: of the descent; the last ones count, where the published code chooses by validation images.
        accumulate: as published, a step of alpha follows the sum of all its gradients so far; False: the present gradient.
        views: random views of each training image; 0: the plain image.
        template: hand-written prompt with `{}` for the class name; empty: the data set's own.
    """

    presets = (Preset("original", {"views": 1}, {"crop": 0.5}),)
    weight: Tensor  # (M, d)
    bias: Tensor  # (M,)
    alpha: Tensor  # (M,)

    def __init__(
        self, backbone: Backbone, classes: ClassSet, *, steps: int = 300, accumulate: bool = True, views: int = 0, template: str = ""
    ) -> None:
        super().__init__(backbone, classes)
        if steps < 0 or views < 0:
            raise DepthubError(f"LPPlusPlus: steps {steps}, views {views}, expected at least 0")
        self.classes, self.steps, self.accumulate, self.prepared_views, self.template = classes, steps, accumulate, views, template
        bound = backbone.dim**-0.5
        self.register_buffer("weight", torch.zeros(len(classes), backbone.dim))
        self.register_buffer("bias", torch.empty(len(classes)).uniform_(-bound, bound))
        self.register_buffer("alpha", torch.zeros(len(classes)))

    def text(self, backbone: Backbone, classes: ClassSet) -> Tensor:
        """Text features of the hand-written prompts, (M, d), normalised."""
        return F.normalize(backbone.encode_sentences(classes.sentences(self.template)), dim=-1)

    def prepare(self, backbone: Backbone, images: Tensor, labels: Tensor) -> None:
        labels = labels.repeat_interleave(self.prepared_views or 1)
        image, text = F.normalize(images.reshape(len(labels), -1), dim=-1), self.text(backbone, self.classes)
        similarity, of_class = image @ text.T, F.one_hot(labels, len(self.classes)).to(image.dtype)  # (N, M) each
        weight, bias = of_class.T @ image, self.bias.to(image.dtype)  # sums of the features of each class
        shared = STRENGTH * ((similarity * of_class).sum(dim=0) / of_class.sum(dim=0).clamp(min=1)).mean()
        alpha = shared.expand(len(self.classes)).clone()
        rate = 4 * len(image) / torch.linalg.eigvalsh(image.T @ image)[-1]
        alpha_rate = len(image) / (4 * similarity.square().sum(dim=0).max())
        moved, gathered = [torch.zeros_like(weight), torch.zeros_like(bias)], torch.zeros_like(alpha)
        for step in range(1, self.steps + 1):
            error = ((image @ weight.T + bias + alpha * similarity).softmax(dim=-1) - of_class) / len(image)  # of the mean cross-entropy
            gradients = [error.T @ image, error.sum(dim=0)]
            gathered = (gathered if self.accumulate else 0) + (error * similarity).sum(dim=0)
            moved = [MOMENTUM * velocity + gradient for velocity, gradient in zip(moved, gradients, strict=True)]
            weight, bias = weight - rate * moved[0], bias - rate * moved[1]
            if step % EVERY == 0:
                alpha = alpha - alpha_rate * gathered
        self.weight, self.bias, self.alpha = weight, bias, alpha

    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        image, text, places = backbone.encode_image(images), self.text(backbone, classes), classes.places_in(self.classes)
        unit = F.normalize(image, dim=-1)
        probe = unit @ self.weight.T + self.bias
        strength = F.pad(self.alpha - backbone.scale, (0, 1))[places]  # matching has the text's logits with CLIP's scale already
        added = F.pad(probe, (0, 1))[:, places] + strength * (unit @ text.T)
        return Features(image, text, backbone.scale, classes, added=added)


@hookimpl
def depthub_methods() -> list[type[Method]]:
    return [LPPlusPlus]
