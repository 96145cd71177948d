"""Small random models, built by open_clip itself, and small data sets on disk."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import open_clip
import torch
from PIL import Image
from safetensors.torch import save_file

from depthub.encoding.backbone import Backbone
from depthub.spec import BackboneSpec, DataSpec
from depthub.types import ClassSet

NAMES = ("forest", "annual_crop_land", "2012 Audi A5 Coupe", "bird of paradise", "highway or road")
CLASSES = ClassSet("five", tuple(range(5)), NAMES)
TEXT = {"context_length": 32, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 3}
VIT = {"image_size": 32, "patch_size": 16, "width": 48, "layers": 3, "head_width": 24}


def random_backbone(
    *, custom_text: bool = False, vision: dict[str, object] | None = None, dtype: torch.dtype = torch.float64, **text: object
) -> Backbone:
    """A seeded random CLIP; `vision` and `text` change its towers' configurations."""
    torch.manual_seed(0)
    build = open_clip.CustomTextCLIP if custom_text else open_clip.CLIP
    model = build(24, {**VIT, **(vision or {})}, {**TEXT, **text})
    for p in model.parameters():  # biases and scales that differ from 0 and 1, so that a wrong use of them shows
        if p.ndim == 1:
            torch.nn.init.normal_(p, p.mean().item(), 0.1)
    return Backbone(
        model.to(dtype),
        open_clip.get_tokenizer("ViT-B-32", context_length=model.text.context_length if custom_text else model.context_length),
    )


def write_backbone(folder: Path) -> BackboneSpec:
    """A small random model on disk, as a configuration and a checkpoint."""
    folder.mkdir(parents=True, exist_ok=True)
    config, weights = folder / "tiny_clip.json", folder / "tiny_clip.safetensors"
    text = {**TEXT, "context_length": 40}
    config.write_text(json.dumps({"embed_dim": 24, "vision_cfg": VIT, "text_cfg": text}))
    save_file(random_backbone(dtype=torch.float32, context_length=40).clip.state_dict(), weights)
    return BackboneSpec(str(config), str(weights))


COLOURS = {"red": (220, 40, 40), "green": (40, 190, 40), "blue": (40, 40, 220), "yellow": (230, 220, 30), "gray": (128, 128, 128)}


def write_pictures(folder: Path, train: int = 6, test: int = 5, classes: int = 5) -> DataSpec:
    """Noisy one-colour pictures: `train` and `test` of them for each of the first classes."""
    generator = np.random.default_rng(0)
    for name, rgb in list(COLOURS.items())[:classes]:
        for part, number in (("train", train), ("test", test)):
            (folder / part / name).mkdir(parents=True, exist_ok=True)
            for i in range(number):
                noisy = np.clip(np.array(rgb) + generator.normal(0, 30, (36, 40, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(noisy).save(folder / part / name / f"{i}.png")
    return DataSpec(f"folder:{folder}")
