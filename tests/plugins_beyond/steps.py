"""Trainings of a method and of a plain re-statement of it, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from depthub import Backbone, ClassSet, Head, Method
from depthub.registry.plugins import installed
from depthub.registry.settings import complete, make
from depthub.spec import Component
from depthub.training.tuner import Tuner
from tests.models import CLASSES

NEW = ClassSet("five", (7, 8, 9), ("red kite", "sea", "stone bridge"))
BATCH, RATE, MOMENTUM = 4, 0.02, 0.9
Loss = Callable[[Tensor, Tensor], Tensor]  # of inputs and labels


def tuner_of(backbone: Backbone, name: str, *, head: str = "ITM", **settings: Any) -> Tuner:
    """A method in double precision under a head, from a seeded start."""
    torch.manual_seed(3)
    component = complete(Component(name, settings), "methods", installed())
    method: Method = make(component, "methods", installed(), backbone, CLASSES)
    classifier: Head = make(complete(Component(head), "heads", installed()), "heads", installed(), backbone.dim, CLASSES)
    return Tuner(backbone, method, classifier).to(backbone.scale.dtype).train()


def pixels(backbone: Backbone, number: int = 3) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of noise, and their labels."""
    generator = torch.Generator().manual_seed(7)
    for step in range(number):
        images = torch.randn(BATCH, 3, *backbone.image_size, dtype=torch.float64, generator=generator)
        yield images, (torch.arange(BATCH) + step) % len(CLASSES)


def features(backbone: Backbone, number: int = 3) -> Iterator[tuple[Tensor, Tensor]]:
    """The frozen features of these batches."""
    for images, labels in pixels(backbone, number):
        yield backbone.encode_image(images), labels


def copies(tuner: Tuner) -> dict[str, Tensor]:
    """Trained copies of the method's trained tensors at their start, by name."""
    return {name: value.detach().clone().requires_grad_() for name, value in tuner.method.named_parameters() if value.requires_grad}


def assert_equal_steps(tuner: Tuner, plain: Mapping[str, Tensor], loss: Loss, batches: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Loss, gradients and tensors of every step."""
    tuned = {name: value for name, value in tuner.method.named_parameters() if value.requires_grad}
    assert tuned.keys() == plain.keys()
    ours, theirs = (torch.optim.SGD([*values.values()], lr=RATE, momentum=MOMENTUM) for values in (tuned, plain))
    for step, (inputs, labels) in enumerate(batches):
        tuner.method.before_step(step, len(batches))
        value = torch.stack([*tuner(inputs, CLASSES, labels).values()]).sum()
        expected = loss(inputs, labels)
        assert_near(value, expected, "loss")
        for optimizer, one in ((ours, value), (theirs, expected)):
            optimizer.zero_grad()
            one.backward()  # type: ignore[no-untyped-call]
        for name, parameter in tuned.items():
            assert (parameter.grad is None) == (plain[name].grad is None), name
            if parameter.grad is not None:
                assert_near(parameter.grad, plain[name].grad, f"gradient of {name}")
        ours.step()
        theirs.step()
        for name, parameter in tuned.items():
            assert_near(parameter, plain[name], name)


@torch.no_grad()
def scores(tuner: Tuner, inputs: Tensor, classes: ClassSet) -> Tensor:
    result: Tensor = tuner.eval()(inputs, classes)
    return result


def matching(image: Tensor, text: Tensor, scale: Tensor) -> Tensor:
    return scale * F.normalize(image, dim=-1) @ F.normalize(text, dim=-1).T


def assert_near(value: Any, expected: Any, what: str = "") -> None:
    """Within 1e-10 of the largest entry."""
    apart = float((value - expected).detach().abs().max())
    assert apart <= 1e-10 * max(1e-9, float(expected.detach().abs().max())), f"{what}: {apart}"
