"""CoOp's step as published: every sentence at its full length, through open_clip's own transformer. https://arxiv.org/abs/2109.01134

Only the text path differs from ours; the image encoder and the head are the same code on both sides, hence cost the same.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from depthub import Backbone, ClassSet, Features, Method


class PlainCoOp(Method):
    """A context shared by all classes, written between the start token and the class name; padding is computed like everything else.

    Args:
        context: where the learned tokens start, (n, w); copied.
    """

    start: Tensor  # (M, 1, w)
    rest: Tensor  # class name, full stop, end and padding, (M, L - 1 - n, w)
    ends: Tensor  # position of the end token, (M,)

    def __init__(self, backbone: Backbone, classes: ClassSet, *, context: Tensor) -> None:
        super().__init__(backbone, classes)
        self.context = nn.Parameter(context.detach().clone())
        n = len(context)
        placeholders = " ".join(["X"] * n)
        ids = backbone.tokenizer([f"{placeholders} {word}." for word in classes.words], context_length=backbone.context_length)
        tokens = backbone.text.token_embedding(ids).detach()  # (M, L, w)
        self.register_buffer("start", tokens[:, :1])
        self.register_buffer("rest", tokens[:, 1 + n :])
        self.register_buffer("ends", ids.argmax(dim=-1))

    def features(self, backbone: Backbone, images: Tensor, classes: ClassSet) -> Features:
        with torch.no_grad():
            image = images if images.ndim == 2 else backbone.clip.encode_image(images)
        text = backbone.text
        x = torch.cat([self.start, self.context.expand(len(classes), -1, -1), self.rest], dim=1)
        x = text.transformer(x + text.positional_embedding, attn_mask=text.attn_mask)
        x = text.ln_final(x)[torch.arange(len(classes)), self.ends] @ text.text_projection
        return Features(image, x, backbone.scale, classes)
