"""Methods and heads beyond their golden records: sizes, starts, equations by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import open_clip
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from depthub.encoding.backbone import Backbone
from depthub.registry.plugins import installed
from depthub.registry.settings import complete, make
from depthub.spec import Component
from depthub.types import ClassSet, Features
from tests.models import CLASSES, random_backbone


def head(name: str, **settings: Any) -> Any:
    torch.manual_seed(0)
    of_name = make(complete(Component(name, settings), "heads", installed()), "heads", installed(), 24, CLASSES)
    for p in of_name.parameters():  # away from identity, so that a forgotten transform shows
        torch.nn.init.normal_(p, p.mean().item(), 0.3)
    return of_name.double()


@pytest.fixture(params=["shared text", "text per image"])
def features(request: pytest.FixtureRequest) -> Features:
    generator = torch.Generator().manual_seed(1)
    shape = (5, 24) if request.param == "shared text" else (3, 5, 24)
    image, text = (torch.randn(size, dtype=torch.float64, generator=generator) for size in ((3, 24), shape))
    return Features(image, text, torch.tensor(10.0, dtype=torch.float64), CLASSES)


LABELS = torch.tensor([4, 0, 2])


def text_of(features: Features) -> Tensor:
    return features.text[LABELS] if features.text.ndim == 2 else torch.stack([features.text[i, label] for i, label in enumerate(LABELS)])


def test_shared_cat_has_one_transform(features: Features) -> None:
    cat = head("SharedCAT")
    assert {name for name, _ in cat.named_parameters()} == {"image.gamma", "image.beta", "classifier.weight", "classifier.bias"}
    rows = torch.cat([text_of(features), features.image]) * cat.image.gamma + cat.image.beta
    expected = F.cross_entropy(rows @ cat.classifier.weight.T + cat.classifier.bias, torch.cat([LABELS, LABELS]))
    torch.testing.assert_close(cat.loss(features, LABELS), expected)


def test_image_only_cat_never_reads_text(features: Features) -> None:
    cat = head("ImageOnlyCAT")
    logits = (features.image * cat.image.gamma + cat.image.beta) @ cat.classifier.weight.T + cat.classifier.bias
    torch.testing.assert_close(cat.loss(features, LABELS), F.cross_entropy(logits, LABELS))
    torch.testing.assert_close(cat(features), logits)


def test_matching_cat_compares_transformed_features(features: Features) -> None:
    cat = head("MatchingCAT")
    image = F.normalize(features.image * cat.image.gamma + cat.image.beta, dim=-1)
    text = F.normalize(features.text * cat.text.gamma + cat.text.beta, dim=-1)
    logits = 10 * (image[:, None] * text).sum(dim=-1)
    torch.testing.assert_close(cat(features), logits)
    torch.testing.assert_close(cat.loss(features, LABELS), F.cross_entropy(logits, LABELS))


@pytest.mark.parametrize(
    ("settings", "parameters"),
    [({}, 4 * 24 + 24 * 5 + 5), ({"bias": False}, 4 * 24 + 24 * 5), ({"transform": False}, 24 * 5 + 5)],
)
def test_cats_options_change_its_parameters(settings: dict[str, bool], parameters: int) -> None:
    assert sum(p.numel() for p in head("CAT", **settings).parameters()) == parameters


def test_cat_on_normalised_features(features: Features) -> None:
    cat = head("CAT", normalize=True)
    text, image = F.normalize(text_of(features), dim=-1), F.normalize(features.image, dim=-1)
    rows = torch.cat([text * cat.text.gamma + cat.text.beta, image * cat.image.gamma + cat.image.beta])
    expected = F.cross_entropy(rows @ cat.classifier.weight.T + cat.classifier.bias, torch.cat([LABELS, LABELS]))
    torch.testing.assert_close(cat.loss(features, LABELS), expected)


def test_cat_starts_as_identity_or_at_random() -> None:
    for init, same in (("identity", True), ("random", False)):
        torch.manual_seed(0)
        cat = make(complete(Component("CAT", {"init": init}), "heads", installed()), "heads", installed(), 24, CLASSES)
        assert torch.equal(cat.image(torch.arange(24.0)), torch.arange(24.0)) == same


@pytest.mark.parametrize("cat", ["CAT", "SharedCAT", "MatchingCAT", "ImageOnlyCAT"])
@pytest.mark.parametrize("fusion", ["logits", "probabilities", "none"])
def test_dept_mixes_on_trained_classes_and_matches_on_new_ones(features: Features, cat: str, fusion: str) -> None:
    dept = head("DePT", balance=0.3, fusion=fusion, cat=Component(cat))
    own_scores, matching = dept.cat(features), dept.itm(features)
    expected = {
        "logits": 0.3 * own_scores + 0.7 * matching,
        "probabilities": 0.3 * own_scores.softmax(-1) + 0.7 * matching.softmax(-1),
        "none": own_scores,
    }[fusion]
    torch.testing.assert_close(dept(features), expected)
    torch.testing.assert_close(dept.loss(features, LABELS), 0.3 * dept.cat.loss(features, LABELS) + 0.7 * dept.itm.loss(features, LABELS))
    new = Features(features.image, features.text, features.scale, ClassSet("five", tuple(range(5, 10)), CLASSES.names))
    torch.testing.assert_close(dept(new), dept.itm(new), rtol=0, atol=0)


def test_a_subset_of_the_trained_classes_takes_its_own_rows(features: Features) -> None:
    cat, rows = head("CAT"), [3, 0]
    part = Features(features.image, features.text[..., rows, :], features.scale, CLASSES.take(rows))
    torch.testing.assert_close(cat(part), cat(features)[:, rows])
    dept = head("DePT")
    torch.testing.assert_close(dept(part), dept(features)[:, rows])


@pytest.fixture(scope="module")
def vit_b_16() -> Backbone:
    with torch.device("meta"):  # sizes only
        clip = open_clip.CLIP(**open_clip.get_model_config("ViT-B-16-quickgelu"))
    return Backbone(clip, open_clip.get_tokenizer("ViT-B-16"))


def test_sizes_on_vit_b_16(vit_b_16: Backbone) -> None:
    expected = {"CoOp": 16 * 512, "CoCoOp": 35_360, "MaPLe": 3_555_072, "VPT": 12 * 8 * 768, "DeepLanguage": 12 * 4 * 512}
    for name, number in expected.items():
        method = make(complete(Component(name), "methods", installed()), "methods", installed(), vit_b_16, CLASSES)
        assert sum(p.numel() for p in method.parameters() if p.requires_grad) == number, name


def test_maples_couplings_start_alike_and_its_text_keeps_the_frozen_words() -> None:
    backbone = random_backbone(dtype=torch.float32)
    maple = make(complete(Component("MaPLe", {"depth": 3}), "methods", installed()), "methods", installed(), backbone, CLASSES)
    one, other = maple.deeper_couples
    assert torch.equal(one.weight, other.weight)
    assert one.weight is not other.weight
    assert not torch.equal(one.weight, maple.couple.weight)
    prompts = maple.prompts(CLASSES, None)
    assert prompts.words == "a photo of a"
    assert torch.equal(prompts.text[0], backbone.embed("a photo"))


def test_kgcoops_pull_is_nothing_at_the_anchors() -> None:
    backbone = random_backbone(dtype=torch.float32)
    settings = {"template": "a photo of a {}.", "weight": 8.0}
    method = make(complete(Component("KgCoOp", settings), "methods", installed()), "methods", installed(), backbone, CLASSES)
    features = method.features(backbone, torch.zeros(1, 24), CLASSES)
    assert method.losses(features)["knowledge"].item() == pytest.approx(0, abs=1e-5)
    opposite = Features(features.image, -features.text, features.scale, CLASSES)
    assert method.losses(opposite)["knowledge"].item() == pytest.approx(16, abs=1e-4)


def test_vpts_text_is_one_prompt_for_all_data_sets_or_the_data_sets_own() -> None:
    backbone, classes = random_backbone(dtype=torch.float32), replace(CLASSES, template="a centered satellite photo of {}.")
    images, plugins = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)), installed()
    for settings, template in (({}, "a photo of a {}."), ({"template": ""}, classes.template), ({"template": "the {}."}, "the {}.")):
        spec = complete(Component("VPT", {"depth": 2} | settings), "methods", plugins)
        method = make(spec, "methods", plugins, backbone, classes)
        features = method.features(backbone, images, classes)
        sentences = [template.format(word) for word in classes.words]
        torch.testing.assert_close(features.text, backbone.encode_sentences(sentences), rtol=0, atol=0)
        torch.testing.assert_close(features.image, backbone.encode_image(images, list(method.image)), rtol=0, atol=0)
        features.image.sum().backward()
        assert all(p.grad is not None and p.grad.any() for p in method.parameters())
