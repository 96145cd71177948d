"""Linear probes: the head through training steps and under DePT, and logistic regression at its minimum."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from depthub import Backbone, DepthubError, Features
from depthub.registry.plugins import installed
from depthub.registry.settings import complete, make
from depthub.spec import Component
from tests.models import CLASSES, random_backbone
from tests.plugins_beyond.steps import BATCH, NEW, assert_near, features, scores, tuner_of


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return random_backbone()


def head(backbone: Backbone, name: str = "LinearProbe", **settings: Any) -> Any:
    torch.manual_seed(3)
    component = complete(Component(name, settings), "heads", installed())
    return make(component, "heads", installed(), backbone.dim, CLASSES).double()


@pytest.mark.parametrize(("normalize", "decay"), [(False, 0.0), (True, 0.3)])
def test_three_steps(backbone: Backbone, normalize: bool, decay: float) -> None:
    probe = head(backbone, normalize=normalize, decay=decay)
    weight, bias = (part.detach().clone().requires_grad_() for part in probe.parameters())
    optimizers = [torch.optim.SGD([*parts], lr=0.05, momentum=0.9) for parts in (probe.parameters(), (weight, bias))]
    text = backbone.encode_sentences(CLASSES.sentences())
    for image, labels in features(backbone):
        logits = (image / image.norm(dim=1, keepdim=True) if normalize else image) @ weight.T + bias
        losses = probe.loss(Features(image, text, backbone.scale, CLASSES), labels), F.cross_entropy(logits, labels)
        expected = losses[1] + decay * (weight**2).sum() / 2
        assert_near(losses[0], expected, "loss")
        for optimizer, loss in zip(optimizers, (losses[0], expected), strict=True):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        for one, other in zip(probe.parameters(), (weight, bias), strict=True):
            assert_near(one.grad, other.grad, "gradient")
            assert_near(one, other, "value")


def test_under_dept(backbone: Backbone) -> None:
    """Beside matching on trained classes; on new ones, which it refuses alone, matching decides."""
    around = head(backbone, "DePT", cat=Component("LinearProbe"))
    image, _ = next(features(backbone))
    trained = Features(image, backbone.encode_sentences(CLASSES.sentences()), backbone.scale, CLASSES)
    new = replace(trained, text=trained.text[:3], classes=NEW)
    assert_near(around(trained), 0.7 * around.cat(trained) + 0.3 * around.itm(trained))
    around.check(NEW)
    assert_near(around(new), around.itm(new))
    with pytest.raises(DepthubError, match="cannot score other classes"):
        around.cat.check(NEW)


@pytest.fixture(scope="module")
def images(backbone: Backbone) -> tuple[Tensor, Tensor]:
    """Six batches of different lengths, with their labels."""
    batches = [*features(backbone, 6)]
    return torch.cat([(1 + place) * image for place, (image, _) in enumerate(batches)]), torch.cat([labels for _, labels in batches])


@pytest.mark.parametrize("c", [0.316, 30.0])
def test_logistic_regression(backbone: Backbone, images: tuple[Tensor, Tensor], c: float) -> None:
    """The objective is strictly convex in the weights, so that a gradient of 0 says that its minimum is reached."""
    tuner = tuner_of(backbone, "LogisticRegression", c=c)
    tuner.prepare(*images)
    weight, bias = (tuner.method.get_buffer(name).clone().requires_grad_() for name in ("weight", "bias"))
    objective = c * F.cross_entropy(images[0] @ weight.T + bias, images[1], reduction="sum") + (weight**2).sum() / 2
    gradients = torch.autograd.grad(objective, [weight, bias])
    assert max(float(gradient.abs().max()) for gradient in gradients) <= 1e-7 * c * len(images[0])  # of the mean loss
    assert weight.abs().max() > 0.01
    image = images[0][:BATCH]
    assert_near(scores(tuner, image, CLASSES), (image @ weight.T + bias).detach())


def test_logistic_regression_is_that_of_scikit_learn(backbone: Backbone, images: tuple[Tensor, Tensor]) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    tuner = tuner_of(backbone, "LogisticRegression", c=0.5)
    tuner.prepare(*images)
    reference = linear_model.LogisticRegression(C=0.5, tol=1e-10, max_iter=10_000).fit(*(part.numpy() for part in images))
    assert torch.allclose(tuner.method.get_buffer("weight"), torch.tensor(reference.coef_), atol=1e-5)
    assert torch.allclose(tuner.method.get_buffer("bias"), torch.tensor(reference.intercept_), atol=1e-5)


@pytest.mark.parametrize("settings", [{"c": 0.0}, {"steps": 0}])
def test_settings_that_cannot_be(backbone: Backbone, settings: dict[str, Any]) -> None:
    with pytest.raises(DepthubError, match=r"LogisticRegression: .*expected"):
        tuner_of(backbone, "LogisticRegression", **settings)
