"""The frozen model: the only text encoder and the only image encoder, with learned prompts at any layer of both."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from depthub import shared_prefix
from depthub.errors import DepthubError
from depthub.image_tower import image_tower
from depthub.types import ClassSet, Prompts

PLACEHOLDER = "X"  # one token in CLIP's vocabulary; holds a learned vector's place in the sentence


@dataclass(frozen=True)
class _Layout:
    """Where everything stands in the M class sentences.

    Args:
        ids: token ids, (M, L); L is the longest sentence's length where the causal mask allows to stop there.
        slots: positions of the n learned tokens, (M, n).
        ends: position of the end token, which is read as the feature, (M,).
    """

    ids: Tensor
    slots: Tensor
    ends: Tensor


class Backbone(nn.Module):
    """A frozen CLIP-like model that accepts learned tokens.

    Args:
        clip: an open_clip `CLIP` or `CustomTextCLIP` with a text transformer that pools at the end token.
        tokenizer: open_clip's; `encode` gives a text's token ids, calling it gives (N, context length) ids with start, end and padding.
    """

    clip: Any  # open_clip's models have no common type
    exact: Literal["shared", "plain"] = "shared"  # how text is encoded: the same numbers, with shared work or without

    def __init__(self, clip: nn.Module, tokenizer: Any) -> None:
        super().__init__()
        self.clip = clip.requires_grad_(False).eval()
        self.tokenizer = tokenizer
        self._layouts: dict[tuple[ClassSet, int, str, str, torch.device], _Layout] = {}

    def train(self, mode: bool = True) -> Backbone:
        """Stay in evaluation mode: what is frozen has no dropout and no running statistics."""
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
        return image_tower(self.clip.visual).width

    @property
    def image_depth(self) -> int:
        """Layers of the image tower.

        Raises:
            DepthubError: if the image tower takes no prompts.
        """
        return len(image_tower(self.clip.visual).blocks)

    @property
    def dim(self) -> int:
        """Size d of the joint space."""
        projection = self.text.text_projection
        if projection is None:
            return self.text_width
        return int(projection.out_features if isinstance(projection, nn.Linear) else projection.shape[-1])

    @property
    def context_length(self) -> int:
        """Tokens of a sentence at the most, start and end included."""
        return int(self.text.positional_embedding.shape[0])

    @property
    def scale(self) -> Tensor:
        """exp of the logit scale, ()."""
        scale: Tensor = self.clip.logit_scale
        return scale.exp().reshape(())

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width in pixels of the images it reads."""
        size = self.clip.visual.image_size
        return (int(size), int(size)) if isinstance(size, int) else (int(size[0]), int(size[1]))

    @property
    def image_statistics(self) -> tuple[Sequence[float], Sequence[float]]:
        """Mean and standard deviation per colour channel of pixels in [0, 1], as in its pre-training."""
        return self.clip.visual.image_mean, self.clip.visual.image_std

    def digest(self) -> str:
        """SHA-256 over every parameter and buffer, with its name: tells whether two models are bit-identical."""
        total = hashlib.sha256()
        for name, value in self.clip.state_dict().items():
            total.update(name.encode())
            total.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        return total.hexdigest()

    def embed(self, words: str) -> Tensor:
        """Token embeddings of `words` without start and end, (number of tokens, w), a copy."""
        ids = torch.tensor(self.tokenizer.encode(words), device=self.scale.device)
        return self.text.token_embedding(ids).detach().clone()  # type: ignore[no-any-return]

    @torch.no_grad()
    def encode_sentences(self, sentences: Sequence[str]) -> Tensor:
        """Features of hand-written sentences, (N, d), not normalised."""
        ids = self._tokens(sentences, sentences).to(self.scale.device)
        features: Tensor = self.clip.encode_text(ids)
        return features

    def encode_text(self, classes: ClassSet, prompts: Prompts) -> Tensor:
        """Class features under learned prompts, not normalised.

        Args:
            classes: the M classes.
            prompts: see `Prompts`; without text prompts the classes' own template is read.

        Returns:
            (M, d), or (B, M, d) for prompts per image.

        Raises:
            DepthubError: if a class's sentence is too long, or there are more prompt layers than layers.
        """
        if not prompts.text:
            return self.encode_sentences(classes.sentences())
        text, first = self.text, prompts.text[0]
        _check_depth("text", len(prompts.text), self.text_depth)
        layout = self._layout(classes, first.shape[-2], prompts.position, prompts.words)
        alike = prompts.position == "end" and all(prompt.ndim != 3 for prompt in prompts.text)
        shared = self.exact == "shared" and alike and text.attn_mask is not None and shared_prefix.fits(text.transformer.resblocks)
        x = text.ln_final((self._shared if shared else self._plain)(layout, prompts.text))  # (G, M, w)
        projection = text.text_projection
        if projection is not None:
            x = projection(x) if isinstance(projection, nn.Linear) else x @ projection
        features: Tensor = x if first.ndim == 4 else x[0]
        return features

    def _plain(self, layout: _Layout, prompts: Sequence[Tensor]) -> Tensor:
        """Every token of every sentence through open_clip's own layers; the last output at the end tokens, (G, M, w)."""
        text, length, first = self.text, layout.ids.shape[1], prompts[0]
        dtype = text.transformer.get_cast_dtype()
        groups = first.shape[0] if first.ndim == 4 else 1
        x = text.token_embedding(layout.ids).to(dtype).expand(groups, -1, -1, -1)  # (G, M, L, w)
        x = _write(x, first, layout.slots) + text.positional_embedding[:length].to(dtype)
        mask = None if text.attn_mask is None else text.attn_mask[:length, :length]
        for i, block in enumerate(text.transformer.resblocks):
            if 0 < i < len(prompts):
                x = _write(x, prompts[i], layout.slots)
            x = block(x.flatten(0, 1), attn_mask=mask).view_as(x)
        ended: Tensor = x[:, torch.arange(x.shape[1], device=x.device), layout.ends]
        return ended

    def _shared(self, layout: _Layout, prompts: Sequence[Tensor]) -> Tensor:
        """The same with start token and context computed once for all classes, (G, M, w)."""
        text, (classes, length), first = self.text, layout.ids.shape, prompts[0]
        dtype, n = text.transformer.get_cast_dtype(), first.shape[-2]
        groups = [p.flatten(0, 1) if p.ndim == 4 else p for p in prompts]  # (n, w) or (G, n, w)
        count = first.shape[0] if first.ndim == 4 else 1
        places = text.positional_embedding[:length].to(dtype)
        frozen = text.token_embedding(layout.ids).to(dtype)  # (M, L, w)
        start = frozen[0, :1].expand(count, -1, -1)
        prefix = torch.cat([start, groups[0].to(dtype).expand(count, -1, -1)], dim=1) + places[: 1 + n]
        suffix = (frozen[:, 1 + n :] + places[1 + n :]).expand(count, classes, -1, -1)
        return shared_prefix.encode(text.transformer.resblocks, prefix, suffix, groups[1:], layout.ends - (1 + n))

    def encode_image(self, images: Tensor, prompts: Sequence[Tensor] = ()) -> Tensor:
        """Image features, (B, d), not normalised.

        Args:
            images: pixels (B, 3, H, W), or features (B, d) encoded before, which come back as they are.
            prompts: prompts[l] is (n, w_v); it stands after the patches from the input (l = 0, before the first normalisation) or
                takes the place of the last n tokens before layer l.

        Raises:
            DepthubError: if there are prompts and the image tower takes none.
        """
        if images.ndim == 2:
            return images
        if not prompts:
            with torch.no_grad():  # nothing in here is tuned
                features: Tensor = self.clip.encode_image(images)
            return features
        _check_depth("image", len(prompts), self.image_depth)
        return image_tower(self.clip.visual).encode(images, prompts)

    def _tokens(self, sentences: Sequence[str], names: Sequence[str]) -> Tensor:
        """Token ids, (N, context length); open_clip would cut a long sentence without a word."""
        for sentence, name in zip(sentences, names, strict=True):
            length = len(self.tokenizer.encode(sentence)) + 2
            if length > self.context_length:
                raise DepthubError(
                    f"the prompt of class {name!r} has {length} tokens, the text tower reads {self.context_length}: "
                    "shorten the context or the name"
                )
        return self.tokenizer(list(sentences), context_length=self.context_length)  # type: ignore[no-any-return]

    def _layout(self, classes: ClassSet, n: int, position: str, words: str) -> _Layout:
        device = self.scale.device
        key = (classes, n, position, words, device)
        if key not in self._layouts:
            held = words or " ".join([PLACEHOLDER] * n)
            ids = self._tokens([f"{held} {word}." for word in classes.words], classes.names)
            ends = ids.argmax(dim=-1)  # of the sentence as written, before the context moves
            order, slots = zip(
                *(_arrange(n, len(self.tokenizer.encode(word)), position, ids.shape[1]) for word in classes.words), strict=True
            )
            ids = ids.gather(1, torch.tensor(order))
            # behind the end token nothing reaches the feature when attention is causal
            places = torch.tensor(slots)
            # a name whose last sign merges with the full stop has fewer tokens in the sentence than alone: the context may reach further
            length = max(int(ends.max()), int(places.max())) + 1 if self.text.attn_mask is not None else ids.shape[1]
            self._layouts[key] = _Layout(ids[:, :length].to(device), places.to(device), ends.to(device))
        return self._layouts[key]


