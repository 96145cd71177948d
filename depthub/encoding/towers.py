"""The two towers of a frozen model: their sizes and weights."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from depthub.encoding import tower_parts
from depthub.encoding.image_tower import ImageTower
from depthub.encoding.tower_parts import Tower
from depthub.types import LayerOverlay, Overlay


class Towers(nn.Module):
    """A frozen CLIP-like model.

    Args:
        clip: one of open_clip's.
        tokenizer: open_clip's.
    """

    clip: Any  # open_clip's models have no common type

    def __init__(self, clip: nn.Module, tokenizer: Any) -> None:
        super().__init__()
        self.clip = clip.requires_grad_(False).eval()
        self.tokenizer = tokenizer

    def train(self, mode: bool = True) -> Towers:
        """Stay in evaluation mode: a frozen model has no dropout and no running statistics."""
        return super().train(False)

    @property
    def text(self) -> Any:
        """The text tower; for open_clip's `CLIP` it is the model itself."""
        return getattr(self.clip, "text", self.clip)

    @property
    def text_width(self) -> int:
        """Width w of the text tower's tokens."""
        return int(self.text.token_embedding.embedding_dim)

    @property
    def text_depth(self) -> int:
        """Layers of the text tower."""
        return len(self.text.transformer.resblocks)

    @property
    def image_width(self) -> int:
        """Width w_v of the image tower's tokens.

        Raises:
            DepthubError: if the image tower takes no prompts.
        """
        return ImageTower.of(self.clip.visual).width

    @property
    def image_depth(self) -> int:
        """Layers of the image tower.

        Raises:
            DepthubError: if the image tower takes no prompts.
        """
        return len(ImageTower.of(self.clip.visual).blocks)

    @property
    def dim(self) -> int:
        """Size d of the joint space."""
        projection = self.text.text_projection
        if projection is None:
            return self.text_width
        return int(projection.out_features if isinstance(projection, nn.Linear) else projection.shape[-1])

    @property
    def context_length(self) -> int:
        """Tokens of a sentence at most, start and end included."""
        return int(self.text.positional_embedding.shape[0])

    @property
    def scale(self) -> Tensor:
        """exp of the logit scale, ()."""
        scale: Tensor = self.clip.logit_scale
        return scale.exp().reshape(())

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of its images, in pixels."""
        size = self.clip.visual.image_size
        return (int(size), int(size)) if isinstance(size, int) else (int(size[0]), int(size[1]))

    @property
    def image_statistics(self) -> tuple[Sequence[float], Sequence[float]]:
        """Mean and standard deviation per colour channel of pixels in [0, 1], as in its pre-training."""
        return self.clip.visual.image_mean, self.clip.visual.image_std

    def digest(self) -> str:
        """SHA-256 over every parameter and buffer, with its name: equal for bit-identical models alone."""
        total = hashlib.sha256()
        for name, value in self.clip.state_dict().items():
            total.update(name.encode())
            total.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        return total.hexdigest()

    def embed(self, words: str) -> Tensor:
        """Token embeddings of `words` without start and end, (number of tokens, w), a copy."""
        ids = torch.tensor(self.tokenizer.encode(words), device=self.scale.device)
        return self.text.token_embedding(ids).detach().clone()  # type: ignore[no-any-return]

    def weights(self, tower: Tower, layer: int | None) -> dict[str, Tensor]:
        """Copies of a layer's weights, or for None of those behind the last layer, by the names that `Overlay` has for them.

        Raises:
            DepthubError: if the tower does not have such a layer, or others than open_clip's standard ones.
        """
        holder = self.text if tower == "text" else self.clip.visual
        tower_parts.check(tower, holder, Overlay({} if layer is None else {layer: LayerOverlay()}))
        return {name: value.detach().clone() for name, value in tower_parts.weights(tower, holder, layer).items()}
