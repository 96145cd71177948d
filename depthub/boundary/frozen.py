"""Checks that the frozen model is unchanged: later runs share it, so a method's change would reach their numbers."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from torch import nn

from depthub.boundary.owner import owner_name, refuse
from depthub.encoding import image_tower, text_tower
from depthub.method import Method

if TYPE_CHECKING:
    from depthub.encoding.backbone import Backbone

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")  # of torch's modules
COMPUTE = "compute what changes with torch.func.functional_call(backbone.clip.visual, tensors, images)"
Marks = Mapping[str, Hashable]


def marks(backbone: Backbone) -> Marks:
    """A fingerprint of the model's state, in microseconds and without reading a weight: identity, version and `requires_grad` of every
    parameter, names of buffers, modules with hooks, and the encoding. Writes that torch does not count (to `p.data`) stay unnoticed.
    """
    # neither addresses nor identities of buffers: moving the model to another device is not a change
    state: dict[str, Hashable] = {name: (id(value), value._version, value.requires_grad) for name, value in backbone.named_parameters()}
    state |= dict.fromkeys(name for name, _ in backbone.named_buffers())
    return {**state, "": (backbone.encoding, *(id(module) for module in backbone.modules() if _hooked(module)))}


def check_unchanged(before: Marks, backbone: Backbone, method: Method) -> None:
    """Check that weights and layers are unchanged.

    Args:
        before: `marks` at the start of the run.
        backbone: the model of the run.
        method: the only method that used it since.

    Raises:
        DepthubError: if a parameter or buffer changed; for hooks see `check_hooks`.
    """
    now = marks(backbone)
    changed = [name for name in {**before, **now} if name and before.get(name, ...) != now.get(name, ...)]
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        refuse(
            owner_name("method", method),
            None,
            f"it changed {changed[0]}{more} of the backbone",
            "a frozen model, which other runs share",
            COMPUTE,
        )


def check_hooks(backbone: Backbone, method: Method) -> None:
    """Check that every hook on the model would be called whenever the model encodes.

    Three kinds of hooks would not be: on a layer that the fast encoding computes in parts, on a module that contains the layers, which
    prompts bypass; and on the image tower if `tunes_image` is false, since its features are then computed only once.

    Raises:
        DepthubError: for the first such hook.
    """
    if not any(map(_hooked, backbone.modules())):
        return
    owner, call = owner_name("method", method), type(method).__init__
    for tower, name, module, called in _parts(backbone):
        if not _hooked(module):
            continue
        if not called:
            expected = "one on a layer, with backbone.encoding = 'reference'"
            refuse(owner, call, f"a hook on {name} of the backbone is not called", expected, COMPUTE)
        if tower == "image" and not method.tunes_image:
            refuse(owner, call, f"a hook on {name} of the backbone changes the image features", "tunes_image = True for it", COMPUTE)


def _parts(backbone: Backbone) -> Iterator[tuple[str, str, nn.Module, bool]]:
    """Every module of the model: its tower, name, the module itself, and whether its hooks are called in every forward pass."""
    text, visual = backbone.text, backbone.clip.visual
    plain = backbone.encoding == "reference"
    called = {"text": plain or bool(backbone.text_refusal) or not text_tower.fits(text), "image": plain or not image_tower.fits(visual)}
    towers = {id(module): "image" for module in visual.modules()}
    layers = {id(module) for block in _blocks(backbone) for module in block.modules()}
    for name, module in backbone.named_modules():
        tower = towers.get(id(module), "text")
        yield tower, name, module, called[tower] and (id(module) in layers or not [*module.children()])


def _blocks(backbone: Backbone) -> Iterator[nn.Module]:
    text = backbone.text
    yield from getattr(text.transformer, "resblocks", None) or text.modules()  # of a tower that is always called whole
    visual: Any = backbone.clip.visual
    for holder in (getattr(visual, "transformer", None), getattr(visual, "trunk", None), visual):
        yield from getattr(holder, "resblocks", None) or getattr(holder, "blocks", None) or ()


def _hooked(module: nn.Module) -> bool:
    return any(getattr(module, hooks, None) for hooks in HOOKS)