def _arrange(n: int, name: int, position: str, length: int) -> tuple[list[int], list[int]]:
    """The order in which a sentence's tokens stand, and the places of its context among them.

    The sentence is [start, n context tokens, `name` class tokens, rest]; the class tokens move to the middle or the front of the context.
    """
    before = {"end": n, "middle": n // 2, "front": 0}[position]
    context = list(range(1, 1 + n))
    own = list(range(1 + n, 1 + n + name))
    order = [0, *context[:before], *own, *context[before:], *range(1 + n + name, length)]
    slots = [1 + i if i < before else 1 + i + name for i in range(n)]
    return (list(range(length)), context) if position == "end" else (order, slots)


def _write(x: Tensor, prompt: Tensor, slots: Tensor) -> Tensor:
    """x (G, M, L, w) with the tokens at `slots` (M, n) overwritten by a prompt: (n, w), (M, n, w) or (G, 1, n, w)."""
    groups, classes, _, width = x.shape
    values = prompt.to(x.dtype).expand(groups, classes, -1, -1)
    return x.scatter(2, slots[None, :, :, None].expand(groups, -1, -1, width), values)


def _check_depth(tower: str, given: int, layers: int) -> None:
    if given > layers:
        raise DepthubError(f"prompts for {given} layers of the {tower} tower, which has {layers}: lower the depth")
