"""Image features are computed once, and never those of another image with the same name."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from PIL import Image

from depthub.data.dataset import Examples
from depthub.data.views import transform
from depthub.features import ImageFeatures
from tests.models import random_backbone


@dataclass(frozen=True)
class Plain:
    """Draws gray pictures; two that differ give other pictures for the same id."""

    shift: int

    def __call__(self, name: str) -> Image.Image:
        return Image.new("RGB", (40, 40), (self.shift + int(name),) * 3)


def test_each_image_is_encoded_once_for_each_reader() -> None:
    backbone = random_backbone(dtype=torch.float32)
    seen: list[int] = []
    backbone.clip.visual.register_forward_hook(lambda _, given, out: seen.append(len(given[0])))
    features = ImageFeatures(backbone, transform((32, 32), ((0.5,) * 3, (0.5,) * 3), augment=False))
    first = features.of(Examples(("1", "2", "3"), (0, 1, 0), Plain(0)))
    again = features.of(Examples(("3", "1"), (1, 1), Plain(0)))
    assert seen == [3]
    assert torch.equal(again.tensors[0], first.tensors[0][[2, 0]])
    assert again.tensors[1].tolist() == [1, 1]
    other = features.of(Examples(("1", "2", "3"), (0, 1, 0), Plain(90)))
    assert seen == [3, 3]
    assert not torch.allclose(other.tensors[0], first.tensors[0])
