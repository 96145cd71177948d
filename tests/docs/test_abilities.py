"""The tables of abilities say what a trial shows."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from depthub import Backbone, ClassSet, DepthubError, PromptMethod, Prompts
from depthub.testing import Case

abilities = pytest.importorskip("docs.site.abilities", reason="the documentation is not on the path: tests of an installed package")


class Plain(PromptMethod):
    """A learned context."""

    def __init__(self, backbone: Backbone, classes: ClassSet) -> None:
        super().__init__(backbone, classes)
        self.context = nn.Parameter(0.02 * torch.randn(2, backbone.text_width))

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        return Prompts(text=[self.context])


class Drawing(Plain):
    """A context with noise."""

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        return Prompts(text=[self.context + 0.01 * torch.randn_like(self.context)])


class Reading(Plain):
    """A context that the host looks at."""

    def prompts(self, classes: ClassSet, image: Tensor | None) -> Prompts:
        return Prompts(text=[self.context * (1 if self.context.sum() > 0 else 2)])


class Narrow(Plain):
    """A context for each class."""

    def __init__(self, backbone: Backbone, classes: ClassSet) -> None:
        super().__init__(backbone, classes)
        self.own = nn.Parameter(0.02 * torch.randn(len(classes), 2, backbone.text_width))

    def check(self, classes: ClassSet) -> None:
        raise DepthubError("no")


@pytest.mark.parametrize(
    ("method", "says"),
    [(Plain, "yes"), (Drawing, "no: it draws random numbers"), (Reading, "no: it reads numbers back")],
)
def test_what_a_recording_cannot_repeat_is_seen(method: type[Plain], says: str) -> None:
    assert abilities._graph(Case("methods", method)).startswith(says)


def test_what_grows_with_the_classes_is_seen() -> None:
    row = abilities.method_row("narrow", Narrow)
    assert row[:3] == ("`narrow`", "prompts", "per class")
    assert abilities.method_row("plain", Plain)[2] == "shared"
    new_classes = abilities.METHOD_COLUMNS.index("new classes")
    assert (row[new_classes], abilities.method_row("plain", Plain)[new_classes]) == ("", "yes")
