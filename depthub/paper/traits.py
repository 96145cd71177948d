"""Table 5: what methods learn, and where it enters; tried out, not typed in."""

from __future__ import annotations

from typing import Any

import torch

from depthub.encoding.backbone import Backbone
from depthub.method import Method, PromptMethod
from depthub.paper.grids import Grid
from depthub.paper.selection import Selection
from depthub.paper.shown import Shown
from depthub.registry.plugins import installed
from depthub.running.models import frozen
from depthub.spec import BackboneSpec, Component
from depthub.types import ClassSet, Prompts

CLASSES = ClassSet("trial", (0, 1, 2), ("cat", "dog", "horse"))
COLUMNS = ("method", "prompt type", "branch", "location")


class _Listener:
    """A backbone that notes whether it was asked for hand-written sentences."""

    def __init__(self, backbone: Backbone) -> None:
        self._backbone, self.is_asked = backbone, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backbone, name)

    def encode_sentences(self, *arguments: Any, **options: Any) -> Any:
        self.is_asked = True
        return self._backbone.encode_sentences(*arguments, **options)


def methods(selection: Selection) -> Shown:
    """Prompt type, branch and location of the methods of the exhibit's suite, as a trial of each shows them."""
    (suite,) = selection.suites.values()
    components = {row.method.name: row.method for row in suite.all_rows()}
    settings = {name: {**suite.board.settings.get(name, {}), **component.settings} for name, component in components.items()}
    every = [[name, *traits(Component(name, settings[name]))] for name in components]
    rows = [row for row in every if row[1] != "none"]
    note = "Tried on the embedded model: no number is measured, and none is from print."
    values = {"methods": [dict(zip(COLUMNS, row, strict=True)) for row in rows]}
    return Shown([Grid("", COLUMNS, rows, (note,))], values)


def traits(method: Component) -> tuple[str, str, str]:
    """Prompt type, branch and location of a method.

    Args:
        method: with the settings of the trial.

    Returns:
        The columns of the paper's Table 5; "none" for a method that learns nothing.
    """
    backbone = frozen(BackboneSpec())
    listener: Any = _Listener(backbone)
    cls = installed().get("methods", method.name)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        instance: Method = cls(listener, CLASSES, **method.settings)
        if not any(parameter.requires_grad for parameter in instance.parameters()):
            return "none", "none", "none"
        if not isinstance(instance, PromptMethod):
            return "other than prompts", "features", "features"
        image = torch.randn(2, backbone.dim) if instance.needs_image else None
        prompts = instance.prompts_for(backbone, CLASSES, image)
    kind = "soft (dynamic)" if instance.needs_image else "soft"
    return f"{kind} & hand-written" if listener.is_asked else kind, _branch(prompts), _location(prompts)


def _branch(prompts: Prompts) -> str:
    towers = [name for name, tokens in (("image", prompts.image), ("text", prompts.text)) if tokens]
    return f"{' & '.join(towers)} encoder"


def _location(prompts: Prompts) -> str:
    return "deep features" if max(len(prompts.text), len(prompts.image)) > 1 else "word embeddings" if prompts.text else "patch embeddings"
