"""Class sentences as tokens: where learned tokens, class names and ends stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from depthub.errors import DepthubError
from depthub.types import ClassSet

PLACEHOLDER = "X"  # one token in CLIP's vocabulary; holds a learned vector's place in the sentence


@dataclass(frozen=True)
class Sentences:
    """The sentences of M classes around n learned tokens.

    Args:
        ids: token ids, (M, context length).
        slots: positions of the learned tokens, (M, n).
        ends: position of the end token, which is read as the feature, (M,).
    """

    ids: Tensor
    slots: Tensor
    ends: Tensor

    def to(self, device: torch.device) -> Sentences:
        """The same on a device."""
        return Sentences(self.ids.to(device), self.slots.to(device), self.ends.to(device))

    def symbols(self, own: bool) -> list[list[int]]:
        """Each sentence to its end: a token's id, or -1 - i for learned token i, counted on from class to class if each has its own."""
        classes, n = self.slots.shape
        learned = torch.arange(classes * n).view(classes, n) if own else torch.arange(n).expand(classes, n)
        symbols = self.ids.scatter(1, self.slots, -1 - learned)
        return [row[: end + 1] for row, end in zip(symbols.tolist(), self.ends.tolist(), strict=True)]


def write(tokenizer: Any, context_length: int, classes: ClassSet, n: int, position: str, words: str) -> Sentences:
    """The sentence of every class.

    Args:
        tokenizer: open_clip's.
        context_length: tokens of a sentence at the most.
        classes: the M classes.
        n: number of learned tokens.
        position: "end", "middle" or "front", as in `Prompts`.
        words: frozen words that hold the context's place, as in `Prompts`.

    Raises:
        DepthubError: if a sentence is too long.
    """
    held = words or " ".join([PLACEHOLDER] * n)
    ids = tokens(tokenizer, context_length, [f"{held} {word}." for word in classes.words], classes.names)
    ends = ids.argmax(dim=-1)  # of the sentence as written, before the context moves
    names = [len(tokenizer.encode(word)) for word in classes.words]
    order, slots = zip(*(_arrange(n, name, position, context_length) for name in names), strict=True)
    return Sentences(ids.gather(1, torch.tensor(order)), torch.tensor(slots), ends)


def readable(tokenizer: Any, classes: ClassSet, n: int, position: str, words: str) -> tuple[str, ...]:
    """The sentences that `write` makes, as text; `X` stands for a learned token."""
    frozen = tokenizer.decode(tokenizer.encode(words)[n:]).strip() if words else ""
    before = {"end": n, "middle": n // 2, "front": 0}[position]
    parts = ([PLACEHOLDER] * before, [PLACEHOLDER] * (n - before))
    if position == "end":
        return tuple(f"{' '.join([*parts[0], *frozen.split(), word])}." for word in classes.words)
    return tuple(f"{' '.join([*parts[0], word, *parts[1], *frozen.split()])}." for word in classes.words)


def tokens(tokenizer: Any, context_length: int, sentences: Sequence[str], names: Sequence[str]) -> Tensor:
    """Token ids, (N, context length); open_clip would cut a long sentence without a word.

    Raises:
        DepthubError: if a sentence is too long; it is called by its name.
    """
    for sentence, name in zip(sentences, names, strict=True):
        length = len(tokenizer.encode(sentence)) + 2
        if length > context_length:
            raise DepthubError(
                f"the prompt of class {name!r} has {length} tokens, the text tower reads {context_length}: shorten the context or the name"
            )
    return tokenizer(list(sentences), context_length=context_length)  # type: ignore[no-any-return]


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
