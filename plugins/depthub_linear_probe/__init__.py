"""Linear probes: a linear classifier on image features, as a head that is trained with any method, and as a method that is fitted at once.

Radford et al., https://arxiv.org/abs/2103.00020, section 3.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from depthub import Backbone, ClassSet, DepthubError, Features, Head, Method, Preset, hookimpl, trained_rows

TOLERANCE = 1e-7  # of the gradient of the mean loss


class LinearProbe(Head):
    """A linear classifier with a bias, trained by the run's recipe; it does not read the text and has nothing to say about new classes.

    Args:
        normalize: L2-normalise the features first.
        decay: weight of half the squared weights in the loss, beside the recipe's weight decay.
        lr_scale: learning rate relative to the method's.
    """

    takes_subsets = True

    def __init__(self, dim: int, classes: ClassSet, *, normalize: bool = False, decay: float = 0.0, lr_scale: float = 6.5) -> None:
        super().__init__(dim, classes)
        self.classes, self.normalize, self.decay, self.lr_scale = classes, normalize, decay, lr_scale
        self.classifier = nn.Linear(dim, len(classes))

    def loss(self, features: Features, labels: Tensor) -> Tensor:
        return F.cross_entropy(self(features), labels) + 0.5 * self.decay * self.classifier.weight.square().sum()

    def forward(self, features: Features) -> Tensor:
        """Logits, (B, M)."""
        image = F.normalize(features.image, dim=-1) if self.normalize else features.image
        logits: Tensor = self.classifier(image)
        return logits[:, trained_rows(features.classes, self.classes)]

    def check(self, classes: ClassSet) -> None:
        trained_rows(classes, self.classes)


class LogisticRegression(Method):
    """The linear probe of the CLIP and CoOp papers: logistic regression on the frozen image features as they are, with an L2 penalty on the
    weights but not on the bias, at its minimum. Only trained classes have weights; new ones are matched with hand-written prompts.

    Args:
        c: weight of an image's loss beside half the squared weights, scikit-learn's C; published code chooses it by validation images.
        steps: most steps of L-BFGS.
        template: hand-written prompt with `{}` for the class name; empty: the data set's own.
    """

    presets = (Preset("original"),)
    weight: Tensor  # (M, d)
    bias: Tensor  # (M,)

    def __init__(self, backbone: Backbone, classes: ClassSet, *, c: float = 0.316, steps: int = 1000, template: str = "") -> None:
        super().__init__(backbone, classes)
        if c <= 0 or steps < 1:
            raise DepthubError(f"LogisticRegression: c {c}, steps {steps}, expected a positive number, and at least 1")
        self.classes, self.c, self.steps, self.template = classes, c, steps, template
        self.register_buffer("weight", torch.zeros(len(classes), backbone.dim))
        self.register_buffer("bias", torch.zeros(len(classes)))

    def prepare(self, backbone: Backbone, images: Tensor, labels: Tensor) -> None:
        image = images.double()  # in single precision the search stops far from the minimum
        weight, bias = (torch.zeros_like(part, dtype=image.dtype, requires_grad=True) for part in (self.weight, self.bias))
        search = torch.optim.LBFGS(
            [weight, bias], max_iter=self.steps, tolerance_grad=TOLERANCE, tolerance_change=0, line_search_fn="strong_wolfe"
        )

        def loss() -> Tensor:
            search.zero_grad()
            value = F.cross_entropy(image @ weight.T + bias, labels) + weight.square().sum() / (2 * self.c * len(image))
            value.backward()  # type: ignore[no-untyped-call]
            return value

        search.step(loss)  # type: ignore[no-untyped-call]
        self.weight, self.bias = weight.detach().to(self.weight.dtype), bias.detach().to(self.bias.dtype)

    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        image, text = backbone.encode_image(images), backbone.encode_sentences(classes.sentences(self.template))
        places = torch.tensor(classes.places_in(self.classes), device=image.device)
        probe = (image @ self.weight.T + self.bias)[:, places]
        matching = backbone.scale * F.normalize(image, dim=-1) @ F.normalize(text, dim=-1).T  # which the probe takes the place of
        return Features(image, text, backbone.scale, classes, added=torch.where(places >= 0, probe - matching, 0))


@hookimpl
def depthub_methods() -> list[type[Method]]:
    return [LogisticRegression]


@hookimpl
def depthub_heads() -> list[type[Head]]:
    return [LinearProbe]
