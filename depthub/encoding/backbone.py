"""The frozen model: the only text encoder and the only image encoder, with learned prompts at any layer of both."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from depthub.encoding import image_tower, overlaid, text_tower, tower_parts
from depthub.encoding.image_tower import NOTHING, ImageTower
from depthub.encoding.overlaid import first_changed
from depthub.encoding.prompt_checks import PromptsError, check_depth, check_form, check_layers
from depthub.encoding.sentences import Sentences, as_text, tokens, write
from depthub.encoding.text_memory import ClassText, TextMemory
from depthub.encoding.token_trie import build_trie
from depthub.encoding.towers import Towers
from depthub.types import ClassSet, Overlay, Prompts

MOST_SENTENCES = 1024  # hand-written ones encoded at a time
MOST_ROWS = 2**14  # tokens encoded at a time without gradients: 128 MiB in the MLP at width 512 in fp32


class Backbone(Towers):
    """A frozen CLIP-like model that accepts learned tokens.

    Args:
        clip: an open_clip `CLIP` or `CustomTextCLIP`; its text tower takes learned tokens if it pools causal text at the end token.
        tokenizer: open_clip's for CLIP, or one with the same interface; `encode` gives a text's token ids, calling it gives
            (N, context length) ids with start, end and padding.
    """

    encoding: Literal["fast", "reference"] = "fast"  # of text and images: the same numbers, with shared work or by open_clip's own layers
    recompute: bool = False  # image layers with prompts save only their inputs for the backward pass: less memory, more time

    def __init__(self, clip: nn.Module, tokenizer: Any) -> None:
        super().__init__(clip, tokenizer)
        self._memory = TextMemory()
        self._notes: list[tuple[str, ...]] | None = None  # sentences of text encodings, in a block of `noting`
        self._state_layer = 0  # that image tokens stand before, in a block of `from_states`

    @contextmanager
    def noting(self) -> Iterator[list[tuple[str, ...]]]:
        """Note the sentences of each text encoding in the block, one tuple of N or M sentences each, `X` standing for a learned token."""
        outer, self._notes = self._notes, []
        try:
            yield self._notes
        finally:
            self._notes = outer

    def encode_sentences(self, sentences: Sequence[str], overlay: Overlay | None = None) -> Tensor:
        """Features of hand-written sentences, (N, d), not normalised; remembered as in `encode_text`.

        Args:
            sentences: N of them.
            overlay: changes to the text tower; None: the frozen features, without gradients.

        Raises:
            DepthubError: if a sentence is too long, or the tower cannot take the changes.
        """

        @torch.no_grad()
        def encode() -> Tensor:
            ids = self._sentences(tuple(sentences)).ids
            return torch.cat([self.clip.encode_text(part) for part in torch.split(ids, MOST_SENTENCES)])

        if self._notes is not None:
            self._notes.append(tuple(sentences))
        if overlay is None:
            return self._remembered(tuple(sentences), (), encode)
        return self._encode_overlaid(self._sentences(tuple(sentences)), [], overlay, tuple(sentences))

    def encode_text(self, classes: ClassSet, prompts: Prompts, overlay: Overlay | None = None) -> Tensor:
        """Class features under learned prompts, not normalised.

        Without gradients, features that depend on no image are encoded once and remembered for the next batches. Under an overlay the
        states before its first layer are, too, also with gradients, unless prompts come before it.

        Args:
            classes: the M classes.
            prompts: see `Prompts`; without text prompts the sentences are those of the classes' own template.
            overlay: changes to the text tower.

        Returns:
            (M, d), or (G, M, d) for prompts in G groups.

        Raises:
            DepthubError: if a class's sentence is too long, or there are more prompt layers than layers, or the prompts have other shapes,
                or the tower cannot take them or the changes (`text_refusal`).
        """
        self._check_text(classes, prompts)
        if not prompts.text:
            return self.encode_sentences(classes.sentences(), overlay)
        check_depth("text", len(prompts.text), self.text_depth)
        if self._notes is not None:
            self._notes.append(as_text(self.tokenizer, classes, prompts))
        if overlay is not None or prompts.text[0] is None:
            features = self._encode_overlaid(
                self._written(classes, prompts), self._layers(prompts), overlay or NOTHING, (classes, prompts.wording)
            )
            return features if prompts.groups else features[0]
        if torch.is_grad_enabled() or prompts.groups:
            return self._encode_text(classes, prompts)
        shapes = tuple(None if p is None else (p.shape, p.dtype, p.device) for p in prompts.text)
        key = (classes, shapes, prompts.wording, self.encoding)
        return self._remembered(key, text_tower.tokens_of(prompts.text), lambda: self._encode_text(classes, prompts))

    def check_prompts(self, classes: ClassSet, prompts: Prompts) -> None:
        """Refuse prompts that `encode_text` or `encode_image` cannot read; each of them checks its own part as well.

        Raises:
            PromptsError: for anything but `Prompts` for these classes and this model.
        """
        self._check_text(classes, prompts)
        if prompts.image:
            check_layers("image", prompts.image, self.image_width, self.scale.device)

    def _check_text(self, classes: ClassSet, prompts: Prompts) -> None:
        check_form(prompts)
        width = 0 if self.text_refusal and not len(prompts.text) else self.text_width
        check_layers("text", prompts.text, width, self.scale.device, len(classes))

    def _encode_text(self, classes: ClassSet, prompts: Prompts) -> Tensor:
        text, layers = self.text, self._layers(prompts)
        class_text = self._class_text(classes, prompts, layers)
        if self.encoding == "fast" and text_tower.fits(text):
            x = self._encode_trie(class_text, layers)
        else:
            x = text_tower.encode_sentences(text, class_text.sentences, layers)
        features = self._project(text.ln_final(x))  # (G, M, d)
        return features if prompts.groups else features[0]

    def _layers(self, prompts: Prompts) -> list[Tensor | None]:
        """Text prompts as (G, M, n, w) each, where G or M may be 1."""
        dtype = self.text.transformer.get_cast_dtype()
        return [None if p is None else p.to(dtype).reshape((1,) * (4 - p.ndim) + p.shape) for p in prompts.text]

    def _encode_overlaid(self, sentences: Sentences, prompts: list[Tensor | None], overlay: Overlay, key: Hashable) -> Tensor:
        """Features of whole sentences with tokens that join them, or through changed layers: (M, d) without prompts, or (G, M, d).

        Args:
            sentences: of M classes.
            prompts: (G, M, n, w) each.
            overlay: changes.
            key: of the sentences, for what is remembered of them.
        """
        tower_parts.check("text", self._open_text, overlay)
        at_input = prompts[0] if prompts else None
        start = 0 if at_input is not None else first_changed(prompts, overlay, self.text_depth)

        def encode() -> Tensor:
            states = self._remembered(("states", key, start), (), partial(overlaid.states, self.text, sentences, start)) if start else None
            x = overlaid.encode(self.text, sentences, prompts, overlay, start, states)
            features = self._project(overlaid.normed(self.text.ln_final, x, overlay.end, "ln_final"), overlay)
            return features if prompts else features[0]

        inputs = None if torch.is_grad_enabled() else overlaid.inputs_of(prompts, overlay)
        return encode() if inputs is None else self._remembered((key, *overlaid.names_of(prompts, overlay)), inputs, encode)

    def sentences_of(self, classes: ClassSet) -> Sentences:
        """The classes' own sentences as tokens."""
        return self._sentences(tuple(classes.sentences()))

    def _sentences(self, sentences: tuple[str, ...]) -> Sentences:
        """Sentences without learned tokens."""

        def make() -> Sentences:
            ids = tokens(self.tokenizer, self.context_length, sentences, sentences).to(self.scale.device)
            return Sentences(ids, ids[:, :0], ids.argmax(dim=-1))

        return self._memory.sentences(sentences, make)

    def _written(self, classes: ClassSet, prompts: Prompts) -> Sentences:
        """Sentences around learned tokens; the classes' own if the tokens join later."""
        if prompts.text[0] is None:
            return self.sentences_of(classes)
        arguments = (classes, *prompts.wording)
        return self._memory.sentences(arguments, lambda: write(self.tokenizer, self.context_length, *arguments).to(self.scale.device))

    def _project(self, x: Tensor, overlay: Overlay = NOTHING) -> Tensor:
        """From the text tower's width to the joint space, (..., d)."""
        projection = overlay.end.get("text_projection", self.text.text_projection)
        if projection is None:
            return x
        features: Tensor = projection(x) if isinstance(projection, nn.Linear) else x @ projection
        return features

    def _encode_trie(self, class_text: ClassText, layers: Sequence[Tensor | None]) -> Tensor:
        """The last layer's output at the end tokens with each distinct beginning computed once, (G, M, w)."""
        blocks, trie = self.text.transformer.resblocks, class_text.trie
        self._memory.forget_changes(self.text, self.scale.device.type)
        fixed = class_text.constants
        if fixed is None:
            positions = self.text.positional_embedding.to(text_tower.tokens_of(layers)[0].dtype)
            fixed = class_text.constants = text_tower.constants(blocks, trie, self.text.token_embedding.weight, positions)
        groups = max(map(len, text_tower.tokens_of(layers)))
        classes = len(class_text.sentences.ids) if class_text.per_class else 1
        learned = [None if layer is None else layer.expand(groups, classes, -1, -1).flatten(1, 2) for layer in layers]
        # without gradients a few groups at a time bound the memory
        size = groups if torch.is_grad_enabled() else max(1, MOST_ROWS // trie.within.count)
        parts = [[None if layer is None else layer[start : start + size] for layer in learned] for start in range(0, groups, size)]
        return torch.cat([text_tower.encode_trie(blocks, trie, fixed, part) for part in parts])

    def _class_text(self, classes: ClassSet, prompts: Prompts, layers: Sequence[Tensor | None]) -> ClassText:
        present = text_tower.tokens_of(layers)
        per_class = any(layer.shape[1] > 1 for layer in present)
        dtype, device = present[0].dtype, self.scale.device

        def make() -> ClassText:
            sentences = write(self.tokenizer, self.context_length, classes, *prompts.wording)
            trie = build_trie(sentences.symbols(per_class=per_class), device, dtype)
            return ClassText(per_class, sentences.to(device), trie)

        return self._memory.class_text((classes, per_class, prompts.wording, dtype, device), make)

    def _remembered(self, key: Hashable, inputs: Sequence[Tensor], encode: Callable[[], Tensor]) -> Tensor:
        """Features from `encode`, remembered until a value of `inputs` or a weight changes; the reference encodes every time, since hooks
        may change its layers' outputs."""
        if self.encoding == "reference":
            return encode()
        self._memory.forget_changes(self.text, self.scale.device.type)
        return self._memory.features_of(key, inputs, encode)

    def encode_image(self, images: Tensor, prompts: Sequence[Tensor | None] = (), overlay: Overlay | None = None) -> Tensor:
        """Image features, (B, d), not normalised.

        Args:
            images: pixels (B, 3, H, W), or features (B, d) encoded before, which are returned as they are; or in training, for a method
                with a `first_image_layer`, the tokens before that layer, (B, 1 + P, w_v).
            prompts: prompts[l] is (n, w_v); it stands after the patches from the input (l = 0, before the first normalisation) or
                takes the place of the last n tokens before layer l, unless it is None.
            overlay: changes to the image tower.

        Raises:
            DepthubError: if there are prompts and the image tower takes none, or they have other shapes, or come with features, or the
                tower cannot take the changes.
        """
        check_layers("image", prompts, self.image_width if len(prompts) else 0, self.scale.device)
        changes = len(prompts) > 0 or overlay is not None
        if images.ndim == 2:
            if changes:
                what = "image prompts" if len(prompts) else "changes to the image tower"
                raise PromptsError(f"{what} for image features", "pixels for them: say tunes_image = True")
            return images
        visual = self.clip.visual
        if images.ndim == 3 or overlay is not None:
            tokens = self._image_tokens(images, prompts, overlay or NOTHING, all_rows=False)
            return image_tower.project(visual, tokens[:, 0], overlay or NOTHING)
        quick = self.encoding == "fast" and image_tower.fits(visual)
        if not prompts:
            with torch.set_grad_enabled(self.encoding == "reference" and torch.is_grad_enabled()):  # only hooks may need gradients
                features: Tensor = image_tower.encode(visual, images) if quick else self.clip.encode_image(images)
            return features
        check_depth("image", len(prompts), self.image_depth)
        if quick:
            return image_tower.encode(visual, images, prompts, recompute=self.recompute)
        return ImageTower.of(visual).encode(images, prompts)

    def image_tokens(self, images: Tensor, prompts: Sequence[Tensor | None] = (), overlay: Overlay | None = None) -> Tensor:
        """All tokens behind the last layer, (B, 1 + P + n, w_v): class token, patches, learned tokens; `project_image` takes them on.

        Args:
            images, prompts, overlay: as in `encode_image`, but no features.

        Raises:
            DepthubError: as in `encode_image`; also for an image tower that is not open_clip's standard one.
        """
        check_layers("image", prompts, self.image_width if len(prompts) else 0, self.scale.device)
        if images.ndim == 2:
            raise PromptsError("image features in the place of tokens", "pixels for them: say tunes_image = True")
        return self._image_tokens(images, prompts, overlay or NOTHING, all_rows=True)

    def project_image(self, tokens: Tensor, overlay: Overlay | None = None) -> Tensor:
        """Image tokens behind the last layer, (..., w_v), in the joint space, (..., d), not normalised, as CLIP takes its class token.

        Args:
            tokens: from `image_tokens`.
            overlay: changes to the image tower; its own projection, for example.

        Raises:
            DepthubError: if the tower cannot take the changes.
        """
        tower_parts.check("image", self.clip.visual, overlay or NOTHING)
        return image_tower.project(self.clip.visual, tokens, overlay or NOTHING)

    @torch.no_grad()
    def image_states(self, images: Tensor, layer: int) -> Tensor:
        """The frozen tower's tokens before a layer, (B, 1 + P, w_v).

        Args:
            images: pixels (B, 3, H, W).
            layer: from 0.
        """
        visual = self.clip.visual
        return image_tower.through(visual, image_tower.begin(visual, images), end=layer)

    @contextmanager
    def from_states(self, layer: int) -> Iterator[None]:
        """A block in which image tokens (B, 1 + P, w_v) are those before this layer."""
        outer, self._state_layer = self._state_layer, layer
        try:
            yield
        finally:
            self._state_layer = outer

    def _image_tokens(self, images: Tensor, prompts: Sequence[Tensor | None], overlay: Overlay, *, all_rows: bool) -> Tensor:
        visual, start = self.clip.visual, 0 if images.ndim == 4 else self._state_layer
        tower_parts.check("image", visual, overlay)
        check_depth("image", len(prompts), self.image_depth)
        first = first_changed(prompts, overlay, self.image_depth)
        if first < start:
            raise PromptsError(f"changes to layer {first} of the image tower", f"none before layer {start}: lower first_image_layer")
        x = image_tower.begin(visual, images) if images.ndim == 4 else images
        with torch.no_grad():
            x = image_tower.through(visual, x, start=start, end=first)
        return image_tower.through(visual, x, prompts, overlay, first, all_rows=all_rows, recompute=self.recompute)
