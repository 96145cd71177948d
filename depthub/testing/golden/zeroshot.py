"""Records of zero-shot CLIP: hand-written prompts and the image-text matching head."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.nn import functional as F

from depthub.encoding.sentences import tokens
from depthub.head import ITM
from depthub.testing.golden import model as small_clip
from depthub.testing.golden.comparison import Comparison
from depthub.types import ClassSet, Features

NAMES = ("text_features", "text_features_raw", "image_features", "logits", "logit_scale")


@torch.no_grad()
def zero_shot(comparison: Comparison, model: Path | None) -> None:
    """Tokens, features and logits; the features of several templates are averaged after normalisation."""
    record = comparison.record
    record.check_names(NAMES)
    names, templates = tuple(record.entries(str, "classes")), record.entries(str, "templates")
    backbone = small_clip.load(record.path, model, comparison.dtype)
    classes = ClassSet("golden", tuple(range(len(names))), names)
    sentences = [classes.sentences(template) for template in templates]
    ids = torch.stack([tokens(backbone.tokenizer, backbone.context_length, written, names) for written in sentences])
    text = torch.stack([backbone.encode_sentences(written) for written in sentences])
    mean = F.normalize(F.normalize(text, dim=-1).mean(dim=0), dim=-1)
    image = backbone.encode_image(comparison.floats("images_eval", None, 3, *backbone.image_size))
    comparison.equal("tokens", ids[0] if len(templates) == 1 else ids)
    comparison.compare("text_features_raw", text[0] if len(templates) == 1 else text)
    comparison.compare("text_features", mean)
    comparison.compare("image_features", image)
    comparison.compare("logits", ITM(backbone.dim, classes)(Features(image, mean, backbone.scale, classes)))
    comparison.compare("logit_scale", backbone.scale)
