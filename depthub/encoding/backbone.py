"""The frozen model: the only text encoder and the only image encoder, with learned prompts at any layer of both."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from depthub.encoding import image_tower, text_tower
from depthub.encoding.sentences import Sentences, readable, tokens, write
from depthub.encoding.text_tower import Constants
from depthub.encoding.token_trie import Trie, build_trie
from depthub.errors import DepthubError
from depthub.types import ClassSet, Prompts

MOST_ROWS = 2**14  # tokens encoded at a time where no gradient is wanted: 128 MiB in the MLP at width 512 in fp32
POSITIONS = ("end", "middle", "front")  # where a class token may stand, see `Prompts`
KEPT = 8  # class lists whose sentences are remembered: those of the runs that go on at once


class PromptsError(DepthubError):
    """Prompts that the backbone cannot read.

    Args:
        given: what they are.
        expected: what they should be.
    """

    def __init__(self, given: str, expected: str) -> None:
        super().__init__(f"{given}, expected {expected}")
        self.given, self.expected = given, expected


@dataclass
class _Known:
    """What is remembered of a class list.

    Args:
        own: whether each class has learned tokens of its own.
        sentences: of its classes.
        trie: of the sentences.
        constants: of the trie, once computed with the weights as they are.
    """

    own: bool
    sentences: Sentences
    trie: Trie
    constants: Constants | None = None


class Backbone(nn.Module):
    """A frozen CLIP-like model that accepts learned tokens.

    Args:
        clip: an open_clip `CLIP` or `CustomTextCLIP` with a text transformer that pools at the end token.
        tokenizer: open_clip's; `encode` gives a text's token ids, calling it gives (N, context length) ids with start, end and padding.
    """

    clip: Any  # open_clip's models have no common type
    encoding: Literal["fast", "reference"] = "fast"  # how text and images are encoded: the same numbers, with shared work or without
    recompute: bool = False  # whether image layers with prompts keep their inputs alone for the backward pass: less memory, more time

    def __init__(self, clip: nn.Module, tokenizer: Any) -> None:
        super().__init__()
        self.clip = clip.requires_grad_(False).eval()
        self.tokenizer = tokenizer
        self._known: dict[Hashable, _Known] = {}
        self._features: dict[Hashable, tuple[list[Tensor], Tensor]] = {}  # of prompts, encoded without gradients
        self._weights: tuple[Hashable, list[Tensor]] = (None, [])
        self._noted: list[tuple[str, ...]] | None = None

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
        return image_tower.image_tower(self.clip.visual).width

    @property
    def image_depth(self) -> int:
        """Layers of the image tower.

        Raises:
            DepthubError: if the image tower takes no prompts.
        """
        return len(image_tower.image_tower(self.clip.visual).blocks)

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

    @contextmanager
    def noting(self) -> Iterator[list[tuple[str, ...]]]:
        """Note the sentences of each text encoding in the block, one tuple of N or M sentences each, `X` standing for a learned token."""
        before, self._noted = self._noted, []
        try:
            yield self._noted
        finally:
            self._noted = before

    @torch.no_grad()
    def encode_sentences(self, sentences: Sequence[str]) -> Tensor:
        """Features of hand-written sentences, (N, d), not normalised; encoded once and found again, as in `encode_text`."""

        def encode() -> Tensor:
            ids = tokens(self.tokenizer, self.context_length, sentences, sentences).to(self.scale.device)
            features: Tensor = self.clip.encode_text(ids)
            return features

        if self._noted is not None:
            self._noted.append(tuple(sentences))
        return self._memoised(tuple(sentences), (), encode)

    def encode_text(self, classes: ClassSet, prompts: Prompts) -> Tensor:
        """Class features under learned prompts, not normalised.

        Without gradients, features that depend on no image are encoded once and found again by the next batch.

        Args:
            classes: the M classes.
            prompts: see `Prompts`; without text prompts the classes' own template is read.

        Returns:
            (M, d), or (G, M, d) for prompts in G groups.

        Raises:
            DepthubError: if a class's sentence is too long, or there are more prompt layers than layers, or the prompts have other shapes.
        """
        self._check_text(classes, prompts)
        if not prompts.text:
            return self.encode_sentences(classes.sentences())
        _check_depth("text", len(prompts.text), self.text_depth)
        if self._noted is not None:
            self._noted.append(readable(self.tokenizer, classes, prompts.text[0].shape[-2], prompts.position, prompts.words))
        if torch.is_grad_enabled() or any(p.ndim == 4 for p in prompts.text):
            return self._encode_text(classes, prompts)
        shapes = tuple((p.shape, p.dtype, p.device) for p in prompts.text)
        key = (classes, shapes, prompts.position, prompts.words, self.encoding)
        return self._memoised(key, prompts.text, lambda: self._encode_text(classes, prompts))

    def check_prompts(self, classes: ClassSet, prompts: Prompts) -> None:
        """Refuse what `encode_text` or `encode_image` cannot read; they ask themselves for their part of it.

        Raises:
            PromptsError: if it is something else than `Prompts` for these classes and this model.
        """
        self._check_text(classes, prompts)
        if prompts.image:
            _check_layers("image", prompts.image, self.image_width, self.scale.device)

    def _check_text(self, classes: ClassSet, prompts: Prompts) -> None:
        if not isinstance(prompts, Prompts):
            raise PromptsError(f"a {type(prompts).__name__}", "Prompts")
        if prompts.position not in POSITIONS or not isinstance(prompts.words, str):
            raise PromptsError(f"position {prompts.position!r} and words {prompts.words!r}", f"one of {', '.join(POSITIONS)}, and a text")
        _check_layers("text", prompts.text, self.text_width, self.scale.device, len(classes))

    def _encode_text(self, classes: ClassSet, prompts: Prompts) -> Tensor:
        text, dtype = self.text, self.text.transformer.get_cast_dtype()
        layers = [p.to(dtype).reshape((1,) * (4 - p.ndim) + p.shape) for p in prompts.text]  # (G, M, n, w) each; G or M may be 1
        known = self._known_classes(classes, prompts, layers)
        shared = self.encoding == "fast" and text_tower.fits(text)
        x = text.ln_final((self._shared if shared else self._plain)(known, layers))  # (G, M, w)
        projection = text.text_projection
        if projection is not None:
            x = projection(x) if isinstance(projection, nn.Linear) else x @ projection
        features: Tensor = x if any(p.ndim == 4 for p in prompts.text) else x[0]
        return features

    def _plain(self, known: _Known, layers: Sequence[Tensor]) -> Tensor:
        """Every token of every sentence through open_clip's own layers; the last output at the end tokens, (G, M, w)."""
        text, said = self.text, known.sentences
        tokens = text.token_embedding(said.ids).to(layers[0].dtype)
        groups = max(len(layer) for layer in layers)
        x = _write(tokens.expand(groups, -1, -1, -1), layers[0], said.slots) + text.positional_embedding.to(tokens.dtype)  # (G, M, L, w)
        for i, block in enumerate(text.transformer.resblocks):
            if 0 < i < len(layers):
                x = _write(x, layers[i], said.slots)
            x = block(x.flatten(0, 1), attn_mask=text.attn_mask).view_as(x)
        ended: Tensor = x[:, torch.arange(x.shape[1], device=x.device), said.ends]
        return ended

    def _shared(self, known: _Known, layers: Sequence[Tensor]) -> Tensor:
        """The same with each distinct beginning computed once, (G, M, w)."""
        self._notice_changes()
        blocks = self.text.transformer.resblocks
        if known.constants is None:
            places = self.text.positional_embedding.to(layers[0].dtype)
            known.constants = text_tower.constants(blocks, known.trie, self.text.token_embedding.weight, places)
        classes, groups = len(known.sentences.ids) if known.own else 1, max(map(len, layers))
        learned = [layer.expand(groups, classes, -1, -1).flatten(1, 2) for layer in layers]
        # without gradients nothing is kept, and a few groups at a time bound the memory
        size = groups if torch.is_grad_enabled() else max(1, MOST_ROWS // known.trie.within.count)
        parts = zip(*(torch.split(layer, size) for layer in learned), strict=True)
        return torch.cat([text_tower.encode(blocks, known.trie, known.constants, part) for part in parts])

    def _known_classes(self, classes: ClassSet, prompts: Prompts, layers: Sequence[Tensor]) -> _Known:
        own, n, dtype, device = any(layer.shape[1] > 1 for layer in layers), layers[0].shape[2], layers[0].dtype, self.scale.device
        key = (classes, own, n, prompts.position, prompts.words, dtype, device)
        if key not in self._known:
            said = write(self.tokenizer, self.context_length, classes, n, prompts.position, prompts.words)
            _make_room(self._known)
            self._known[key] = _Known(own, said.to(device), build_trie(said.symbols(own), device, dtype))
        return self._known[key]

    def _memoised(self, key: Hashable, given: Sequence[Tensor], encode: Callable[[], Tensor]) -> Tensor:
        """What `encode` gives, remembered until a value of `given` or a weight changes; hooks may change what plain layers give."""
        if self.encoding == "reference":
            return encode()
        self._notice_changes()
        found = self._features.get(key)
        if found is None or not all(map(torch.equal, found[0], given)):
            _make_room(self._features)
            found = self._features[key] = ([value.clone() for value in given], encode())
        return found[1].clone()

    def _notice_changes(self) -> None:
        """Forget what was computed with other weights, another type or place of them, or another automatic cast.

        The weights are held on to, so that no other tensor takes their place in memory and passes for them.
        """
        text, device = self.text, self.scale.device.type
        weights = [text.token_embedding.weight, text.positional_embedding, *text.transformer.parameters(), *text.ln_final.parameters()]
        projection = text.text_projection
        weights += projection.parameters() if isinstance(projection, nn.Module) else [] if projection is None else [projection]
        cast = (torch.is_autocast_enabled(device), torch.get_autocast_dtype(device))
        state = (cast, [(w.data_ptr(), w._version, w.dtype) for w in weights])
        if state != self._weights[0]:
            self._weights = (state, [w.detach() for w in weights])
            self._features.clear()
            for known in self._known.values():
                known.constants = None

    def encode_image(self, images: Tensor, prompts: Sequence[Tensor] = ()) -> Tensor:
        """Image features, (B, d), not normalised.

        Args:
            images: pixels (B, 3, H, W), or features (B, d) encoded before, which come back as they are.
            prompts: prompts[l] is (n, w_v); it stands after the patches from the input (l = 0, before the first normalisation) or
                takes the place of the last n tokens before layer l.

        Raises:
            DepthubError: if there are prompts and the image tower takes none, or they have other shapes, or come with features.
        """
        _check_layers("image", prompts, self.image_width if len(prompts) else 0, self.scale.device)
        if images.ndim == 2:
            if prompts:
                raise PromptsError("image prompts for image features", "pixels for them: say tunes_image = True")
            return images
        visual = self.clip.visual
        quick = self.encoding == "fast" and image_tower.fits(visual)
        if not prompts:
            with torch.set_grad_enabled(self.encoding == "reference" and torch.is_grad_enabled()):  # nothing is tuned but what hooks do
                features: Tensor = image_tower.encode(visual, images) if quick else self.clip.encode_image(images)
            return features
        _check_depth("image", len(prompts), self.image_depth)
        if quick:
            return image_tower.encode(visual, images, prompts, recompute=self.recompute)
        return image_tower.image_tower(visual).encode(images, prompts)


def _write(x: Tensor, prompt: Tensor, slots: Tensor) -> Tensor:
    """x (G, M, L, w) with the tokens at `slots` (M, n) overwritten by a prompt (G, M, n, w), whose G or M may be 1."""
    groups, classes, _, width = x.shape
    return x.scatter(2, slots[None, :, :, None].expand(groups, -1, -1, width), prompt.expand(groups, classes, -1, -1))


def _make_room(kept: dict[Hashable, Any]) -> None:
    """The oldest goes where there are as many as are kept."""
    if len(kept) >= KEPT:
        del kept[next(iter(kept))]


def _check_layers(tower: str, layers: Any, width: int, device: torch.device, classes: int | None = None) -> None:
    """Refuse learned tokens that cannot be written into a tower's layers.

    Args:
        tower: "text" or "image".
        layers: what `Prompts` holds for it.
        width: w of the tower's tokens.
        device: of the model.
        classes: M, where there may be tokens for each class and group.
    """
    if isinstance(layers, Tensor) or not isinstance(layers, Sequence | nn.ParameterList):
        raise PromptsError(f"{tower} prompts that are a {type(layers).__name__}", "a list of tensors, one a layer")
    for number, prompt in enumerate(layers):
        if not isinstance(prompt, Tensor) or not prompt.is_floating_point() or not _writable(prompt.shape, width, classes):
            shape = f" of {prompt.dtype} and the shape {tuple(prompt.shape)}" if isinstance(prompt, Tensor) else ""
            shapes = f"(n, {width})" + ("" if classes is None else f", ({classes}, n, {width}) or (G, {classes}, n, {width})")
            raise PromptsError(
                f"{tower} prompt {number} as a {type(prompt).__name__}{shape}", f"a floating-point tensor {shapes} with n of at least 1"
            )
        if prompt.shape[-2] != layers[0].shape[-2]:
            raise PromptsError(f"{tower} prompts of {layers[0].shape[-2]} and {prompt.shape[-2]} tokens", "as many in every layer")
        if prompt.device != device:
            raise PromptsError(f"{tower} prompt {number} on {prompt.device}", f"{device}, where the backbone is")


def _writable(shape: Sequence[int], width: int, classes: int | None) -> bool:
    """Whether tokens of this shape have the width, are one a sentence at the least, and shared by the classes or one set for each."""
    if not 2 <= len(shape) <= (3 if classes is None else 4) or shape[-1] != width or shape[-2] < 1:
        return False
    return len(shape) == 2 or shape[-3] in (1, classes)


def _check_depth(tower: str, given: int, layers: int) -> None:
    if given > layers:
        raise DepthubError(f"prompts for {given} layers of the {tower} tower, which has {layers}: lower the depth")
