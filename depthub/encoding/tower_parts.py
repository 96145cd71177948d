"""A tower's layers and weights by name, and refusals of overlays that it cannot take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor

from depthub.encoding import image_tower, text_tower
from depthub.encoding.overlaid import PARTS
from depthub.encoding.prompt_checks import PromptsError
from depthub.errors import DepthubError, nearest
from depthub.types import Overlay

Tower = Literal["text", "image"]
FITS = {"text": text_tower.fits, "image": image_tower.fits}
END = {"text": ("ln_final", "text_projection"), "image": ("ln_post", "proj")}  # what stands behind the last layer


def weights(tower: Tower, holder: Any, layer: int | None) -> dict[str, Tensor]:
    """A layer's own weights, or for None those behind the last layer, by the names that `Overlay` has for them.

    Args:
        tower: of them.
        holder: the tower itself.
        layer: from 0.
    """
    if layer is not None:
        return dict(holder.transformer.resblocks[layer].named_parameters())
    norm, projection = END[tower]
    of_norm = {f"{norm}.{name}": value for name, value in getattr(holder, norm).named_parameters()}
    matrix = getattr(holder, projection)
    return of_norm | ({projection: matrix} if isinstance(matrix, Tensor) else {})


def check(tower: Tower, holder: Any, overlay: Any) -> None:
    """Refuse an overlay that does not fit a tower: a name that is not there would have no effect.

    Args:
        tower: of the overlay.
        holder: the tower itself.
        overlay: a method's.

    Raises:
        DepthubError: for anything but an `Overlay` of layers, parts and weights that the tower has, in their shapes, or if its layers are
            not open_clip's standard ones.
    """
    if not isinstance(overlay, Overlay):
        raise PromptsError(f"a {type(overlay).__name__} for the {tower} tower", "an Overlay")
    if not FITS[tower](holder):
        raise DepthubError(f"changes inside the {tower} tower need open_clip's standard layers, which this backbone's does not have")
    depth = len(holder.transformer.resblocks)
    for number, layer in overlay.layers.items():
        if not isinstance(number, int) or not 0 <= number < depth:
            raise PromptsError(f"changes to layer {number!r} of the {tower} tower", f"one of 0 to {depth - 1}")
        where = f"layer {number} of the {tower} tower"
        _check_weights(where, layer.weights, weights(tower, holder, number) if layer.weights else {})
        for part, function in layer.added.items():
            if part not in PARTS or not callable(function):
                parts = f"a function, at one of {', '.join(PARTS)}{nearest(part, PARTS)}"
                raise PromptsError(f"something added to {part!r} of {where}", parts)
    _check_weights(f"the end of the {tower} tower", overlay.end, weights(tower, holder, None) if overlay.end else {})


def _check_weights(where: str, changed: Mapping[str, Any], present: Mapping[str, Tensor]) -> None:
    for name, value in changed.items():
        if name not in present:
            raise PromptsError(f"a weight {name!r} for {where}", f"one of {', '.join(present)}{nearest(name, present)}")
        if not isinstance(value, Tensor) or value.shape != present[name].shape or value.device != present[name].device:
            described = f"{tuple(value.shape)} on {value.device}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
            expected = f"{tuple(present[name].shape)} on {present[name].device}"
            raise PromptsError(f"the weight {name!r} of {where} as {described}", f"a tensor {expected}")
