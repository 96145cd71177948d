"""What runs cost, counted by hand; data sets that are not here, from their cards."""

from __future__ import annotations

from dataclasses import replace

import pytest

from depthub.data.published.on_disk import OnDisk
from depthub.errors import DepthubError
from depthub.paper.costs import costs, with_hours
from depthub.paper.published_cost import PublishedOperations, published_counter
from depthub.registry.plugins import installed
from depthub.running.resolving import Resolver
from depthub.running.sketched import SketchingResolver, stand_in
from depthub.spec import BackboneSpec, Component, DataSpec, RunSpec, Training
from depthub.suites.operations import Tower, towers_of

REAL = RunSpec(
    data=DataSpec("eurosat"), backbone=BackboneSpec("ViT-B-16-quickgelu", "openai"), training=Training(epochs=10, batch_size=4), shots=16
)


def test_a_tower_of_clip_has_the_operations_of_its_size() -> None:
    towers = towers_of(REAL.backbone, installed())
    assert towers is not None
    assert (towers.text.width, towers.text.layers, towers.context_length) == (512, 12, 77)
    # 12 layers x 77 tokens x (24 x 512^2 + 4 x 77 x 512)
    assert replace(towers.text, tokens=77).operations() == 12 * 77 * (24 * 512**2 + 4 * 77 * 512)
    assert towers.image.operations() == pytest.approx(35.1e9, rel=0.01)  # as the published encoder was counted


def test_the_published_code_encodes_everything_in_every_step() -> None:
    run = SketchingResolver()(REAL)
    image, text = Tower(2, 1, 3), Tower(2, 1, 5)
    steps, classes = 5 * 16 // 4 * 10, 5
    of_image, of_text = 3 * (24 * 4 + 4 * 3 * 2), 5 * (24 * 4 + 4 * 5 * 2)
    tests = [len(task.examples) for task in run.stages[0].tests]
    in_tests = sum(n * of_image + -(-n // 100) * classes * of_text for n in tests)
    expected = steps * (4 * of_image + 2 * classes * of_text) + in_tests
    assert PublishedOperations(image, text, installed())(run) == expected


def test_texts_that_depend_on_the_image_are_encoded_for_each() -> None:
    resolver = SketchingResolver()
    plain, dynamic = (resolver(replace(REAL, method=Component(name))) for name in ("CoOp", "CoCoOp"))
    count = PublishedOperations(Tower(2, 1, 3), Tower(2, 1, 5), installed())
    steps, classes, of_text = 5 * 16 // 4 * 10, 5, 5 * (24 * 4 + 4 * 5 * 2)
    tests = [len(task.examples) for task in plain.stages[0].tests]
    more = steps * 2 * 3 * classes * of_text + sum((n - -(-n // 100)) * classes * of_text for n in tests)
    assert count(dynamic) - count(plain) == more
    assert published_counter([plain, dynamic], installed()) is not None


def test_sharing_saves_images_and_the_published_code_costs_most() -> None:
    resolver = SketchingResolver()
    runs = [resolver(replace(REAL, head=Component(head))) for head in ("ITM", "DePT")]
    counted = costs(runs)
    assert counted is not None
    assert counted["images_alone"] == 2 * counted["images_shared"], "both read the same views and test images"
    assert counted["shared"] < counted["alone"] < counted["published"]
    hours = with_hours(counted, 1e12)["hours"]
    assert hours["published"] == pytest.approx(counted["published"] / 1e12 / 3600)
    assert costs([]) is None


@pytest.mark.parametrize("name", [n for n in installed().names("datasets") if isinstance(installed().get("datasets", n), OnDisk)])
def test_a_stand_in_has_the_sizes_of_the_card(name: str) -> None:
    card = installed().get("datasets", name).card
    data = stand_in(card)
    assert len(data.classes) == card.n_classes
    assert len(data.test) == card.counts["test"]
    if "test/base" in card.counts:
        assert sum(label < card.n_base for label in data.test.labels) == card.counts["test/base"]
    with pytest.raises(DepthubError, match="is of a data set that is not on this machine"):
        data.test.read(data.test.ids[0])


def test_what_is_here_is_not_stood_in_for() -> None:
    resolver = SketchingResolver()
    assert resolver(RunSpec()).run_id == Resolver()(RunSpec()).run_id
    assert resolver.absent == []
    resolver(REAL)
    assert resolver.absent == ["eurosat"]
    with pytest.raises(DepthubError, match="nothing"):
        resolver(RunSpec(data=DataSpec("folder:nothing")))
