"""What each method and head can do: tried on the conformance kit's small model, not typed in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import open_clip
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from depthub import Backbone, DepthubError, Head, Method, PromptMethod
from depthub.registry.plugins import installed
from depthub.testing import Case, toy
from depthub.training.grouping import StackKey, stack_key
from depthub.training.job import TrainingJob
from docs.site.options import settings
from docs.site.tables import table, yes

READING = ("_local_scalar_dense", "nonzero", "masked_select", "equal")  # operators that make the host wait for a GPU's numbers

METHOD_COLUMNS = (
    *("method", "gives", "learns", "text depends on the image", "image side is tuned"),
    *("trains in a stack", "steps from a CUDA graph", "new classes", "image tower"),
)
HEAD_COLUMNS = ("head", "learns", "learning rate", "new classes", "gives", "takes another head")


def methods() -> str:
    """A row for each installed method, with its default options and the ITM head."""
    plugins = installed()
    return table(METHOD_COLUMNS, [method_row(name, plugins.get("methods", name)) for name in plugins.names("methods")])


def heads() -> str:
    """A row for each installed head, with its default options, around a plain learned context."""
    plugins = installed()
    return table(HEAD_COLUMNS, [head_row(name, plugins.get("heads", name)) for name in plugins.names("heads")])


def method_row(name: str, cls: type[Method]) -> tuple[str, ...]:
    """A method's row, as the columns are called."""
    case = Case("methods", cls)
    return (
        f"`{name}`",
        "prompts" if issubclass(cls, PromptMethod) else "features",
        _learns(lambda classes: cls(toy.backbone(), classes)),
        yes(cls.needs_image),
        yes(cls.tunes_image),
        _stack(case),
        _graph(case),
        yes(_takes_new_classes(case.tuner().method)),
        "any" if _reads_resnet(cls) else "vision transformer",
    )


def head_row(name: str, cls: type[Head]) -> tuple[str, ...]:
    """A head's row, as the columns are called."""
    head = Case("heads", cls).tuner().head
    learns = _learns(lambda classes: cls(toy.backbone().dim, classes))
    slots = [one.name for one in settings(cls) if isinstance(one.default, type) and issubclass(one.default, Head)]
    gives = "probabilities" if head.gives_probabilities(toy.BASE) else "logits"
    rate = f"{head.lr_scale:g} times the prompts'" if learns else ""
    return f"`{name}`", learns, rate, yes(_takes_new_classes(head)), gives, ", ".join(f"`{slot}`" for slot in slots)


def _learns(make: Callable[[Any], nn.Module]) -> str:
    """Whether there is something to learn, and whether it grows with the number of classes."""
    few, many = (sum(p.numel() for p in make(classes).parameters() if p.requires_grad) for classes in (toy.NEW, toy.BASE))
    return "" if not many else "shared" if few == many else "per class"


def _stack(case: Case) -> str:
    """Whether runs train as one; the reason where they do not."""
    tuner = case.tuner()
    images = torch.utils.data.TensorDataset(*toy.images(*toy.TRAIN))
    key = stack_key(TrainingJob(tuner, images, toy.BASE, toy.RECIPE, toy.SEED))
    return "yes" if isinstance(key, StackKey) else f"no: {key}" if key else ""


def _graph(case: Case) -> str:
    """Whether a training step draws no random number and reads nothing back, as a recording asks; the rest shows on a GPU alone."""
    tuner = case.tuner()
    if not tuner.tuned():
        return ""
    state, reading = torch.get_rng_state(), _Reading()  # type: ignore[no-untyped-call]
    pixels, labels = toy.images(*toy.TRAIN)
    losses = tuner(pixels, toy.BASE, labels)  # the first batch is checked, which reads
    with reading:
        losses = tuner(pixels, toy.BASE, labels)
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    drawn = not torch.equal(state, torch.get_rng_state())
    return "no: it draws random numbers" if drawn else f"no: it reads numbers back ({reading.seen})" if reading.seen else "yes"


class _Reading(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the last operator that makes the host wait for a GPU's numbers."""

    seen = ""

    def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = operator.__name__.partition(".")[0]
        if name in READING:
            self.seen = name
        return operator(*args, **(kwargs or {}))


def _takes_new_classes(part: Method | Head) -> bool:
    return not _refused(lambda: part.check(toy.NEW))


def _reads_resnet(cls: type[Method]) -> bool:
    """Whether it works with an image tower that takes no prompts."""
    vision = {"image_size": 32, "layers": (1, 1, 1, 1), "width": 8, "head_width": 32}
    text = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 12}
    backbone = Backbone(open_clip.CLIP(64, vision, text), toy.backbone().tokenizer)
    pixels, _ = toy.images(2)
    return not _refused(lambda: cls(backbone, toy.BASE).features(backbone, pixels, toy.BASE))


def _refused(do: Callable[[], Any]) -> bool:
    try:
        do()
    except DepthubError:
        return True
    return False
