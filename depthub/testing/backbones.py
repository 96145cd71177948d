"""Checks of backbones: that they load, and take learned tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import open_clip
import torch
from torch import Tensor

from depthub.encoding.backbone import Backbone
from depthub.encoding.loading.load import load_backbone
from depthub.encoding.loading.sources import RANDOM, find
from depthub.errors import DepthubError
from depthub.registry.plugins import installed
from depthub.spec import BackboneSpec, NamedBackbone
from depthub.testing import toy
from depthub.testing.case import Part
from depthub.testing.contract import SkippedError, contract
from depthub.types import Prompts
from depthub.values.places import HUB

CLOSE = 1e-3  # relative to the largest number: the rounding of fp32 through a dozen layers, in sums of another order
TOKENS = 3


@dataclass(eq=False)
class BackboneCase(Part):
    """A named backbone, if its weights are on this machine."""

    @cached_property
    def backbone(self) -> Backbone:
        """The model.

        Raises:
            SkippedError: if its weights are published ones that are not on this machine.
        """
        plugins = installed()
        named: dict[str, NamedBackbone] = plugins.all("backbones")
        named[self.name] = self.make()
        spec = BackboneSpec(self.name)
        try:
            return load_backbone(spec, named)
        except DepthubError as error:
            if not _published(spec, named):
                raise
            raise SkippedError(f"it needs weights: {error}") from error


@contract(
    "encoding",
    "it loads, and encodes texts and images, also with learned tokens, by layers taken apart as by open_clip's own.",
    "backbones",
)
def encoding(case: BackboneCase) -> str:
    """A named backbone says where a model is. Files of its own must be there; published weights that are not on this machine are a reason
    to skip. Image prompts are asked for where the image tower is a vision transformer.
    """
    backbone, pixels, context = case.backbone, _pixels(case.backbone), _context(case.backbone)
    for what, rows, encode in (
        ("images", len(pixels), lambda: backbone.encode_image(pixels)),
        ("sentences", len(toy.BASE), lambda: backbone.encode_text(toy.BASE, Prompts())),
        ("texts with learned tokens", len(toy.BASE), lambda: backbone.encode_text(toy.BASE, context)),
    ):
        encoded = _alike(backbone, encode, what)
        assert tuple(encoded.shape) == (rows, backbone.dim), f"{what} give {tuple(encoded.shape)}, expected {(rows, backbone.dim)}"
        assert not torch.allclose(encoded, encoded[:1].expand_as(encoded)), f"all {what} give the same features"
    _check_gradient(next(token for token in context.text if token is not None), encoded, "text")
    try:
        width = backbone.image_width
    except DepthubError as error:
        return str(error)
    token = torch.full((TOKENS, width), 0.02, requires_grad=True)
    _check_gradient(token, _alike(backbone, lambda: backbone.encode_image(pixels, [token]), "images with learned tokens"), "image")
    return ""


def _alike(backbone: Backbone, encode: Callable[[], Tensor], what: str) -> Tensor:
    """Features, checked to be finite and equal under both encodings."""
    features = []
    before = backbone.encoding
    try:
        for backbone.encoding in ("reference", "fast"):
            features.append(encode())
    finally:
        backbone.encoding = before
    reference, fast = features
    assert fast.isfinite().all(), f"{what} give features that are not finite"
    deviation = (reference - fast).abs().max().item() / reference.abs().max().item()
    assert deviation <= CLOSE, f"{what} give other features by open_clip's own layers, by up to {deviation:.2g} of the largest"
    return fast


def _check_gradient(token: Tensor, features: Tensor, what: str) -> None:
    (gradient,) = torch.autograd.grad(features.square().sum(), token)
    assert gradient.isfinite().all(), f"the gradient of {what} tokens is not finite"
    assert gradient.count_nonzero(), f"{what} tokens get no gradient"


def _context(backbone: Backbone) -> Prompts:
    generator = torch.Generator().manual_seed(toy.SEED)
    return Prompts(text=[(0.02 * torch.randn(TOKENS, backbone.text_width, generator=generator)).requires_grad_()])


def _pixels(backbone: Backbone) -> Tensor:
    return torch.randn(2, 3, *backbone.image_size, generator=torch.Generator().manual_seed(toy.SEED))


def _published(spec: BackboneSpec, named: dict[str, NamedBackbone]) -> bool:
    """Whether its weights are published ones, which may be missing on this machine, and not files of the plugin."""
    model, tag = named[spec.model].model, named[spec.model].pretrained
    if model.startswith(HUB):
        return True
    sources = find(spec, named)
    return sources.weights is None and tag != RANDOM and tag in open_clip.list_pretrained_tags_by_model(sources.model)
