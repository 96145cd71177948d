"""What the protocols declare of their scores."""

from __future__ import annotations

import pytest
from PIL import Image

from depthub import ClassSet, Data, DepthubError, Examples
from depthub.protocol import Summary
from depthub.registry.plugins import installed


@pytest.mark.parametrize(
    ("name", "scores", "summary"),
    [
        ("BaseToNew", ["base", "new", "H"], Summary("H", {"H": ("base", "new")})),
        ("FewShot", ["accuracy"], Summary("accuracy")),
        ("CrossDataset", ["source", "flags", "average"], Summary("average")),
        ("DomainGeneralization", ["source", "sketch", "average"], Summary("average")),
    ],
)
def test_what_the_protocols_declare(name: str, scores: list[str], summary: Summary) -> None:
    assert installed().get("protocols", name)().summary(scores) == summary


@pytest.mark.parametrize("name", ["source", "average"])
@pytest.mark.parametrize(("protocol", "option"), [("CrossDataset", "targets"), ("DomainGeneralization", "variants")])
def test_a_data_set_cannot_take_the_name_of_another_score(protocol: str, option: str, name: str) -> None:
    images = Examples(("a", "b"), (0, 1), lambda image: Image.new("RGB", (8, 8)))
    data = Data(ClassSet("two", (0, 1), ("ant", "bee")), images, images)
    instance = installed().get("protocols", protocol)(**{option: ["flags", name]})
    with pytest.raises(DepthubError, match=f"^{option} has a data set '{name}', which is the name of another score"):
        instance.stages(data, lambda _: data, 1, 1)
