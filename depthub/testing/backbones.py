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
    to skip. Text prompts are asked for where the text tower takes them (`Backbone.text_refusal`), image prompts where the image tower is a
    vision transformer.
    """
    backbone, pixels = case.backbone, _pixels(case.backbone)
    _check_features(backbone, "images", len(pixels), lambda: backbone.encode_image(pixels))
    _check_features(backbone, "sentences", len(toy.BASE), lambda: backbone.encode_text(toy.BASE, Prompts()))
    return "; ".join(filter(None, (_check_text_prompts(backbone), _check_image_prompts(backbone, pixels))))


def _check_text_prompts(backbone: Backbone) -> str:
    """Check texts with learned tokens; the reason if the tower takes none."""
    try:
        context = 0.02 * torch.randn(TOKENS, backbone.text_width, generator=torch.Generator().manual_seed(toy.SEED))
    except DepthubError as error:
        return str(error)
    prompts = Prompts(text=[context.requires_grad_()])
    encoded = _check_features(backbone, "texts with learned tokens", len(toy.BASE), lambda: backbone.encode_text(toy.BASE, prompts))
    _check_gradient(context, encoded, "text")
    return ""


def _check_image_prompts(backbone: Backbone, pixels: Tensor) -> str:
    """Check images with learned tokens; the reason if the tower takes none."""
    try:
        token = torch.full((TOKENS, backbone.image_width), 0.02, requires_grad=True)
    except DepthubError as error:
        return str(error)
    _check_gradient(token, _alike(backbone, lambda: backbone.encode_image(pixels, [token]), "images with learned tokens"), "image")
    return ""


def _check_features(backbone: Backbone, what: str, rows: int, encode: Callable[[], Tensor]) -> Tensor:
    """Features, checked to have their shape and to differ."""
    encoded = _alike(backbone, encode, what)
    assert tuple(encoded.shape) == (rows, backbone.dim), f"{what} give {tuple(encoded.shape)}, expected {(rows, backbone.dim)}"
    assert not torch.allclose(encoded, encoded[:1].expand_as(encoded)), f"all {what} give the same features"
    return encoded


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


def _pixels(backbone: Backbone) -> Tensor:
    return torch.randn(2, 3, *backbone.image_size, generator=torch.Generator().manual_seed(toy.SEED))


def _published(spec: BackboneSpec, named: dict[str, NamedBackbone]) -> bool:
    """Whether its weights are published ones, which may be missing on this machine, and not files of the plugin."""
    model, tag = named[spec.model].model, named[spec.model].pretrained
    if model.startswith(HUB):
        return True
    sources = find(spec, named)
    return sources.weights is None and tag != RANDOM and tag in open_clip.list_pretrained_tags_by_model(sources.model)
