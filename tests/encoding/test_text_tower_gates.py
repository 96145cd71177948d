"""Limits on a step of the text tower: operations, launches and memory, all counted. No clock is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from open_clip import IMAGENET_CLASSNAMES
from open_clip.transformer import QuickGELU
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from depthub.compute.linear import use_backend
from depthub.encoding.backbone import Backbone
from depthub.encoding.sentences import write
from depthub.types import ClassSet, Prompts
from tests.models import random_backbone

floor = pytest.importorskip("benchmarks.floor", reason="the benchmarks belong to the repository, not to the wheel").floor

MAKERS, KINDS = ("Aston Martin", "Audi", "BMW", "Chevrolet", "Dodge", "Mercedes-Benz", "Rolls-Royce"), ("Sedan", "Coupe Convertible", "SUV")
CARS = [f"{maker} {i % 5}{i}0 {KINDS[i % 3]} 20{10 + i % 3}" for maker in MAKERS for i in range(14)]  # long, ragged, beginning alike
LISTS = {"ImageNet": IMAGENET_CLASSNAMES[:50], "cars": CARS, "one": ["dog"]}


def class_set(names: Sequence[str]) -> ClassSet:
    return ClassSet("gates", tuple(range(len(names))), tuple(names))


def tower(width: int, layers: int) -> Backbone:
    return random_backbone(dtype=torch.float32, context_length=77, width=width, heads=max(1, width // 64), layers=layers)


def context(backbone: Backbone, n: int) -> Tensor:
    return torch.randn(n, backbone.text_width, generator=torch.Generator().manual_seed(0)).mul_(0.02).requires_grad_()


def step(backbone: Backbone, classes: ClassSet, learned: Tensor) -> None:
    backbone.encode_text(classes, Prompts([learned])).sum().backward()  # type: ignore[no-untyped-call]


class Launches(TorchDispatchMode):
    """Counts the operations that are more than another view of a tensor."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += not func.is_view and func is not torch.ops.aten.detach.default
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("names", LISTS)
@pytest.mark.parametrize("n", [4, 16])
def test_operations_are_near_the_floor(names: str, n: int) -> None:
    backbone, classes = tower(512, 3), class_set(LISTS[names])
    learned = context(backbone, n)
    step(backbone, classes, learned)  # constants are computed once
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        step(backbone, classes, learned)
    symbols = write(backbone.tokenizer, 77, classes, n, "end", "").symbols(per_class=False)
    fewest = floor(symbols, backbone.text_width, backbone.text_depth, backbone.dim)
    assert fewest <= counter.get_total_flops() <= 1.03 * fewest


def test_launches_do_not_grow_with_the_classes() -> None:
    backbone, counts = tower(32, 12), []
    learned = context(backbone, 16)
    for number in (10, 50, 500):
        classes = class_set(IMAGENET_CLASSNAMES[:number])
        step(backbone, classes, learned)
        with Launches() as launches:
            step(backbone, classes, learned)
        counts.append(launches.count)
    assert len(set(counts)) == 1
    assert counts[0] <= 450


@pytest.mark.parametrize("quick_gelu", [False, True])
@pytest.mark.parametrize(("n", "most"), [(4, 20e3), (16, 24e3)])
def test_what_is_saved_for_the_backward_pass(n: int, most: float, quick_gelu: bool) -> None:
    backbone, classes = tower(512, 3), class_set(LISTS["ImageNet"])
    if quick_gelu:
        for block in backbone.text.transformer.resblocks:
            block.mlp.gelu = QuickGELU()
    learned = context(backbone, n)
    step(backbone, classes, learned)
    (class_text,) = backbone._memory.class_texts.values()
    constants = class_text.constants
    assert constants is not None
    fixed = {t.untyped_storage().data_ptr() for t in (*backbone.parameters(), *constants.before, constants.rows, constants.first)}
    saved: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved.update({storage.data_ptr(): storage.nbytes()} if storage.data_ptr() not in fixed else {})
        return tensor

    with use_backend("torch"), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        features = backbone.encode_text(classes, Prompts([learned]))
    rows = class_text.trie.within.count
    assert features.requires_grad
    assert sum(saved.values()) / rows / backbone.text_depth <= most  # bytes per row and layer
