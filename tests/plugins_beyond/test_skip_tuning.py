"""Skip Tuning and full fine-tuning, against copies of the model whose own weights are trained by open_clip's layers."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from depthub import ITM, Backbone, ClassSet, DepthubError, Method
from depthub.registry.plugins import installed
from depthub.registry.settings import make
from depthub.spec import Component
from depthub.training.tuner import Tuner
from tests.models import CLASSES, random_backbone

LR = {"text": 0.02, "image": 0.005}
BATCH = 4


def method(backbone: Backbone, name: str = "SkipTuning", classes: ClassSet = CLASSES, **settings: Any) -> Any:
    torch.manual_seed(3)
    made: Method = make(Component(name, settings), "methods", installed(), backbone, classes)
    return made.to(backbone.scale.dtype)


def batches(backbone: Backbone, number: int) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(7)
    size = (BATCH, 3, *backbone.image_size)
    images = [torch.randn(size, dtype=torch.float64, generator=generator) for _ in range(number)]
    return [(image, torch.full((BATCH,), step % len(CLASSES))) for step, image in enumerate(images)]


def features(clip: Any, tokens: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
    return F.normalize(clip.encode_image(images), dim=-1), F.normalize(clip.encode_text(tokens), dim=-1)


@pytest.mark.parametrize(
    ("name", "first", "settings"),
    [
        ("FinetuneCLIP", 0, {}),
        ("SkipTuning", 1, {"first_layer": 1, "top_ratio": 1.0}),
        ("SkipTuning", 2, {"first_layer": 2, "top_ratio": 2.0}),
    ],
    ids=["full", "all classes", "two classes and others by chance"],
)
def test_three_steps(name: str, first: int, settings: dict[str, Any]) -> None:
    backbone = random_backbone()
    tuner = Tuner(backbone, method(backbone, name, **settings, image_lr_scale=0.25), ITM(backbone.dim, CLASSES)).train()
    tuned = torch.optim.SGD(tuner.parameter_groups(LR["text"]), momentum=0.9)
    clip = deepcopy(backbone.clip).requires_grad_()
    tokens = backbone.tokenizer(CLASSES.sentences(), context_length=backbone.context_length)
    prototypes = F.normalize(backbone.clip.encode_text(tokens), dim=-1).detach()
    text = [*_layers(clip.transformer, first), *clip.ln_final.parameters(), clip.text_projection]
    image = [*_layers(clip.visual.transformer, first), *clip.visual.ln_post.parameters(), clip.visual.proj]
    plain = torch.optim.SGD([{"params": text, "lr": LR["text"]}, {"params": image, "lr": LR["image"]}], momentum=0.9)
    for images, labels in batches(backbone, 3):
        (loss,) = tuner(images, CLASSES, labels).values()
        f, e = features(clip, tokens, images)
        rows = list(range(len(CLASSES)))
        if settings.get("top_ratio") == 2.0:
            similarity = f @ prototypes.T
            similarity[torch.arange(BATCH), labels] = 1e4
            order = similarity.amax(dim=0).argsort(descending=True).tolist()
            rows = sorted(row for row, kept in zip(order, tuner.method.kept.tolist(), strict=True) if kept)  # type: ignore[operator, union-attr]
        expected = F.cross_entropy(backbone.scale * f @ e[rows].T, torch.tensor([rows.index(label) for label in labels.tolist()]))
        assert abs(loss.item() - expected.item()) <= 1e-10 * abs(expected.item())
        for optimizer, value in ((tuned, loss), (plain, expected)):
            optimizer.zero_grad()
            value.backward()
        for one, other in _pairs(tuner, clip):
            assert _near(one.grad, other.grad)
        tuned.step()
        plain.step()
        for one, other in _pairs(tuner, clip):
            assert _near(one, other)
    images, _ = batches(backbone, 4)[-1]
    f, e = features(clip, tokens, images)
    with torch.no_grad():
        assert _near(tuner.eval()(images, CLASSES), backbone.scale * f @ e.T)


def _layers(transformer: Any, first: int) -> list[Tensor]:
    return [p for block in transformer.resblocks[first:] for p in block.parameters()]


def _pairs(tuner: Tuner, clip: Any) -> list[tuple[Tensor, Tensor]]:
    """Each tuned parameter, and its counterpart in the copy."""
    pairs = []
    for name, value in tuner.method.named_parameters():
        tower, part, rest = name.split(".", 2)
        holder = clip if tower == "text" else clip.visual
        pairs.append((value, holder.get_parameter(f"transformer.resblocks.{rest}" if part == "layers" else rest)))
    assert pairs
    return pairs


def _near(one: Any, other: Any) -> bool:
    return bool((one - other).abs().max() <= 1e-10 * max(1e-6, other.abs().max()))


@pytest.mark.parametrize(("classes", "expected"), [(50, 27.0), (100, 53.5), (500, 77.4)])
def test_the_expected_number_of_classes(classes: int, expected: float) -> None:
    """As computed from the published formula."""
    backbone = random_backbone()
    many = ClassSet("many", tuple(range(classes)), tuple(f"thing {i}" for i in range(classes)))
    assert method(backbone, classes=many, first_layer=2).chances(classes).sum().item() == pytest.approx(expected, abs=0.05)


def test_the_ends_of_the_density() -> None:
    """Scaled, the first of the others is always kept and the last never; a single one is never kept. Plain, neither."""
    backbone = random_backbone()
    scaled, plain = (method(backbone, first_layer=2, top_ratio=2.0, density=density) for density in ("scaled", "plain"))
    assert scaled.chances(5)[[2, 4]].tolist() == [1, 0]
    assert plain.chances(5)[2] == 1
    assert 0 < plain.chances(5)[4] < 1
    assert [one.chances(3)[2].item() for one in (scaled, plain)] == [0, 1]


def test_places_are_drawn_once_or_in_every_step() -> None:
    backbone = random_backbone()
    many = ClassSet("many", tuple(range(60)), tuple(f"thing {i}" for i in range(60)))
    similarity = torch.linspace(1, 0, 60)
    once, again = (method(backbone, classes=many, first_layer=2, mask=mask, max_top=5, decay=5.0) for mask in ("once", "every_step"))
    assert once.chosen(similarity) == once.chosen(similarity)
    assert again.chosen(similarity) != again.chosen(similarity)


def test_the_class_of_every_image_takes_part() -> None:
    backbone = random_backbone()
    of_method = method(backbone, first_layer=2, top_ratio=2.0, decay=0.01)
    image = torch.randn(5, backbone.dim, dtype=torch.float64)
    assert of_method.chosen(of_method.similarity(image, torch.arange(5))) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("settings", [{"first_layer": 3}, {"first_layer": 2, "top_ratio": 0.0}, {"first_layer": 2, "decay": -1.0}])
def test_settings_that_cannot_be(settings: dict[str, Any]) -> None:
    with pytest.raises(DepthubError, match="expected"):
        method(random_backbone(), **settings)
