"""ProGrad: the combined gradient by hand, and against two separate backward passes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from depthub_prograd.gradient import TwoReaders, aligned
from torch import Tensor
from torch.nn import functional as F

from depthub.encoding.backbone import Backbone
from depthub.errors import DepthubError
from depthub.registry.plugins import installed
from depthub.registry.settings import complete, make
from depthub.spec import Component
from depthub.training.tuner import Tuner
from depthub.types import Prompts
from tests.models import CLASSES, random_backbone

LABELS = torch.tensor([4, 0, 2])


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return random_backbone()


@pytest.fixture
def images() -> Tensor:
    return torch.randn(3, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def tuner(backbone: Backbone, head: str = "ITM", **settings: Any) -> Tuner:
    plugins = installed()
    torch.manual_seed(3)
    spec = complete(Component("ProGrad", {"n_ctx": 6, "ctx_init": ""} | settings), "methods", plugins)
    method = make(spec, "methods", plugins, backbone, CLASSES)
    tuned = Tuner(backbone, method, make(complete(Component(head), "heads", plugins), "heads", plugins, backbone.dim, CLASSES))
    tuned.method.context.data *= 20  # far from nothing, so that the two gradients differ
    return tuned.double()


def tensor(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def test_a_conflict_is_taken_out_and_an_agreement_left() -> None:
    gradient, general = tensor([3.0, -4.0]), tensor([0.0, 2.0])
    torch.testing.assert_close(aligned(gradient, general, 1.0), tensor([3.0, 0.0]))
    torch.testing.assert_close(aligned(gradient, general, 0.5), tensor([3.0, -2.0]))
    torch.testing.assert_close(aligned(gradient, general, 0.0), gradient)
    assert torch.equal(aligned(gradient, -general, 1.0), gradient)
    # over all tokens together: (1, 2) . (-3, 1) = -1, |(-3, 1)|^2 = 10
    torch.testing.assert_close(aligned(tensor([1.0], [2.0]), tensor([-3.0], [1.0]), 1.0), tensor([1.0 - 0.3], [2.0 + 0.1]))
    assert torch.equal(aligned(gradient, torch.zeros_like(gradient), 1.0), gradient)


def test_both_readers_see_the_context_and_one_gradient_comes_back() -> None:
    context = tensor([1.0, 5.0]).requires_grad_()
    both = TwoReaders.apply(context, 1.0)
    assert torch.equal(both, torch.stack([context, context]))
    (both * torch.stack([tensor([3.0, -4.0]), tensor([0.0, 2.0])])).sum().backward()
    torch.testing.assert_close(context.grad, tensor([3.0, 0.0]))


@pytest.mark.parametrize("head", ["ITM", "DePT"])
@pytest.mark.parametrize(("weight", "temperature"), [(1.0, 1.0), (0.8, 2.0)])
@pytest.mark.parametrize("against", [False, True])
def test_one_pass_equals_two(backbone: Backbone, images: Tensor, head: str, weight: float, temperature: float, against: bool) -> None:
    tuned = tuner(backbone, head, weight=weight, temperature=temperature)
    context = tuned.method.context.detach().clone().requires_grad_()
    text = backbone.encode_text(CLASSES, Prompts([context]))
    features = tuned.method.features(backbone, images, CLASSES)
    if against:  # zero-shot predictions of the opposite: now the two losses conflict, or do no longer
        tuned.method.anchors.neg_()
    loss = tuned.head.loss(type(features)(images, text, backbone.scale, CLASSES), LABELS)
    (gradient,) = torch.autograd.grad(loss, context, retain_graph=True)
    scores, teacher = (
        backbone.scale * F.normalize(images, dim=-1) @ F.normalize(t, dim=-1).T / temperature for t in (text, tuned.method.anchors)
    )
    zero_shot = -(temperature**2) * (teacher.softmax(-1) * scores.log_softmax(-1)).sum(dim=-1).mean()
    (general,) = torch.autograd.grad(zero_shot, context)
    dot = (gradient * general).sum()
    expected = gradient - weight * dot / (general * general).sum() * general if dot < 0 else gradient
    losses = tuned(images, CLASSES, LABELS)
    torch.testing.assert_close(losses["zero_shot"], zero_shot)
    torch.stack(list(losses.values())).sum().backward()
    torch.testing.assert_close(tuned.method.context.grad, expected, rtol=1e-9, atol=1e-12)


def test_both_cases_occur_above(backbone: Backbone, images: Tensor) -> None:
    changed = []
    for sign in (1, -1):
        gradients = []
        for weight in (0.0, 1.0):
            tuned = tuner(backbone, weight=weight)
            tuned.method.anchors.mul_(sign)
            torch.stack(list(tuned(images, CLASSES, LABELS).values())).sum().backward()
            gradients.append(tuned.method.context.grad)
        changed.append(not torch.equal(*gradients))
    assert sorted(changed) == [False, True]


def test_without_weight_it_is_coop(backbone: Backbone, images: Tensor) -> None:
    tuned, plugins = tuner(backbone, weight=0.0), installed()
    coop = make(complete(Component("CoOp", {"n_ctx": 6}), "methods", plugins), "methods", plugins, backbone, CLASSES).double()
    coop.context.data.copy_(tuned.method.context)
    plain = Tuner(backbone, coop, tuned.head)
    for each in (tuned, plain):
        each(images, CLASSES, LABELS)["head"].backward()
    torch.testing.assert_close(tuned.method.context.grad, coop.context.grad, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(tuned.eval()(images, CLASSES), plain.eval()(images, CLASSES))


def test_evaluation_encodes_the_plain_context(backbone: Backbone, images: Tensor) -> None:
    tuned = tuner(backbone)
    trained = tuned.method.features(backbone, images, CLASSES)
    assert trained.reference is not None
    torch.testing.assert_close(trained.reference, trained.text)
    plain = tuned.eval().method.features(backbone, images, CLASSES)
    assert plain.reference is None
    torch.testing.assert_close(plain.text, trained.text)
    assert tuned.method.losses(plain) == {}


def test_the_zero_shot_prompt_is_the_setting_or_the_data_sets_for_prograd(backbone: Backbone) -> None:
    plugins, classes = installed(), replace(CLASSES, templates=(("prograd", "a texture of {}."),))
    for settings, template in (({}, "a texture of {}."), ({"template": "the {}."}, "the {}.")):
        method = make(complete(Component("ProGrad", settings), "methods", plugins), "methods", plugins, backbone, classes)
        assert [p.numel() for p in method.parameters()] == [16 * 32]
        torch.testing.assert_close(method.anchors, backbone.encode_sentences([template.format(word) for word in classes.words]))


def test_start_words_are_the_last_tokens_behind_zeros(backbone: Backbone) -> None:
    method = tuner(backbone, ctx_init="a_photo of a").method
    torch.testing.assert_close(method.context[2:], 20 * backbone.embed("a photo of a"))
    assert not method.context[:2].any()
    assert method.context.shape == (6, 32)
    with pytest.raises(DepthubError, match=r"n_ctx is 3, expected at least 4, the words of ctx_init"):
        tuner(backbone, n_ctx=3, ctx_init="a photo of a")


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("a centered satellite photo of {}.", "a centered satellite photo of"),
        ("a type of pet, a photo of a {}.", "a type of pet, a photo of a"),
        ("a texture of {}.", "a texture of"),
    ],
)
def test_start_words_can_be_those_of_the_zero_shot_prompt(backbone: Backbone, template: str, words: str) -> None:
    plugins, classes = installed(), replace(CLASSES, templates=(("prograd", template),))
    settings = {"ctx_init": "<template>", "n_ctx": 12}
    for more, class_set in ((settings, classes), (settings | {"template": template}, CLASSES), (settings | {"ctx_init": words}, classes)):
        method = make(complete(Component("ProGrad", more), "methods", plugins), "methods", plugins, backbone, class_set)
        template_words = words.split()
        torch.testing.assert_close(method.context[12 - len(template_words) :], backbone.embed(words)[: len(template_words)])
        assert not method.context[: 12 - len(template_words)].any()
        assert method.words == " ".join(["X"] * (12 - len(template_words)) + template_words)


def test_a_template_that_begins_with_the_class_name_gives_no_start_words(backbone: Backbone) -> None:
    with pytest.raises(DepthubError, match=r"^ProGrad: the template '\{\} texture\.' has no words before the class name; name start words"):
        tuner(backbone, ctx_init="<template>", template="{} texture.")
