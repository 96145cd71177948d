"""Methods and a head that read cached image features, against their equations."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from depthub import Backbone, DepthubError, Features
from depthub.registry.plugins import installed
from tests.models import CLASSES, random_backbone
from tests.plugins_beyond.steps import NEW, Tensor, assert_equal_steps, assert_near, copies, features, matching, scores, tuner_of


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return random_backbone()


@pytest.fixture
def batches(backbone: Backbone) -> list[tuple[Tensor, Tensor]]:
    return [*features(backbone)]


def texts(backbone: Backbone, classes: object = CLASSES) -> Tensor:
    return backbone.encode_sentences(classes.sentences())  # type: ignore[attr-defined]


def test_clip_adapter(backbone: Backbone, batches: list[tuple[Tensor, Tensor]]) -> None:
    tuner = tuner_of(backbone, "CLIPAdapter", ratio=0.3)
    plain = copies(tuner)

    def adapted(x: Tensor) -> Tensor:
        hidden = torch.clamp(x @ plain["down.weight"].T, min=0)
        return 0.3 * torch.clamp(hidden @ plain["up.weight"].T, min=0) + 0.7 * x

    def loss(x: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(matching(adapted(x), texts(backbone), backbone.scale), labels)

    assert_equal_steps(tuner, plain, loss, batches)
    for classes in (CLASSES, NEW):
        expected = matching(adapted(batches[0][0]), texts(backbone, classes), backbone.scale)
        assert_near(scores(tuner, batches[0][0], classes), expected.detach())


def test_taskres(backbone: Backbone, batches: list[tuple[Tensor, Tensor]]) -> None:
    tuner = tuner_of(backbone, "TaskRes", scale=0.5)
    plain = copies(tuner)

    def loss(x: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(matching(x, texts(backbone) + 0.5 * plain["residuals"], backbone.scale), labels)

    assert_equal_steps(tuner, plain, loss, batches)
    trained = texts(backbone) + 0.5 * plain["residuals"].detach()
    assert_near(scores(tuner, batches[0][0], CLASSES), matching(batches[0][0], trained, backbone.scale))
    assert_near(scores(tuner, batches[0][0], NEW), matching(batches[0][0], texts(backbone, NEW), backbone.scale))


@pytest.mark.parametrize("views", [0, 2])
@pytest.mark.parametrize("name", ["TipAdapter", "TipAdapterF"])
def test_tip_adapter(backbone: Backbone, batches: list[tuple[Tensor, Tensor]], name: str, views: int) -> None:
    tuner = tuner_of(backbone, name, alpha=2.0, beta=3.0, views=views)
    images, labels = torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])
    shown = torch.stack([images, 1.5 * images.flip(0)], dim=1) if views else images
    tuner.prepare(shown, labels)
    keys = F.normalize(shown.mean(dim=1) if views else images, dim=-1)
    values = torch.eye(len(CLASSES), dtype=torch.float64)[labels]
    plain = {"keys": keys.clone().requires_grad_()} if name == "TipAdapterF" else {}

    def logits(x: Tensor) -> Tensor:
        affinity = F.normalize(x, dim=-1) @ plain.get("keys", keys).T
        return matching(x, texts(backbone), backbone.scale) + 2.0 * torch.exp(-(3.0 - 3.0 * affinity)) @ values

    if plain:
        assert_equal_steps(tuner, plain, lambda x, y: F.cross_entropy(logits(x), y), batches)
    assert_near(scores(tuner, batches[0][0], CLASSES), logits(batches[0][0]).detach())
    assert_near(scores(tuner, batches[0][0], NEW), matching(batches[0][0], texts(backbone, NEW), backbone.scale))


@pytest.mark.parametrize("accumulate", [True, False])
def test_lp_plus_plus(backbone: Backbone, accumulate: bool) -> None:
    """Against autograd and torch's own optimizer."""
    tuner = tuner_of(backbone, "LPPlusPlus", steps=25, accumulate=accumulate)
    method = tuner.method
    images, labels = (torch.cat(parts) for parts in zip(*features(backbone, 5), strict=True))
    bias = method.get_buffer("bias").clone().requires_grad_()
    tuner.prepare(images, labels)
    image, text = F.normalize(images, dim=-1), F.normalize(texts(backbone), dim=-1)
    weight = torch.stack([image[labels == c].sum(dim=0) for c in range(5)]).requires_grad_()
    start = torch.stack([(image[labels == c] @ text[c]).mean() for c in range(5)]).mean() * 250
    alpha = start.repeat(5).requires_grad_()
    rate = 4 * len(image) / torch.linalg.eigh(image.T @ image)[0].max()
    alpha_rate = len(image) / (4 * (image @ text.T).pow(2).sum(dim=0).max())
    optimizer = torch.optim.SGD([weight, bias], lr=rate.item(), momentum=0.9)
    for step in range(1, 26):
        loss = F.cross_entropy(image @ weight.T + bias + alpha * (image @ text.T), labels)
        optimizer.zero_grad()
        if not accumulate:
            alpha.grad = None
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % 10 == 0:
            alpha.data -= alpha_rate * alpha.grad
    for name, expected in (("weight", weight), ("bias", bias), ("alpha", alpha)):
        assert_near(method.get_buffer(name), expected.detach(), name)
    unit = F.normalize(images[:4], dim=-1)
    assert_near(scores(tuner, images[:4], CLASSES), (unit @ weight.T + bias + alpha * (unit @ text.T)).detach())
    assert_near(scores(tuner, images[:4], NEW), matching(images[:4], texts(backbone, NEW), backbone.scale))


def test_linear_probe(backbone: Backbone, batches: list[tuple[Tensor, Tensor]]) -> None:
    torch.manual_seed(0)
    head = installed().get("heads", "LinearProbe")(backbone.dim, CLASSES, normalize=True, decay=0.1).double()
    x, labels = batches[0]
    of_batch = Features(x, texts(backbone), backbone.scale, CLASSES)
    weight, bias = head.classifier.weight, head.classifier.bias
    logits = F.normalize(x, dim=-1) @ weight.T + bias
    assert_near(head(of_batch), logits)
    assert_near(head.loss(of_batch, labels), F.cross_entropy(logits, labels) + 0.05 * weight.square().sum())
    with pytest.raises(DepthubError, match="cannot score other classes"):
        head.check(NEW)


@pytest.mark.parametrize(
    ("name", "settings"),
    [("CLIPAdapter", {"ratio": 2.0}), ("CLIPAdapter", {"reduction": 0}), ("TipAdapter", {"views": -1}), ("LPPlusPlus", {"steps": -1})],
)
def test_settings_that_cannot_be(backbone: Backbone, name: str, settings: dict[str, float]) -> None:
    with pytest.raises(DepthubError, match=f"{name}: .*expected"):
        tuner_of(backbone, name, **settings)
