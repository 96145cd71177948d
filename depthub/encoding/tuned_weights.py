"""Trained parts inside a tower, as a method holds them: copies of weights, and low-rank maps beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from depthub.encoding.backbone import Backbone
from depthub.encoding.tower_parts import Tower
from depthub.errors import DepthubError
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


class AddedParts(nn.ModuleDict):
    """Trained functions beside one part of several layers of a tower; `overlay()` adds their values to the part's.

    Args:
        part: of a layer, see `LayerOverlay.added`.
        functions: by the number of the layer, from 0.
    """

    def __init__(self, part: str, functions: Mapping[int, nn.Module]) -> None:
        super().__init__({str(number): function for number, function in functions.items()})
        self.part = part

    @classmethod
    def low_rank(cls, layers: Iterable[int], width: int, rank: int, alpha: float, dropout: float) -> AddedParts:
        """Low-rank updates of the queries, keys and values of the layers with these numbers, see `LowRank`.

        Raises:
            DepthubError: as `LowRank`.
        """
        return cls("attn.in_proj", {number: LowRank(width, rank, alpha, dropout) for number in layers})

    def overlay(self) -> Overlay:
        """The changes that add the functions."""
        return Overlay({int(number): LayerOverlay(added={self.part: function}) for number, function in self.items()})


class LowRank(nn.Module):
    """Low-rank updates of a layer's queries, keys and values, each alpha / sqrt(rank) * B A x with dropout of x; B starts at zero
    (LoRA, rank-stabilised).

    Args:
        width: of the layer.
        rank: of each.
        alpha: factor.
        dropout: share of the input that is dropped in training, for each map by itself.
        maps: which of the three.

    Raises:
        DepthubError: for a rank below 1, or a share that is not from 0 to below 1.
    """

    def __init__(self, width: int, rank: int, alpha: float, dropout: float, maps: Sequence[str] = ("q", "k", "v")) -> None:
        super().__init__()
        if rank < 1 or not 0 <= dropout < 1:
            raise DepthubError(f"updates of low rank: rank is {rank} and dropout {dropout}, expected at least 1, and 0 to below 1")
        self.maps, self.scale, self.dropout = tuple(maps), alpha / sqrt(rank), dropout
        bound = 1 / sqrt(width)
        self.down = nn.ParameterDict({name: nn.Parameter(torch.empty(rank, width).uniform_(-bound, bound)) for name in self.maps})
        self.up = nn.ParameterDict({name: nn.Parameter(torch.zeros(width, rank)) for name in self.maps})

    def forward(self, x: Tensor) -> Tensor:
        """What is added to queries, keys and values, (..., 3w), from the layer's normalised input (..., w)."""
        return torch.cat([self._added(name, x) for name in ("q", "k", "v")], dim=-1)

    def _added(self, name: str, x: Tensor) -> Tensor:
        if name not in self.maps:
            return torch.zeros_like(x)
        low = F.linear(F.dropout(x, self.dropout, self.training), self.down[name])
        return self.scale * F.linear(low, self.up[name])


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
