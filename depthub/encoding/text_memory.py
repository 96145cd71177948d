"""Results of text encoding that stay valid from call to call: class sentences, their constants, and features without gradients."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from open_clip.hf_model import HFTextEncoder
from torch import Tensor, nn

from depthub.encoding.sentences import Sentences
from depthub.encoding.text_tower import Constants
from depthub.encoding.token_trie import Trie

ENTRIES = 8  # class lists, and texts, that are remembered: those of the runs in progress

T = TypeVar("T")


@dataclass
class ClassText:
    """The text of a class list.

    Args:
        per_class: whether each class has learned tokens of its own.
        sentences: of its classes.
        trie: of the sentences.
        constants: of the trie, once computed with the present weights.
    """

    per_class: bool
    sentences: Sentences
    trie: Trie
    constants: Constants | None = None


class TextMemory:
    """Memory of one text tower; `forget_changes` comes before every use of features or constants."""

    def __init__(self) -> None:
        self.class_texts: dict[Hashable, ClassText] = {}
        self.features: dict[Hashable, tuple[list[Tensor], Tensor]] = {}  # inputs, and their features without gradients
        self._sentences: dict[Hashable, Sentences] = {}
        self._state: Hashable = None
        self._weights: list[Tensor] = []  # held, so that no other tensor takes their place in memory and passes for them

    def class_text(self, key: Hashable, make: Callable[[], ClassText]) -> ClassText:
        """The text of a class list, made once."""
        if key not in self.class_texts:
            _add(self.class_texts, key, make())
        return self.class_texts[key]

    def sentences(self, key: Hashable, make: Callable[[], Sentences]) -> Sentences:
        """Sentences as tokens, written once."""
        if key not in self._sentences:
            _add(self._sentences, key, make())
        return self._sentences[key]

    def features_of(self, key: Hashable, inputs: Sequence[Tensor], encode: Callable[[], Tensor]) -> Tensor:
        """A copy of the features from `encode`, which is called only if `inputs` are not those of the last call with this key."""
        entry = self.features.get(key)
        if entry is None or not all(map(torch.equal, entry[0], inputs)):
            entry = ([value.clone() for value in inputs], encode())
            _add(self.features, key, entry)
        return entry[1].clone()

    def forget_changes(self, text: Any, device: str) -> None:
        """Forget results of other weights, of another type or place of them, or of another automatic cast.

        Args:
            text: the tower.
            device: its kind, "cpu" or "cuda".
        """
        weights = _weights(text)
        cast = (torch.is_autocast_enabled(device), torch.get_autocast_dtype(device))
        state = (cast, [(w.data_ptr(), w._version, w.dtype) for w in weights])
        if state != self._state:
            self._state, self._weights = state, [w.detach() for w in weights]
            self.features.clear()
            for class_text in self.class_texts.values():
                class_text.constants = None


def _weights(text: Any) -> list[Tensor]:
    """Every weight that a text feature depends on."""
    if isinstance(text, HFTextEncoder):
        return [*text.parameters()]
    weights = [text.token_embedding.weight, text.positional_embedding, *text.transformer.parameters(), *text.ln_final.parameters()]
    projection = text.text_projection
    if isinstance(projection, nn.Module):
        return [*weights, *projection.parameters()]
    return weights if projection is None else [*weights, projection]


def _add(entries: dict[Hashable, T], key: Hashable, value: T) -> None:
    """Remember an entry; the oldest makes room for it."""
    if len(entries) >= ENTRIES:
        del entries[next(iter(entries))]
    entries[key] = value
