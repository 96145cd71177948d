"""The two towers of a frozen model: their sizes and weights."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import torch
from open_clip.hf_model import HFTextEncoder
from torch import Tensor, nn

from depthub.encoding import text_limits, tower_parts
from depthub.encoding.image_tower import ImageTower
from depthub.encoding.tower_parts import Tower
from depthub.types import LayerOverlay, Overlay


class Towers(nn.Module):
    """A frozen CLIP-like model.

    Args:
        clip: one of open_clip's.
        tokenizer: open_clip's.

    Attributes:
        text_refusal: why the text tower takes neither learned tokens nor changes, in words; empty if it takes them. It encodes sentences
            anyway.
    """

    clip: Any  # open_clip's models have no common type

    def __init__(self, clip: nn.Module, tokenizer: Any) -> None:
        super().__init__()
        self.clip = clip.requires_grad_(False).eval()
        self.tokenizer = tokenizer
        self.text_refusal = text_limits.refusal(self.text, tokenizer)  # once: every step asks several times

    def train(self, mode: bool = True) -> Towers:
        """Stay in evaluation mode: a frozen model has no dropout and no running statistics."""
        return super().train(False)

    @property
    def text(self) -> Any:
        """The text tower; for open_clip's `CLIP` it is the model itself."""
        return getattr(self.clip, "text", self.clip)

    @property
    def _open_text(self) -> Any:
        """The text tower, to be taken apart.

        Raises:
            DepthubError: if it takes no learned tokens.
        """
        if reason := self.text_refusal:
            raise text_limits.refused(reason)
        return self.text

    @property
    def text_width(self) -> int:
        """Width w of the text tower's tokens.

        Raises:
            DepthubError: if the text tower takes no learned tokens.
        """
        return int(self._open_text.token_embedding.embedding_dim)

    @property
    def text_depth(self) -> int:
        """Layers of the text tower.

        Raises:
            DepthubError: if the text tower takes no learned tokens.
        """
        return len(self._open_text.transformer.resblocks)

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
        text = self.text
        if isinstance(text, HFTextEncoder):
            return int(text.output_dim)
        projection = text.text_projection
        if projection is None:
            return int(text.token_embedding.embedding_dim)
        return int(projection.out_features if isinstance(projection, nn.Linear) else projection.shape[-1])

    @property
    def context_length(self) -> int:
        """Tokens of a sentence at most, start and end included; of a text tower from Hugging Face, what its tokenizer pads to."""
        text = self.text
        return int(self.tokenizer.context_length if isinstance(text, HFTextEncoder) else text.positional_embedding.shape[0])

    @property
    def scale(self) -> Tensor:
        """exp of the logit scale, ().

        A logit bias, as SigLIP has one beside it, is left out: one constant added to all logits changes neither predictions nor softmax.
        """
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
        """Token embeddings of `words` without start and end, (number of tokens, w), a copy.

        Raises:
            DepthubError: if the text tower takes no learned tokens.
        """
        ids = torch.tensor(self.tokenizer.encode(words), device=self.scale.device)
        return self._open_text.token_embedding(ids).detach().clone()  # type: ignore[no-any-return]

    def weights(self, tower: Tower, layer: int | None) -> dict[str, Tensor]:
        """Copies of a layer's weights, or for None of those behind the last layer, by the names that `Overlay` has for them.

        Raises:
            DepthubError: if the tower does not have such a layer, or others than open_clip's standard ones.
        """
        holder = self._open_text if tower == "text" else self.clip.visual
        tower_parts.check(tower, holder, Overlay({} if layer is None else {layer: LayerOverlay()}))
        return {name: value.detach().clone() for name, value in tower_parts.weights(tower, holder, layer).items()}
