"""One step of Skip Tuning: on the tokens before the first tuned layer, and through all layers of a model whose last ones are tuned."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.cases import EMBEDDED, LARGE, Case, backbone
from benchmarks.measure import TOLERANCE, Benchmark, side_by_side, variants
from depthub import ITM, Backbone, Method
from depthub.registry.plugins import installed
from depthub.registry.settings import make
from depthub.spec import Component
from depthub.training.tuner import Tuner

CASES = ((Case("Skip Tuning", 10, pixels=True, backbone=EMBEDDED), 2, 30), (Case("Skip Tuning", 50, pixels=True, backbone=LARGE), 6, 3))
RATE = 2e-5


@pytest.mark.parametrize(("case", "first", "rounds"), CASES, ids=str)
def test_tuned_layers(benchmark: Benchmark, case: Case, first: int, rounds: int) -> None:
    """All classes take part on both sides."""
    model = backbone(case.backbone)
    method: Method = make(Component("SkipTuning", {"first_layer": first, "top_ratio": 1.0}), "methods", installed(), model, case.classes)
    tuner = Tuner(model, method, ITM(model.dim, case.classes)).train()
    images, labels = case.images(case.batch)
    states = model.image_states(images, first)
    clip, loss = plain(model, first, case, images, labels)

    def ours() -> Tensor:
        return next(iter(tuner(states, case.classes, labels).values()))

    ours().backward()  # type: ignore[no-untyped-call]
    loss().backward()  # type: ignore[no-untyped-call]
    expected = clip.visual.transformer.resblocks[-1].mlp.c_fc.weight.grad
    actual = method.get_parameter(f"image.layers.{model.image_depth - 1}.mlp.c_fc.weight").grad
    errors = {"loss_error": abs(ours().item() - loss().item()) / loss().item(), "gradient_error": _error(actual, expected)}
    assert max(errors.values()) <= TOLERANCE
    benchmark.extra_info.update(errors)
    steps = (stepper(ours, [*method.parameters()]), stepper(loss, [p for p in clip.parameters() if p.requires_grad]))
    side_by_side(benchmark, f"step: {case}, from layer {first} on", rounds, variants(*steps))


def plain(model: Backbone, first: int, case: Case, images: Tensor, labels: Tensor) -> tuple[Any, Callable[[], Tensor]]:
    """A copy of the model with trainable layers, and its loss by open_clip's own encoders."""
    clip = deepcopy(model.clip)
    parts = [*clip.transformer.resblocks[first:], *clip.visual.transformer.resblocks[first:], clip.ln_final, clip.visual.ln_post]
    for part in parts:
        part.requires_grad_()
    clip.text_projection.requires_grad_()
    clip.visual.proj.requires_grad_()
    tokens = model.tokenizer(case.classes.sentences(), context_length=model.context_length)

    def loss() -> Tensor:
        image, text = F.normalize(clip.encode_image(images), dim=-1), F.normalize(clip.encode_text(tokens), dim=-1)
        return F.cross_entropy(model.scale * image @ text.T, labels)

    return clip, loss


def stepper(loss: Callable[[], Tensor], tuned: list[Any]) -> Callable[[], object]:
    optimizer = torch.optim.SGD(tuned, lr=RATE, momentum=0.9)

    def step() -> object:
        value = loss()
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
        return value.item()

    return step


def _error(actual: Any, expected: Any) -> float:
    return float((actual - expected).abs().max() / expected.abs().max())
