"""Hugging Face's tokenizers with the interface of CLIP's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from depthub.errors import DepthubError
from depthub.values.text import short

IN_MODE = {"clips": 3}  # start, end and class token, which open_clip adds by itself in this mode


class HuggingFaceTokenizer:
    """A tokenizer with its own cleaning of texts, start, end and padding.

    Args:
        tokenizer: an `open_clip.HFTokenizer`.
        vocabulary: number of tokens that the text tower has.

    Attributes:
        context_length: tokens of a text with padding.
        added_tokens: tokens of a text that stand for no word of it, without padding.
    """

    def __init__(self, tokenizer: Any, vocabulary: int) -> None:
        self._tokenizer, self._vocabulary = tokenizer, vocabulary
        self.context_length = int(tokenizer.context_length)
        self.added_tokens = IN_MODE.get(tokenizer.tokenizer_mode) or len(tokenizer.tokenizer("").input_ids)

    def encode(self, text: str) -> list[int]:
        """Token ids of a text without start, end and padding."""
        cleaned = self._tokenizer.clean_fn(text)
        return [*self._tokenizer.tokenizer(cleaned, add_special_tokens=False, verbose=False).input_ids]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids."""
        return str(self._tokenizer.tokenizer.decode(ids))

    def __call__(self, texts: str | Sequence[str], context_length: int | None = None) -> Tensor:
        """Token ids with start, end and padding, (N, context length), as open_clip makes them.

        Raises:
            DepthubError: for a token that the text tower does not have.
        """
        texts = [texts] if isinstance(texts, str) else [*texts]
        ids: Tensor = self._tokenizer(texts, context_length=context_length)
        beyond = (ids >= self._vocabulary).any(dim=-1)
        if beyond.any():
            text = short(repr(texts[int(beyond.int().argmax())]))
            raise DepthubError(f"{text} has the token {int(ids.max())}, the text tower has {self._vocabulary}: it needs another tokenizer")
        return ids
