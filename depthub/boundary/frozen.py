"""The frozen model, which runs that follow one another share: what a method changes of it would be in other runs' numbers."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from torch import nn

from depthub.boundary.owner import refuse, whose
from depthub.encoding import image_tower, text_tower
from depthub.method import Method

if TYPE_CHECKING:
    from depthub.encoding.backbone import Backbone

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")  # of torch's modules
COMPUTE = "compute what changes with torch.func.functional_call(backbone.clip.visual, tensors, images)"
Marks = Mapping[str, Hashable]


def marks(backbone: Backbone) -> Marks:
    """What tells, in microseconds and without reading a weight, whether the model is as it was: of every parameter which it is, its version
    and whether it is trainable; the names of buffers; hooks, and how it encodes. Writes past torch's own counting (`p.data`) are not told.
    """
    # not the place in memory, nor a buffer's identity: a model may be moved
    state: dict[str, Hashable] = {name: (id(value), value._version, value.requires_grad) for name, value in backbone.named_parameters()}
    state |= dict.fromkeys(name for name, _ in backbone.named_buffers())
    return {**state, "": (backbone.encoding, *(id(module) for module in backbone.modules() if _hooked(module)))}


def check_unchanged(before: Marks, backbone: Backbone, method: Method) -> None:
    """Check that weights and layers are as they were.

    Args:
        before: `marks` at the start of the run.
        backbone: of the run.
        method: the only one that it was given to.

    Raises:
        DepthubError: if not; hooks and the way of encoding are `check_hooks`'s matter.
    """
    now = marks(backbone)
    changed = [name for name in {**before, **now} if name and before.get(name, ...) != now.get(name, ...)]
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        refuse(
            whose("method", method),
            None,
            f"it changed {changed[0]}{more} of the backbone",
            "a frozen model, which other runs share",
            COMPUTE,
        )


def check_hooks(backbone: Backbone, method: Method) -> None:
    """Check that the model has no hooks that would be called sometimes, or never.

    Raises:
        DepthubError: if it has: layers that are computed part by part call none, what holds the layers is passed by where there are
            prompts, and images are encoded once where `tunes_image` is false.
    """
    if not any(map(_hooked, backbone.modules())):
        return
    owner, call = whose("method", method), type(method).__init__
    for tower, name, module, called in _parts(backbone):
        if not _hooked(module):
            continue
        if not called:
            refuse(
                owner, call, f"a hook on {name} of the backbone is not called", "one on a layer, with backbone.encoding = 'plain'", COMPUTE
            )
        if tower == "image" and not method.tunes_image:
            refuse(owner, call, f"a hook on {name} of the backbone changes the image features", "tunes_image = True for it", COMPUTE)


def _parts(backbone: Backbone) -> Iterator[tuple[str, str, nn.Module, bool]]:
    """Every module of the model: tower, name, the module, and whether its hooks are called in all encodings."""
    text, visual = backbone.text, backbone.clip.visual
    plain = backbone.encoding == "reference"
    called = {"text": plain or not text_tower.fits(text), "image": plain or not image_tower.fits(visual)}
    towers = {id(module): "image" for module in visual.modules()}
    layers = {id(module) for block in _blocks(backbone) for module in block.modules()}
    for name, module in backbone.named_modules():
        tower = towers.get(id(module), "text")
        yield tower, name, module, called[tower] and (id(module) in layers or not [*module.children()])


def _blocks(backbone: Backbone) -> Iterator[nn.Module]:
    yield from backbone.text.transformer.resblocks
    visual: Any = backbone.clip.visual
    for holder in (getattr(visual, "transformer", None), getattr(visual, "trunk", None), visual):
        yield from getattr(holder, "resblocks", None) or getattr(holder, "blocks", None) or ()


def _hooked(module: nn.Module) -> bool:
    return any(getattr(module, hooks, None) for hooks in HOOKS)
