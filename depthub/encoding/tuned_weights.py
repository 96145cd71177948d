"""Trained copies of a tower's weights, as a method holds them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from torch import Tensor, nn

from depthub.encoding.backbone import Backbone
from depthub.encoding.tower_parts import Tower
from depthub.types import LayerOverlay, Overlay


class TunedWeights(nn.Module):
    """Trained copies of some of a tower's weights, which start at the frozen ones; `overlay()` puts them in their place.

    Args:
        backbone: the frozen model.
        tower: "text" or "image".
        layers: numbers of the layers, from 0.
        end: whether weights behind the last layer are among them.
        choose: whether a weight is among them, by its name, see `Overlay`; by default all are.

    Raises:
        DepthubError: if the tower does not have such layers, or other layers than open_clip's standard ones.
    """

    def __init__(
        self,
        backbone: Backbone,
        tower: Tower,
        layers: Iterable[int],
        *,
        end: bool = False,
        choose: Callable[[str], bool] = lambda name: True,
    ) -> None:
        super().__init__()

        def copies(layer: int | None) -> nn.Module:
            return _tree({name: value for name, value in backbone.weights(tower, layer).items() if choose(name)})

        self.layers = nn.ModuleDict({str(number): copies(number) for number in layers})
        self.end = copies(None) if end else nn.Module()

    def overlay(self) -> Overlay:
        """The changes that put the copies in the place of the frozen weights."""
        layers = {int(number): LayerOverlay(dict(part.named_parameters())) for number, part in self.layers.items()}
        return Overlay(layers, dict(self.end.named_parameters()))


def _tree(tensors: Mapping[str, Tensor]) -> nn.Module:
    """Parameters under dotted names, each part of a name a module."""
    tree, inner = nn.Module(), dict[str, dict[str, Tensor]]()
    for name, value in tensors.items():
        part, _, rest = name.partition(".")
        if rest:
            inner.setdefault(part, {})[rest] = value
        else:
            tree.register_parameter(part, nn.Parameter(value))
    for part, of_part in inner.items():
        tree.add_module(part, _tree(of_part))
    return tree
