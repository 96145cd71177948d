"""TCP: its published sentences, and DePT around it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from depthub import Backbone, ClassSet
from tests.miniature import card
from tests.models import CLASSES, random_backbone
from tests.plugins_beyond.steps import NEW, assert_near, features, scores, tuner_of


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return random_backbone()


def classes_of(name: str) -> ClassSet:
    """Two classes with a published data set's sentences."""
    published = card(name)
    return ClassSet(name, (0, 1), ("red_kite", "sea"), published.template, tuple(published.templates.items()))


@pytest.mark.parametrize(
    ("name", "zero_shot", "prompt"),
    [
        ("oxford_pets", "a photo of a red kite, a type of pet.", "X X X X red kite, a type of pet."),
        ("oxford_flowers", "a photo of a red kite, a type of flower.", "X X X X red kite, a type of flower."),
        ("fgvc_aircraft", "a photo of an aircraft red kite.", "X X X X red kite, a type of aircraft."),
        ("dtd", "a photo of a red kite, a type of texture.", "X X X X red kite texture."),
        ("eurosat", "a centered satellite photo of red kite.", "X X X X red kite."),
        ("stanford_cars", "a photo of a red kite.", "X X X X red kite, a type of car."),
        ("food101", "a photo of a red kite, a type of food.", "X X X X red kite, a type of food."),
        ("ucf101", "a photo of a person doing red kite.", "X X X X person doing red kite."),
        ("sun397", "a photo of a red kite.", "X X X X red kite."),
        ("caltech101", "a photo of a red kite.", "X X X X red kite."),
        ("imagenet", "a photo of a red kite.", "X X X X red kite."),
        ("imagenet_sketch", "a photo of a red kite.", "X X X X red kite."),
    ],
)
@pytest.mark.parametrize("words", ["", "a photo of a"], ids=["from noise", "from words"])
def test_published_sentences(backbone: Backbone, name: str, zero_shot: str, prompt: str, words: str) -> None:
    """X is a learned token; the published code leaves out the full stop behind "a type of car"."""
    tuner = tuner_of(backbone, "TCP", layer=2, ctx_init=words)
    images, _ = next(features(backbone))
    with backbone.noting() as notes:
        scores(tuner, images, classes_of(name))
    assert [sentences[0] for sentences in notes] == [zero_shot, prompt]


def test_dept_reads_what_matching_reads(backbone: Backbone) -> None:
    """Its loss stands beside the whole pull; on new classes matching decides alone."""
    settings: dict[str, Any] = {"layer": 2, "weight": 4.0}
    alone, around = (tuner_of(backbone, "TCP", head=head, **settings) for head in ("ITM", "DePT"))
    images, labels = next(features(backbone))
    plain, fused = alone(images, CLASSES, labels), around(images, CLASSES, labels)
    assert_near(fused["knowledge"], plain["knowledge"])
    head: Any = around.head
    of_labels = alone.features(images, CLASSES).text[labels]
    rows = torch.cat([head.cat.text(of_labels), head.cat.image(images)])
    cat = F.cross_entropy(head.cat.classifier(rows), labels.repeat(2))
    assert_near(fused["head"], 0.7 * cat + 0.3 * plain["head"])
    assert_near(scores(around, images, NEW), scores(alone, images, NEW))
